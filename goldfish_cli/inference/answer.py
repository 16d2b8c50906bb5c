"""The answer to one question about a clip, as a value and in pieces."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from goldfish_cli.backends.base import GenerationSettings, Turn, VideoLanguageModel
from goldfish_cli.inference.clip import Notify, WatchedClip
from goldfish_cli.inference.context import fit_prompt
from goldfish_cli.inference.questions import check_question
from goldfish_cli.profiles import Profile


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame that the model saw."""

    time: float
    """Its presentation time in the file, in seconds."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a question cost in tokens; null where a server does not say."""

    prompt: int | None
    """The whole prompt, visual tokens included."""
    visual: int | None
    """Those of the prompt that stand for pictures."""
    answer: int | None
    """Generated ones, the closing one included."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked, what was answered, and on what grounds. These are the keys of ``--json``."""

    question: str
    answer: str
    video: str
    """The path as it was given."""
    model: str
    profile: str
    frames: tuple[SeenFrame, ...]
    subtitles: str
    """Where they came from: a file's name, a stream, a Whisper model, or "none"."""
    seconds: float
    """From the question to the end of its answer; the first of several includes reading the
    video."""
    tokens: Tokens


def answer_question(
    model: VideoLanguageModel,
    clip: WatchedClip,
    question: str,
    *,
    profile: Profile,
    settings: GenerationSettings,
    earlier: Sequence[Turn] = (),
    notify: Notify = lambda _: None,
) -> Generator[str, None, Answer]:
    """Answer in pieces of text as the model makes them; the generator returns the whole.

    Args:
        model: The one that encoded the clip.
        clip: What ``watch`` returned.
        question: Any text with at least one letter or digit.
        profile: Limits the prompt.
        settings: How tokens are chosen.
        earlier: Turns of the same conversation, which the model remembers.
        notify: Hears what had to be left out, and when the answer was cut.

    Raises:
        UsageError: If the question is empty.
        DoesNotFitError: If the question cannot fit the context.
    """
    began = time.perf_counter()
    turns = (*earlier, Turn(check_question(question)))
    prompt = fit_prompt(model, clip, turns, profile=profile, settings=settings, notify=notify)
    reply = yield from model.stream(prompt.video, prompt.captions, prompt.turns, settings)
    if not reply.finished:
        notify(
            f"The answer was cut after {settings.max_new_tokens} tokens; "
            "--max-new-tokens allows more."
        )
    return Answer(
        question=turns[-1].question,
        answer=reply.text,
        video=str(clip.look.video),
        model=model.name,
        profile=profile.name,
        frames=tuple(SeenFrame(round(time_, 6)) for time_ in prompt.video.times),
        subtitles=clip.subtitles.source,
        seconds=round(time.perf_counter() - began, 3),
        tokens=Tokens(reply.prompt_tokens, reply.visual_tokens, reply.answer_tokens),
    )
