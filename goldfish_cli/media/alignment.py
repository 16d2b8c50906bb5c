"""Share captions out to sampled frames: cues and frame times in, one line of text per frame out."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from goldfish_cli.media.cues import Cue, as_line

_ROLLING_GAP_S = 0.1  # captions that roll follow each other at once; YouTube leaves 10 ms
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without spaces
_WORD = re.compile(f"[{_CJK}]|[^\\s{_CJK}]{{1,20}}")  # a long run of anything is many tokens
_UNCUT_WORD = re.compile(f"[{_CJK}]|[^\\s{_CJK}]+")


def align_cues(
    cues: Sequence[Cue],
    frame_times: Sequence[float],
    *,
    max_words: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> list[str]:
    """Give each cue to the first sampled frame at or after its start, the last ones to the last.

    A cue is used once, whole and in order. When all of them hold more than ``max_words`` words,
    whole cues are left out, spread evenly over the time looked at (see ``fit_word_budget``).
    Rolling captions, which repeat the lines still on screen, are said once (``drop_repeats``).

    Args:
        cues: Captions in any order, on the clock of ``frame_times``.
        frame_times: Presentation times in seconds, ascending; equal times are allowed.
        max_words: Budget of words over all frames, ``None`` for no limit. What is a word:
            ``count_words``.
        start: Captions that ended before it are not used. ``None``: from the first on.
        end: Captions that begin at or after it are not used. ``None``: to the last.

    Returns:
        One text per frame, without line breaks; ``""`` where nothing new is said.

    Raises:
        ValueError: If the frame times are not ascending.
    """
    times = list(frame_times)
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ValueError("Captions can only be aligned to frame times that ascend.")
    if not times:
        return []
    seen = [cue for cue in sorted(cues, key=_start) if _is_within(cue, start, end)]
    said = fit_word_budget(drop_repeats(seen), max_words)
    captions: list[list[str]] = [[] for _ in times]
    for cue in said:
        frame = min(bisect_left(times, cue.start), len(times) - 1)
        captions[frame].append(as_line(cue.text))
    return [" ".join(parts) for parts in captions]


def drop_repeats(cues: Sequence[Cue]) -> list[Cue]:
    """Take out of each cue the first lines that the cue before it had last, if it follows at once.

    Automatic captions scroll: the upper line of a caption is the lower line of the one before. A
    repetition after a pause of more than a tenth of a second is taken as said again.
    """
    kept: list[Cue] = []
    shown: list[str] = []
    shown_until = -math.inf
    for cue in cues:
        lines = [as_line(line) for line in cue.text.splitlines()]
        lines = [line for line in lines if line]
        follows = cue.start <= shown_until + _ROLLING_GAP_S
        repeated = _overlap(shown, lines) if follows else 0
        if lines[repeated:]:
            kept.append(Cue(cue.start, cue.end, "\n".join(lines[repeated:])))
        shown, shown_until = lines, cue.end
    return kept


def fit_word_budget(cues: Sequence[Cue], max_words: int | None) -> list[Cue]:
    """Leave out whole cues until at most ``max_words`` words are left, evenly over the video.

    The budget is paid out at a constant rate over all words; a cue is kept when what was kept
    before it and half of itself are covered (as Bresenham's line keeps a pixel). So the end of a
    film is heard as well as its beginning, and what is kept does not depend on chance. Only a
    cue that is longer than the whole budget is cut, after a word.
    """
    sizes = [count_words(cue.text) for cue in cues]
    total = sum(sizes)
    if max_words is None or total <= max_words:
        return list(cues)
    kept: list[Cue] = []
    kept_words = passed_words = 0
    for cue, size in zip(cues, sizes, strict=True):
        passed_words += size
        if size > max_words:
            cue = Cue(cue.start, cue.end, first_words(cue.text, max_words))
            size = count_words(cue.text)
        earned = max_words * passed_words / total
        if size and kept_words + size / 2 <= earned and kept_words + size <= max_words:
            kept.append(cue)
            kept_words += size
    return kept


def count_words(text: str) -> int:
    """Count words; a Chinese or Japanese character is one, any other run one per 20 characters."""
    return len(_WORD.findall(text))


def first_words(text: str, max_words: int) -> str:
    """Keep the longest beginning of a text with at most ``max_words`` words, none cut in two."""
    end = 0
    words = 0
    for part in _UNCUT_WORD.finditer(text):
        words += count_words(part.group())
        if words > max_words:
            break
        end = part.end()
    return text[:end]


def _start(cue: Cue) -> float:
    return cue.start


def _is_within(cue: Cue, start: float | None, end: float | None) -> bool:
    begins_in_time = end is None or cue.start < end
    return begins_in_time and (start is None or cue.end > start or cue.start >= start)


def _overlap(shown: list[str], lines: list[str]) -> int:
    """Count the lines that end ``shown`` and begin ``lines``."""
    longest = min(len(shown), len(lines))
    return next((n for n in range(longest, 0, -1) if shown[-n:] == lines[:n]), 0)
