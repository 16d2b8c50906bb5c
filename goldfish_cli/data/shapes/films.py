"""Films of Shapes World: clips end to end, for minutes to hours, with things that are rare in them.

Most objects come again and again. Some appear exactly once (needles), some two to five times, and
some never; those are what questions about a film ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from goldfish_cli.data.shapes.world import (
    COLOURS,
    SHAPES,
    Clip,
    Event,
    Narration,
    sample_clip,
)

NEEDLES, RARE, ABSENT = 8, 5, 5
"""Objects, of the 30 there are, that a film shows once, a few times, and never."""
MOST_OF_RARE = 5
NARRATION = 0.25


@dataclass(frozen=True, slots=True)
class FilmClip:
    """One clip in its film."""

    start: float
    clip: Clip

    @property
    def end(self) -> float:
        """When the next clip begins."""
        return self.start + self.clip.duration

    @property
    def events(self) -> list[Event]:
        """Its events on the film's clock."""
        return [
            replace(event, start=self.start + event.start, end=self.start + event.end)
            for event in self.clip.events
        ]

    @property
    def narration(self) -> list[Narration]:
        """Its cues on the film's clock."""
        return [
            replace(cue, start=self.start + cue.start, end=self.start + cue.end)
            for cue in self.clip.narration
        ]


@dataclass(frozen=True, slots=True)
class Film:
    """A whole film: its clips, and which objects are rare in it."""

    clips: tuple[FilmClip, ...]
    needles: tuple[str, ...]
    """Names of the objects that appear exactly once."""
    rare: tuple[str, ...]
    """Names of those that appear two to five times."""
    absent: tuple[str, ...]
    """Names of those that never appear."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.clips[-1].end

    def events_of(self, name: str) -> list[Event]:
        """All events of an object, in order."""
        return [event for one in self.clips for event in one.events if event.name == name]


def sample_film(rng: np.random.Generator, minutes: float, *, aspect: float) -> Film:
    """Draw a film that is at least ``minutes`` long.

    No two clips side by side show the same object, and none of those that are rare stands beside
    another in one clip.
    """
    clips: list[Clip] = []
    length = 0.0
    while length < minutes * 60:
        clips.append(sample_clip(rng, narration=NARRATION, aspect=aspect))
        length += clips[-1].duration
    names = [f"{colour} {shape}" for colour, shape in product(COLOURS, SHAPES)]
    order = [names[int(place)] for place in rng.permutation(len(names))]
    needles, rare, absent = _shares(len(clips))
    chosen = order[:needles], order[needles : needles + rare]
    missing = order[needles + rare : needles + rare + absent]
    usual = order[needles + rare + absent :]
    cast = _cast(rng, clips, usual)
    _place(rng, clips, cast, *chosen)
    start, placed = 0.0, []
    for clip, who in zip(clips, cast, strict=True):
        placed.append(FilmClip(start, _renamed(clip, who)))
        start = placed[-1].end
    return Film(tuple(placed), tuple(chosen[0]), tuple(chosen[1]), tuple(missing))


def _shares(clips: int) -> tuple[int, int, int]:
    """How many objects are needles, rare and absent; a short film has room for fewer."""
    needles = min(NEEDLES, clips // 4)
    rare = min(RARE, max(0, clips - 2 * needles) // (2 * MOST_OF_RARE))
    return needles, rare, ABSENT


def _cast(rng: np.random.Generator, clips: Sequence[Clip], usual: Sequence[str]) -> list[list[str]]:
    """Give each event of each clip one of the usual objects, none as in the clip before."""
    cast: list[list[str]] = []
    for clip in clips:
        before = cast[-1] if cast else []
        free = [name for name in usual if name not in before]
        picked = rng.choice(len(free), size=len(clip.events), replace=False)
        cast.append([free[int(place)] for place in picked])
    return cast


def _place(
    rng: np.random.Generator,
    clips: Sequence[Clip],
    cast: list[list[str]],
    needles: Sequence[str],
    rare: Sequence[str],
) -> None:
    """Put the needles and the rare objects into clips of their own, over all of the film."""
    wanted = list(needles)
    for name in rare:
        wanted += [name] * int(rng.integers(2, MOST_OF_RARE + 1))
    places = rng.permutation(len(clips))[: len(wanted)]
    for name, place in zip(wanted, places, strict=True):
        cast[int(place)][int(rng.integers(len(clips[int(place)].events)))] = name


def _renamed(clip: Clip, names: Sequence[str]) -> Clip:
    events = tuple(
        replace(event, colour=name.split()[0], shape=name.split()[1])
        for event, name in zip(clip.events, names, strict=True)
    )
    return replace(clip, events=events)
