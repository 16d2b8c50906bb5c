"""The answer to one question about a clip, as a value and in pieces."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from goldfish_cli.backends.base import GenerationSettings, Reply, Turn, VideoLanguageModel
from goldfish_cli.inference.clip import Notify, WatchedClip
from goldfish_cli.inference.context import Prompt, fit_prompt
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
        notify(_cut(settings))
    return _answer(model, clip, profile, prompt, reply, time.perf_counter() - began)


def answer_together(
    model: VideoLanguageModel,
    clip: WatchedClip,
    questions: Sequence[str],
    *,
    profile: Profile,
    settings: GenerationSettings,
    notify: Notify = lambda _: None,
) -> list[Answer]:
    """Answer questions about a clip that do not know of each other, as many at a time as fit.

    Args:
        model: The one that encoded the clip.
        clip: What ``watch`` returned.
        questions: Any texts with at least one letter or digit.
        profile: Limits the prompts.
        settings: How tokens are chosen.
        notify: Hears what had to be left out, and when answers were cut.

    Raises:
        UsageError: If a question is empty.
        DoesNotFitError: If one cannot fit the context.
    """
    began = time.perf_counter()
    fit = partial(fit_prompt, model, clip, profile=profile, settings=settings, notify=notify)
    prompts = [fit([Turn(check_question(question))]) for question in questions]
    replies: dict[int, Reply] = {}
    for alike in _showing_the_same(prompts):
        first = prompts[alike[0]]
        conversations = [prompts[place].turns for place in alike]
        told = model.reply_all(first.video, first.captions, conversations, settings)
        replies |= dict(zip(alike, told, strict=True))
    if not all(reply.finished for reply in replies.values()):
        notify(_cut(settings))
    seconds = (time.perf_counter() - began) / max(1, len(prompts))
    return [
        _answer(model, clip, profile, prompt, replies[place], seconds)
        for place, prompt in enumerate(prompts)
    ]


def _showing_the_same(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Group prompts, by position, that show the same frames with the same captions."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, prompt in enumerate(prompts):
        groups.setdefault((prompt.video.times, prompt.captions), []).append(place)
    return list(groups.values())


def _cut(settings: GenerationSettings) -> str:
    return (
        f"The answer was cut after {settings.max_new_tokens} tokens; --max-new-tokens allows more."
    )


def _answer(
    model: VideoLanguageModel,
    clip: WatchedClip,
    profile: Profile,
    prompt: Prompt,
    reply: Reply,
    seconds: float,
) -> Answer:
    return Answer(
        question=prompt.turns[-1].question,
        answer=reply.text,
        video=str(clip.look.video),
        model=model.name,
        profile=profile.name,
        frames=tuple(SeenFrame(round(time_, 6)) for time_ in prompt.video.times),
        subtitles=clip.subtitles.source,
        seconds=round(seconds, 3),
        tokens=Tokens(reply.prompt_tokens, reply.visual_tokens, reply.answer_tokens),
    )
