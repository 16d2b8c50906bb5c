"""The published Goldfish procedure (arXiv:2407.12679), to compare with: top documents, text alone.

Clips of 80 s without snapping, their summaries and subtitles as separate documents, the three
nearest to the question by embedding, and an answer that the model writes from their text without
looking at any frame. Two things are mended: the clips stand in the order of the film, where theirs
depends on a hash seed, and decoding is greedy.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from goldfish_cli.backends.base import GenerationSettings, Turn, VideoLanguageModel, drain
from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo.answers import Citation, LongAnswer, Step
from goldfish_cli.longvideo.embeddings import Embedder
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.profiles import Profile

CLIP_SECONDS = 80.0
SUMMARY_PROMPT = (
    "I'm a blind person, please provide me with a detailed summary of the video content and try to "
    "be as descriptive as possible."
)
DOCUMENTS = 3
MOST_WORDS = 10_000
_TASK = (
    "Your task is to answer a specific question based on one long video. While you cannot view the "
    "video yourself, I will supply you with the most relevant text information from the most "
    "pertinent clips. \n{context}\n"
)
_QUESTION = (
    "\nPlease provide a detailed and accurate answer to the following question:{question} \n Your "
    "answer should be:"
)


def answer_as_reference(
    store: IndexView,
    model: VideoLanguageModel,
    profile: Profile,
    embedder: Embedder,
    question: str,
    films: Sequence[FilmRecord],
) -> LongAnswer:
    """Answer a question about one film as the original does.

    Raises:
        IndexFolderError: If there is not exactly one film.
    """
    if len(films) != 1:
        raise IndexFolderError(
            f"The reference answers about one film, not {len(films)}.", hint="Name one film"
        )
    began = time.perf_counter()
    (film,) = films
    found = _nearest(store.clips(film.id), question, embedder)
    retrieved = time.perf_counter()
    numbers = ", ".join(str(clip.number) for clip, _ in found)
    prompt = _prompt(found, question, model, profile)
    settings = GenerationSettings(max_new_tokens=profile.max_new_tokens)
    reply = drain(model.stream(model.encode(()), (), (Turn(prompt),), settings))
    ended = time.perf_counter()
    cited = tuple(
        Citation(film.paths[-1], clip.start, clip.end, clip.summary, round(score, 4), False)
        for clip, score in found
    )
    return LongAnswer(
        question,
        reply.text.strip(),
        cited,
        "reference",
        (
            Step("retrieve", f"clips {numbers}", round(retrieved - began, 4)),
            Step("answer", "from text alone, nothing checked", round(ended - retrieved, 4)),
        ),
        round(store.coverage(film.id), 4),
        round(ended - began, 3),
    )


def _nearest(
    clips: Sequence[ClipRecord], question: str, embedder: Embedder
) -> list[tuple[ClipRecord, float]]:
    """The clips of the nearest documents, in the film's order, each with its best score."""
    documents = [(clip, text) for clip in clips for text in (clip.summary, _said(clip)) if text]
    if not documents:
        return []
    vectors = embedder.encode([text for _, text in documents], "passage")
    scores = vectors @ embedder.encode([question], "query")[0]
    order = sorted(range(len(documents)), key=lambda place: (-float(scores[place]), place))
    best: dict[int, tuple[ClipRecord, float]] = {}
    for place in order[:DOCUMENTS]:
        clip = documents[place][0]
        best.setdefault(clip.number, (clip, float(scores[place])))
    return [best[number] for number in sorted(best)]


def _said(clip: ClipRecord) -> str:
    return "".join(cue.text for cue in clip.cues)


def _prompt(
    found: Sequence[tuple[ClipRecord, float]],
    question: str,
    model: VideoLanguageModel,
    profile: Profile,
) -> str:
    """The original's words, with as many of the context's as fit the model."""
    parts = [f"Clip Summary: {clip.summary},Clip Subtitles: {_said(clip)}\n" for clip, _ in found]
    words = re.sub(r"[^\w\s]|\n", "", "".join(parts)).split()[:MOST_WORDS]
    limit = model.context_limit(profile, GenerationSettings(profile.max_new_tokens))
    while True:
        prompt = _TASK.format(context=" ".join(words)) + _QUESTION.format(question=question)
        size = model.count_tokens(model.encode(()), (), (Turn(prompt),))
        if limit is None or size is None or size <= limit or not words:
            return prompt
        words = words[: len(words) * 9 // 10]
