"""Captions for sampled frames as MiniGPT4-Video attaches them, for prompts equal to its own.

Kept for checkpoints that were trained so and for parity tests; ``alignment.align_cues`` is what we
use ourselves. The original walks over every decoded frame, collects the cues that are on screen,
and attaches what it has collected to the next sampled frame. Its three scripts differ in which
cue they see and in what they hold to be said already; see ``ReferenceVariant``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from goldfish_cli.media.cues import Cue

ReferenceVariant = Literal["inference", "goldfish", "training"]
"""Which of the original's alignments:

- ``inference``, the scripts for short videos: a binary search over times in whole milliseconds
  finds one cue (none, when the cues are unsorted); a text is said once in a video.
- ``goldfish``, long videos and evaluation: the first cue on screen that is not part of the text
  collected so far; a text is said once; frame times divide by the whole part of the frame rate,
  and so do those of ``training``.
- ``training``: all cues on screen whose text is new, word by word, less each word that is part of
  the text collected so far or of the last caption: "a" is lost where "have" was said.
"""

MAX_WORDS = 400  # with Llama 2; Mistral has 800

_Collect = Callable[[int, str, str], str]  # frame number, text collected, last caption: new text


def reference_captions(
    cues: Sequence[Cue],
    frame_indices: Sequence[int],
    *,
    frame_rate: float,
    variant: ReferenceVariant,
    max_words: int = MAX_WORDS,
) -> list[str]:
    """Give the text that follows ``<Cap>`` after each sampled frame, its last space included.

    The prompt is then, frame by frame, ``"<Img><ImageHere>"`` and, where the text is not empty,
    ``"<Cap>" + text``; after the last frame a line feed and the question.

    Args:
        cues: In the order of the file, in its own seconds, line breaks as they are.
        frame_indices: Numbers of the sampled frames in decoding order, ascending from 0. Repeats
            of the last one (padding) take no caption.
        frame_rate: Frames a second as the original reads it.
        variant: Which of its three alignments.
        max_words: No caption is begun once so many words are out; the last may go beyond. An
            empty word is counted for the space at the end of each caption, as the original does.

    Returns:
        One text per entry of ``frame_indices``; ``""`` without caption.

    Raises:
        ValueError: If ``variant`` is ``goldfish`` or ``training`` and the rate is below 1, where
            the original divides by zero.
    """
    collect = _collector(cues, frame_rate, variant)
    sampled = {frame: place for place, frame in reversed(list(enumerate(frame_indices)))}
    captions = [""] * len(frame_indices)
    pending = caption = ""
    num_words = 0
    for frame in range(max(frame_indices, default=-1) + 1):
        pending += collect(frame, pending, caption)
        if frame in sampled and pending and num_words < max_words:
            captions[sampled[frame]] = caption = pending
            num_words += len(pending.split(" "))
            pending = ""
    return captions


def clean_text(text: str) -> str:
    """Drop all but ASCII letters, digits, apostrophes and single spaces, as the original does."""
    return " ".join(re.sub(r"[^a-zA-Z0-9\s']", "", text).split())


def _collector(cues: Sequence[Cue], frame_rate: float, variant: ReferenceVariant) -> _Collect:
    if variant == "inference":
        return _one_by_search(cues, frame_rate)
    whole_rate = int(frame_rate)
    if whole_rate < 1:
        raise ValueError(f"The reference cannot align captions at {frame_rate:g} frames a second.")
    if variant == "goldfish":
        return _first_not_collected(cues, whole_rate)
    return _new_words(cues, whole_rate)


def _one_by_search(cues: Sequence[Cue], frame_rate: float) -> _Collect:
    spans = [(_milliseconds(cue.start), _milliseconds(cue.end)) for cue in cues]
    history: set[str] = set()

    def collect(frame: int, pending: str, caption: str) -> str:
        index = _search(spans, frame / frame_rate * 1000)
        if index is None:
            return ""
        text = cues[index].text.replace("\n", " ").strip()
        if text in history:
            return ""
        history.add(text)
        return text + " "

    return collect


def _search(spans: Sequence[tuple[int, int]], time_ms: float) -> int | None:
    low, high = 0, len(spans) - 1
    while low <= high:
        middle = (low + high) // 2
        start, end = spans[middle]
        if start <= time_ms <= end:
            return middle
        if time_ms < start:
            high = middle - 1
        else:
            low = middle + 1
    return None


def _first_not_collected(cues: Sequence[Cue], whole_rate: int) -> _Collect:
    texts = [cue.text.replace("\n", " ") for cue in cues]
    history: set[str] = set()

    def collect(frame: int, pending: str, caption: str) -> str:
        time = frame / whole_rate
        for cue, text in zip(cues, texts, strict=True):
            if cue.start <= time <= cue.end and text not in pending:
                is_new = text not in history
                history.add(text)
                return text + " " if is_new else ""
        return ""

    return collect


def _new_words(cues: Sequence[Cue], whole_rate: int) -> _Collect:
    texts = [cue.text.replace("\n", " ") for cue in cues]
    history: set[str] = set()

    def collect(frame: int, pending: str, caption: str) -> str:
        time = frame / whole_rate
        collected = pending
        for cue, text in zip(cues, texts, strict=True):
            if cue.start <= time <= cue.end and text not in history:
                history.add(text)
                for word in text.split(" "):
                    if word not in collected and word not in caption:
                        collected += word + " "
        return collected[len(pending) :]

    return collect


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
