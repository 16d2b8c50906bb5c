"""Make a prompt fit the model's context: leave out old turns, then subtitles, then frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from goldfish_cli.backends.base import GenerationSettings, Turn, VideoLanguageModel
from goldfish_cli.errors import DoesNotFitError
from goldfish_cli.inference.clip import Notify, WatchedClip
from goldfish_cli.media.alignment import align_cues, count_words
from goldfish_cli.model.prompts import spread
from goldfish_cli.profiles import Profile


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is shown and asked, within its context."""

    video: Any
    """The backend's own ``EncodedVideo``, perhaps with fewer frames than were encoded."""
    captions: tuple[str, ...]
    """One text a frame."""
    turns: tuple[Turn, ...]
    """The last one is the question."""


def fit_prompt(
    model: VideoLanguageModel,
    clip: WatchedClip,
    turns: Sequence[Turn],
    *,
    profile: Profile,
    settings: GenerationSettings,
    notify: Notify = lambda _: None,
) -> Prompt:
    """Build the prompt, leaving out as little as the context demands.

    The oldest turns go first; then subtitles, spread evenly, until they take at most half of the
    room beside the question; then frames, spread evenly too. Frames that were asked for by number
    are never left out.

    Args:
        model: Counts the tokens and knows its limit.
        clip: What it has seen.
        turns: The conversation; the last turn is the question.
        profile: Limits the subtitles' words and, for the native model, the prompt.
        settings: The answer's length, for which room must stay.
        notify: Hears what was left out.

    Raises:
        DoesNotFitError: If not even the question and one frame fit, or not the frames asked for.
    """
    captions = _captions(clip, profile.subtitle_words, notify)
    every = range(len(captions))
    spoken = [frame for frame in every if captions[frame]]
    exact = clip.look.num_frames is not None
    limit = model.context_limit(profile, settings)

    def build(num_turns: int, voices: Sequence[int], frames: Sequence[int]) -> Prompt:
        video = clip.encoded if len(frames) == len(captions) else clip.encoded.select(frames)
        texts = tuple(captions[frame] if frame in voices else "" for frame in frames)
        return Prompt(video, texts, tuple(turns[len(turns) - num_turns :]))

    def length(num_turns: int, voices: Sequence[int], frames: Sequence[int]) -> int:
        prompt = build(num_turns, voices, frames)
        return model.count_tokens(prompt.video, prompt.captions, prompt.turns) or 0

    if limit is None or length(len(turns), spoken, every) <= limit:
        return build(len(turns), spoken, every)

    num_turns = _most(len(turns), lambda count: length(count, spoken, every) <= limit)
    if len(turns) > 1:
        notify("The start of the conversation no longer fits the context and is left out.")
    if num_turns:
        return build(num_turns, spoken, every)

    silent = length(1, [], every)
    share = 0 if exact else (limit - length(1, [], every[:1])) // 2
    most_words = max(limit, silent + share)
    num_voices = _most(
        len(spoken), lambda count: length(1, _spread(spoken, count), every) <= most_words
    )
    voices = _spread(spoken, num_voices)
    num_frames = _most(len(every), lambda count: length(1, voices, _spread(every, count)) <= limit)
    if not num_frames or (exact and num_frames < len(every)):
        raise _does_not_fit(limit, length(1, [], every if num_frames else every[:1]), num_frames)
    kept = _spread(every, num_frames)
    heard = len(set(voices) & set(kept))
    notify(_left_out(len(every), num_frames, len(spoken), heard, limit))
    return build(1, voices, kept)


def _captions(clip: WatchedClip, max_words: int, notify: Notify) -> list[str]:
    look, times = clip.look, list(clip.encoded.times)
    align = partial(align_cues, clip.subtitles.cues, times, start=look.start, end=look.end)
    captions = align(max_words=max_words)
    said, kept = (sum(map(count_words, texts)) for texts in (align(), captions))
    if kept < said:
        notify(f"Of the subtitles' {said} words {kept} are used; the profile allows {max_words}.")
    return captions


def _most(maximum: int, fits: Callable[[int], bool]) -> int:
    """Find the largest number from 1 to ``maximum`` that fits, 0 if none; less always fits too."""
    lowest, highest = 0, maximum
    while lowest < highest:
        middle = (lowest + highest + 1) // 2
        if fits(middle):
            lowest = middle
        else:
            highest = middle - 1
    return lowest


def _spread(positions: Sequence[int], count: int) -> list[int]:
    """Choose ``count`` of the positions evenly, each in the middle of its share."""
    return [positions[index] for index in spread(count, len(positions))]


def _left_out(frames: int, kept_frames: int, spoken: int, heard: int, limit: int) -> str:
    parts = []
    if kept_frames < frames:
        parts.append(f"{frames - kept_frames} of {frames} frames")
    if heard < spoken:
        parts.append(f"the subtitles of {spoken - heard} of {spoken} frames")
    return f"Left out to fit a context of {limit} tokens: {' and '.join(parts)}."


def _does_not_fit(limit: int, needed: int, num_frames: int) -> DoesNotFitError:
    what = "The frames and the question" if num_frames else "One frame and the question"
    return DoesNotFitError(
        f"{what} take {needed} tokens; the context has room for {limit}.",
        hint=f"Use --frames {num_frames} or fewer, or a larger profile."
        if num_frames
        else "Ask a shorter question, or lower --max-new-tokens.",
    )
