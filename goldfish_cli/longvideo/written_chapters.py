"""Titles and summaries of chapters, and of the whole film, written by a model from what was told.

The borders stay those of chapters.py, and so do its words wherever the model gives none of use. No
picture is shown: the clips' summaries and subtitles are all that is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from goldfish_cli.backends.base import GenerationSettings, Turn, VideoLanguageModel, drain
from goldfish_cli.errors import DoesNotFitError, ModelError
from goldfish_cli.inference.clip import Notify
from goldfish_cli.longvideo.chapters import summary_of
from goldfish_cli.longvideo.clock import span
from goldfish_cli.longvideo.records import Chapter, ClipRecord
from goldfish_cli.profiles import Profile

_FAITH = "Use the language of these notes, and tell nothing that they do not say."
CHAPTER_PROMPT = (
    "These are notes on what is seen and said in one part of a film, in its order.\n\n{notes}\n\n"
    "Give this part a title of at most eight words, and sum it up in two to four sentences. "
    f"{_FAITH} Answer in exactly this form:\nTitle: ...\nSummary: ..."
)
PART_PROMPT = (
    "These are notes on a part of a film, in its order.\n\n{notes}\n\n"
    f"Sum them up in two to four sentences. {_FAITH} Write these sentences alone."
)
FILM_PROMPT = (
    "These are notes on the chapters of a film, in their order.\n\n{notes}\n\n"
    f"Sum up the whole film in three to six sentences. {_FAITH} Write these sentences alone."
)
MOST_NEW_TOKENS = 256
ASSUMED_CONTEXT = 4096
"""Tokens of a prompt, where only a server knows how many it takes."""
CHARACTERS_A_TOKEN = 3
"""Where only a server can count; English takes four, many languages fewer."""
LONGEST_TITLE, LONGEST_SUMMARY = 100, 2000
"""Characters; more is no title, or no summary."""
_VERSION = "1"
_FORM = re.compile(
    r"\s*\**title:?\**:?\s*(?P<title>[^\n]+)\n\s*\**summary:?\**:?\s*(?P<summary>.+)",
    re.IGNORECASE | re.DOTALL,
)
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Story:
    """A film's chapters and the film in few words."""

    chapters: tuple[Chapter, ...]
    summary: str
    is_whole: bool
    """Whether the model wrote all of it."""


class _UnusableError(Exception):
    """What the model wrote is of no use; the message says why."""


def story_key(
    chapters: Sequence[Chapter], clips: Sequence[ClipRecord], model: VideoLanguageModel
) -> str:
    """Hash all that a written story depends on: borders, what the clips tell, model, prompts."""
    borders = [(one.start, one.end) for one in chapters]
    prompts = CHAPTER_PROMPT, PART_PROMPT, FILM_PROMPT
    parts = json.dumps(
        [_VERSION, borders, _notes(chapters, clips), model.identity, prompts], ensure_ascii=False
    )
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def write_story(
    chapters: Sequence[Chapter],
    clips: Sequence[ClipRecord],
    model: VideoLanguageModel,
    profile: Profile,
    notify: Notify = lambda _: None,
) -> Story:
    """Let a model write titles and summaries, chapter by chapter, then the film's.

    Args:
        chapters: With the titles and summaries that stay where the model gives none.
        clips: Of the film.
        model: Follows instructions.
        profile: Limits prompts and answers.
        notify: Hears what could not be written, and why.
    """
    writer = _Writer(model, profile)
    written: list[Chapter] = []
    failures: list[str] = []
    try:
        for chapter, notes in zip(chapters, _notes(chapters, clips), strict=True):
            try:
                title, summary = writer.chapter(notes)
                written.append(replace(chapter, title=title, summary=summary))
            except (_UnusableError, DoesNotFitError) as error:
                failures.append(str(error).rstrip("."))
                written.append(chapter)
        if failures:
            notify(f"{len(failures)} of {len(chapters)} chapters keep their words: {failures[0]}.")
        summary = writer.film([*map(_line, written)])
    except (_UnusableError, DoesNotFitError) as error:
        notify(f"The film's summary lists its chapters: {str(error).rstrip('.')}.")
    except ModelError as error:  # it is gone: the others would fail as well
        notify(f"Chapters keep their words: {str(error).rstrip('.')}.")
        written += chapters[len(written) :]
    else:
        return Story(tuple(written), summary, is_whole=not failures)
    return Story(tuple(written), summary_of(written), is_whole=False)


class _Writer:
    """Asks a model about notes, as many at a time as its context takes."""

    def __init__(self, model: VideoLanguageModel, profile: Profile) -> None:
        self._model = model
        self._nothing = model.encode(())
        self._settings = GenerationSettings(min(profile.max_new_tokens, MOST_NEW_TOKENS))
        limit = model.context_limit(profile, self._settings)
        self._limit = ASSUMED_CONTEXT - self._settings.max_new_tokens if limit is None else limit

    def chapter(self, notes: Sequence[str]) -> tuple[str, str]:
        """Write a title and a summary."""
        found = _FORM.fullmatch(self._write(CHAPTER_PROMPT, notes))
        if found is None:
            raise _UnusableError("the model gave no title and summary")
        title, summary = (" ".join(found[name].split()) for name in ("title", "summary"))
        title = title.strip("*\"' ")
        if not title or not summary:
            raise _UnusableError("the model gave no title or no summary")
        if len(title) > LONGEST_TITLE:
            raise _UnusableError("the model's title is too long")
        return title, _of_use(summary)

    def film(self, notes: Sequence[str]) -> str:
        """Write the summary of a whole film."""
        return _of_use(self._write(FILM_PROMPT, notes))

    def _write(self, prompt: str, notes: Sequence[str]) -> str:
        """Ask, after summing up parts until all of it fits."""
        while not self._fits(prompt, notes):
            parts = self._parts(notes)
            if len(parts) >= len(notes):
                raise _UnusableError("what is to be summed up is too long for the model")
            notes = [_of_use(self._ask(PART_PROMPT, part)) for part in parts]
        return self._ask(prompt, notes)

    def _parts(self, notes: Sequence[str]) -> list[list[str]]:
        """Gather notes to as few parts as fit; a note that is too long alone is cut."""
        parts: list[list[str]] = []
        for note in notes:
            while not self._fits(PART_PROMPT, [note]) and len(note) > 1:
                note = note[: len(note) * 3 // 4]
            if parts and self._fits(PART_PROMPT, [*parts[-1], note]):
                parts[-1].append(note)
            else:
                parts.append([note])
        return parts

    def _fits(self, prompt: str, notes: Sequence[str]) -> bool:
        text = _filled(prompt, notes)
        count = self._model.count_tokens(self._nothing, (), (Turn(text),))
        return (len(text) / CHARACTERS_A_TOKEN if count is None else count) <= self._limit

    def _ask(self, prompt: str, notes: Sequence[str]) -> str:
        turns = (Turn(_filled(prompt, notes)),)
        reply = drain(self._model.stream(self._nothing, (), turns, self._settings))
        if not reply.finished:
            raise _UnusableError("the model's answer is too long")
        return _THOUGHT.sub("", reply.text).strip()


def _of_use(summary: str) -> str:
    summary = " ".join(summary.split())
    if not summary:
        raise _UnusableError("the model's answer is empty")
    if len(summary) > LONGEST_SUMMARY:
        raise _UnusableError("the model's summary is too long")
    return summary


def _filled(prompt: str, notes: Sequence[str]) -> str:
    return prompt.replace("{notes}", "\n".join(notes))  # notes may hold braces


def _notes(chapters: Sequence[Chapter], clips: Sequence[ClipRecord]) -> list[list[str]]:
    """What the clips of each chapter tell, a line a clip, without those that tell nothing."""
    notes: list[list[str]] = [[] for _ in chapters]
    place = 0
    for clip in clips:
        while place + 1 < len(chapters) and clip.start >= chapters[place + 1].start:
            place += 1
        said = " ".join(" ".join(cue.text.split()) for cue in clip.cues)
        seen = " ".join(clip.summary.split())
        if parts := [*([seen] if seen else []), *([f'Said: "{said}"'] if said else [])]:
            notes[place].append(f"- {' '.join(parts)}")
    return notes


def _line(chapter: Chapter) -> str:
    return f"- {span(chapter.start, chapter.end)} {chapter.title}: {chapter.summary}"
