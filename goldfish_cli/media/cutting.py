"""Decide where the clips of a film end. Pure arithmetic: no film is opened here.

A clip is a view: a start and an end. Borders follow what the film does, so that neither a shot nor
a sentence is cut where that can be helped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite

from goldfish_cli.errors import UsageError
from goldfish_cli.media.cues import Cue

LONG_SILENCE_S = 600.0
"""Where a film is known by its subtitles alone, so long a silence is one clip."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """How long clips are, and how far their borders may move."""

    seconds: float | None = 30.0
    """Length of a clip; ``None``: one clip a shot."""
    overlap: float = 0.0
    """Seconds that a clip begins before its border."""
    snap: float = 0.2
    """Share of ``seconds`` by which a border may move to a shot change, or a pause in speech."""
    max_seconds: float = 60.0
    """A longer shot is divided evenly, where clips are shots."""
    min_seconds: float = 1.0
    """A shorter shot, or rest of a film, joins its neighbour."""

    def __post_init__(self) -> None:
        """Refuse cuttings that never end, or never move on."""
        if self.seconds is not None and not (isfinite(self.seconds) and self.seconds > 0):
            raise UsageError(f"A clip of {self.seconds} s is none.", hint="Try 30 seconds.")
        if not 0 <= self.overlap < (self.seconds or self.max_seconds):
            raise UsageError(
                f"An overlap of {self.overlap:g} s is not shorter than a clip.",
                hint="Choose a shorter overlap, or longer clips.",
            )
        if not 0 <= self.snap < 0.5:
            raise UsageError(f"snap is {self.snap:g}; it lies from 0 to below 0.5.")
        if not 0 < self.min_seconds < self.max_seconds:
            raise UsageError("The shortest clip is not shorter than the longest.")


def cut(
    start: float,
    end: float,
    shot_changes: Sequence[float],
    cues: Sequence[Cue],
    cutting: Cutting,
) -> list[tuple[float, float]]:
    """Cut a whole film whose shots are known.

    Args:
        start: Of the film, in seconds.
        end: Of the film; later than ``start``.
        shot_changes: Times at which a new shot begins, ascending.
        cues: What is said.
        cutting: How long the clips are.

    Returns:
        Start and end of each clip. Without overlap they follow one another without a gap.
    """
    cutter = Cutter(start, cues, cutting)
    clips = [clip for change in shot_changes for clip in cutter.move_on(change, is_change=True)]
    return [*clips, *cutter.finish(end)]


def cut_talk(
    start: float, end: float, cues: Sequence[Cue], cutting: Cutting
) -> list[tuple[float, float]]:
    """Cut a film of which only the subtitles are known.

    A long silence is one clip, whatever its length: a cue at the end of a hundred hours does not
    make twelve thousand clips of nothing.

    Args:
        start: Of the film, in seconds.
        end: Of the film; later than ``start``.
        cues: What is said.
        cutting: How long the clips are; by seconds.
    """
    clips: list[tuple[float, float]] = []
    begin = reached = start
    for cue in sorted(cues, key=lambda cue: cue.start):
        if cue.start - reached > LONG_SILENCE_S:
            if reached > begin:
                clips += cut(begin, reached, [], cues, cutting)
            clips.append((reached, cue.start))
            begin = cue.start
        reached = max(reached, min(cue.end, cue.start + LONG_SILENCE_S))  # no talk takes longer
    if end - reached > LONG_SILENCE_S:
        clips += [
            *(cut(begin, reached, [], cues, cutting) if reached > begin else []),
            (reached, end),
        ]
    elif end > begin:
        clips += cut(begin, end, [], cues, cutting)
    return clips


class Cutter:
    """Cuts a film while it is walked through: each border is given as soon as it is sure.

    Args:
        start: Of the film, in seconds.
        cues: What is said.
        cutting: How long the clips are.
    """

    def __init__(self, start: float, cues: Sequence[Cue], cutting: Cutting) -> None:
        self._first = self._begin = start
        self._cutting = cutting
        self._pauses = _pauses(cues)
        self._changes: list[float] = []

    def move_on(self, time: float, *, is_change: bool = False) -> Iterator[tuple[float, float]]:
        """Give the clips whose end is sure once all shot changes before ``time`` are known.

        Args:
            time: Seconds, never less than before.
            is_change: Whether a new shot begins there.
        """
        if is_change and time > self._begin:
            self._changes.append(time)
        yield from self._shots() if self._cutting.seconds is None else self._even(time)

    def finish(self, end: float) -> Iterator[tuple[float, float]]:
        """Give the clips that are left when the film ends."""
        self._changes = [one for one in self._changes if one < end]
        seconds = self._cutting.seconds
        if seconds is None:
            yield from self._shots(last=end)
        else:
            yield from self._even(end, last=end)
        if end > self._begin:
            yield from self._divide(end) if seconds is None else [self._clip(end)]

    def _shots(self, last: float | None = None) -> Iterator[tuple[float, float]]:
        """Of the changes known so far, all but those that would leave a clip too short."""
        shortest = self._cutting.min_seconds
        while self._changes:
            change = self._changes[0]
            if change - self._begin < shortest:
                self._changes.pop(0)
                continue
            rest = None if last is None else last - change
            if rest is not None and rest < shortest:
                self._changes.pop(0)
                continue
            if last is None and change - (self._changes[-1]) == 0:
                return  # the film may end too soon after it: wait for the next change, or the end
            self._changes.pop(0)
            yield from self._divide(change)

    def _divide(self, end: float) -> Iterator[tuple[float, float]]:
        parts = max(1, ceil((end - self._begin) / self._cutting.max_seconds - 1e-9))
        begin = self._begin
        for part in range(1, parts + 1):
            yield self._clip(end if part == parts else begin + (end - begin) * part / parts)

    def _even(self, time: float, last: float | None = None) -> Iterator[tuple[float, float]]:
        seconds = self._cutting.seconds or 0.0
        slack = seconds * self._cutting.snap
        while True:
            nominal = self._begin + seconds
            if time < nominal + slack and last is None:
                return
            if last is not None and nominal + max(slack, self._cutting.min_seconds) >= last:
                return
            yield self._clip(self._border(nominal, slack))

    def _border(self, nominal: float, slack: float) -> float:
        near = [one for one in self._changes if abs(one - nominal) <= slack]
        if near:
            return min(near, key=lambda one: (abs(one - nominal), one))
        pauses = [
            (after - before, (before + after) / 2)
            for before, after in self._pauses
            if abs((before + after) / 2 - nominal) <= slack
        ]
        return max(pauses)[1] if pauses else nominal

    def _clip(self, end: float) -> tuple[float, float]:
        begin = max(self._first, self._begin - self._cutting.overlap)
        self._begin = end
        self._changes = [one for one in self._changes if one > end]
        return begin, end


def _pauses(cues: Sequence[Cue]) -> list[tuple[float, float]]:
    """The spans between cues in which nothing is said."""
    pauses: list[tuple[float, float]] = []
    reached: float | None = None
    for cue in sorted(cues, key=lambda cue: cue.start):
        if reached is not None and cue.start > reached:
            pauses.append((reached, cue.start))
        reached = cue.end if reached is None else max(reached, cue.end)
    return pauses


def is_gapless(clips: Sequence[tuple[float, float]], cutting: Cutting) -> bool:
    """Whether each clip begins where the one before ends, less the overlap."""
    return all(
        abs(two[0] - max(clips[0][0], one[1] - cutting.overlap)) < 1e-6
        for one, two in pairwise(clips)
    )
