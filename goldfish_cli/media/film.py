"""Walk through a whole film once: its shots are found, its clips cut, the frames of each chosen.

Memory holds the looks of one clip and of the few seconds after it, whatever the film's length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.media.cues import Cue
from goldfish_cli.media.cutting import Cutter, Cutting
from goldfish_cli.media.sampling import uniform_times
from goldfish_cli.media.scenes import (
    LOOKS_A_SECOND,
    Appearance,
    CutFinder,
    change_between,
    describe,
)
from goldfish_cli.media.video import Decoder, Frame, Image, VideoInfo, iter_looks

MOST_LOOKS_A_SECOND = 12.0
LOOK_WIDTH = 160  # pixels: enough to tell shots apart
LOOKS_A_SHARE = 3.0  # of a clip's equal shares, each of which gives a frame
SHORTEST_USUAL_CLIP = 2.0  # seconds, where clips are shots


@dataclass(frozen=True, slots=True)
class FilmClip:
    """One clip of a film, as the walk gives it."""

    number: int
    start: float
    end: float
    frames: tuple[Frame, ...]
    """Prepared; none if the clip was not wanted, or cannot be decoded."""
    cuts: tuple[float, ...]
    """Times inside at which a new shot begins."""


def walk_clips(
    path: Path,
    *,
    info: VideoInfo,
    cutting: Cutting,
    num_frames: int,
    prepare: Callable[[Image], Image] | None = None,
    cues: Sequence[Cue] = (),
    decoder: Decoder = "auto",
    wanted: Callable[[float, float], bool] | None = None,
    timeout_s: float = 60.0,
    notes: list[str] | None = None,
) -> Iterator[FilmClip]:
    """Read a film in order and give its clips, each as soon as its end is known.

    It is looked at 6 times a second, and more often, up to 12 times, where that many frames of a
    clip are wanted; never more often than it has frames.

    Args:
        path: The film.
        info: What ``probe`` says of it.
        cutting: How long clips are.
        num_frames: Frames to give of a clip, at most: those nearest to the middle of as many
            equal shares of it, repeats left out.
        prepare: Applied to a picture before it is kept, such as a model's own resizing.
        cues: What is said; borders prefer pauses.
        decoder: Which engine to use.
        wanted: Whether the frames of a clip are; ``None``: of all.
        timeout_s: Seconds that any one look may take.
        notes: Receives what went wrong and was worked around.

    Raises:
        VideoError: If the film cannot be read at all.
    """
    shortest = SHORTEST_USUAL_CLIP if cutting.seconds is None else cutting.seconds
    rate = min(max(LOOKS_A_SECOND, num_frames / shortest), MOST_LOOKS_A_SECOND)
    if info.frame_rate:
        rate = min(rate, float(info.frame_rate))
    is_steady = info.frame_rate is not None and info.frame_rate >= 2 and not info.variable_rate
    shown_s = float(1 / info.frame_rate) if info.frame_rate else 0.0
    patience = 1.0 if is_steady else float("inf")  # seconds; a slide may stand for minutes
    cutter = Cutter(info.start, cues, cutting)
    kept: list[Frame] = []
    changes: list[float] = []
    number = 0
    looks = iter_looks(
        path,
        fps=rate,
        width=LOOK_WIDTH,
        decoder=decoder,
        timeout_s=timeout_s,
        info=info,
        notes=notes,
    )

    def give(spans: Iterator[tuple[float, float]]) -> Iterator[FilmClip]:
        nonlocal number
        for start, end in spans:
            is_wanted = wanted is None or wanted(start, end)
            frames = _choose(kept, start, end, num_frames, shown_s, patience) if is_wanted else ()
            inside = tuple(one for one in changes if start < one < end)
            yield FilmClip(number, start, end, frames, inside)
            number += 1
            _forget(kept, end - cutting.overlap)
            changes[:] = [one for one in changes if one >= end - cutting.overlap]

    apart = shortest * (1 - cutting.snap) / (LOOKS_A_SHARE * num_frames)
    finder = CutFinder()
    last = float("-inf")
    before: Appearance | None = None
    for look in looks:
        if look.time <= last:
            continue
        last = look.time
        after = describe(look.small)
        difference = None if before is None else change_between(before, after)
        for change in finder.add(look.time, difference):
            changes.append(change)
            yield from give(cutter.move_on(change, is_change=True))
        before = after
        yield from give(cutter.move_on(finder.known_to))
        if not kept or look.time - kept[-1].time >= apart - 1e-6:
            image = look.whole()
            kept.append(Frame(look.time, prepare(image) if prepare else image))
    for change in finder.finish():
        changes.append(change)
        yield from give(cutter.move_on(change, is_change=True))
    yield from give(cutter.finish(info.end))


def _choose(
    kept: Sequence[Frame], start: float, end: float, count: int, shown_s: float, patience: float
) -> tuple[Frame, ...]:
    """The looks nearest to the middle of equal shares of a clip, each once.

    A picture is on screen for ``shown_s`` seconds at least. A look from before the clip still
    stands for it up to ``patience`` seconds later.
    """
    times = [look.time for look in kept]
    chosen: list[Frame] = []
    for time in uniform_times(start, end, count):
        place = bisect_right(times, time)
        beside = [one for one in kept[max(0, place - 1) : place + 1] if one.time < end]
        if beside and 0 <= time - beside[0].time < shown_s:
            beside = beside[:1]  # it is the very picture on screen
        look = min(beside, key=lambda one: abs(one.time - time), default=None)
        if look is None or look.time < start - patience or (chosen and chosen[-1] is look):
            continue  # a gap where nothing decodes, or a repeat
        chosen.append(look)
    return tuple(chosen)


def _forget(kept: list[Frame], end: float) -> None:
    """Drop the looks before a time, but the one that is on screen then."""
    place = bisect_right([look.time for look in kept], end) - 1
    if place > 0:
        del kept[:place]
