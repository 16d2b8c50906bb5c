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
from goldfish_cli.media.video_info import Look

MOST_LOOKS_A_SECOND = 12.0
LOOK_WIDTH = 160  # pixels: enough to tell shots apart
HELD_BYTES = 150 << 20  # of decoded pictures that wait for their clip's end
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
    pictures: tuple[Image, ...] = ()
    """The same frames prepared in the other way, if one was asked for."""


def walk_clips(
    path: Path,
    *,
    info: VideoInfo,
    cutting: Cutting,
    num_frames: int,
    prepare: Callable[[Image], Image] | None = None,
    beside: Callable[[Image], Image] | None = None,
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
        beside: The same for another model, which makes the clips' ``pictures``; ``None``: none.
        cues: What is said; borders prefer pauses.
        decoder: Which engine to use.
        wanted: Whether the frames of a clip are; ``None``: of all.
        timeout_s: Seconds that any one look may take.
        notes: Receives what went wrong and was worked around.

    Raises:
        VideoError: If the film cannot be read at all.
    """
    shortest = _shortest(cutting)
    rate = looks_a_second(info, cutting, num_frames)
    is_steady = info.frame_rate is not None and info.frame_rate >= 2 and not info.variable_rate
    shown_s = float(1 / info.frame_rate) if info.frame_rate else 0.0
    patience = 1.0 if is_steady else float("inf")  # seconds; a slide may stand for minutes
    cutter = Cutter(info.start, cues, cutting)
    kept = _Kept(prepare, beside, max(1, HELD_BYTES // max(1, info.width * info.height * 3 // 2)))
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
            chosen = (
                _choose(kept.times, start, end, num_frames, shown_s, patience) if is_wanted else ()
            )
            inside = tuple(one for one in changes if start < one < end)
            shown = kept.shown(chosen)
            frames, pictures = tuple(one[0] for one in shown), tuple(one[1] for one in shown)
            yield FilmClip(number, start, end, frames, inside, pictures if beside else ())
            number += 1
            kept.forget(end - cutting.overlap)
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
        if not kept.times or look.time - kept.times[-1] >= apart - 1e-6:
            kept.add(look)
    for change in finder.finish():
        changes.append(change)
        yield from give(cutter.move_on(change, is_change=True))
    yield from give(cutter.finish(info.end))


def looks_a_second(info: VideoInfo, cutting: Cutting, num_frames: int) -> float:
    """How often a walk looks at a film; which frames a clip shows depends on it."""
    rate = min(max(LOOKS_A_SECOND, num_frames / _shortest(cutting)), MOST_LOOKS_A_SECOND)
    return min(rate, float(info.frame_rate)) if info.frame_rate else rate


def _shortest(cutting: Cutting) -> float:
    return SHORTEST_USUAL_CLIP if cutting.seconds is None else cutting.seconds


class _Kept:
    """The looks that a clip may show, as decoded; what is chosen becomes a picture.

    Making a picture of each would cost more than decoding the film. Where the decoded ones take too
    much memory, the oldest are prepared early.
    """

    def __init__(
        self,
        prepare: Callable[[Image], Image] | None,
        beside: Callable[[Image], Image] | None,
        most_decoded: int,
    ) -> None:
        self.times: list[float] = []
        self._prepare = prepare
        self._beside = beside
        self._most = most_decoded
        self._looks: list[Look | tuple[Frame, Image]] = []
        self._num_prepared = 0  # of the oldest

    def add(self, look: Look) -> None:
        self.times.append(look.time)
        self._looks.append(look)
        if len(self._looks) - self._num_prepared > self._most:
            self._looks[self._num_prepared] = self._show(self._num_prepared)
            self._num_prepared += 1

    def shown(self, places: Sequence[int]) -> list[tuple[Frame, Image]]:
        """The pictures at some places in ``times``, prepared in both ways."""
        return [self._show(place) for place in places]

    def forget(self, end: float) -> None:
        """Drop the looks before a time, but the one that is on screen then."""
        place = bisect_right(self.times, end) - 1
        if place > 0:
            del self.times[:place], self._looks[:place]
            self._num_prepared = max(0, self._num_prepared - place)

    def _show(self, place: int) -> tuple[Frame, Image]:
        look = self._looks[place]
        if isinstance(look, tuple):
            return look
        image = look.whole()
        frame = Frame(look.time, self._prepare(image) if self._prepare else image)
        return frame, self._beside(image) if self._beside else frame.image


def _choose(
    times: Sequence[float],
    start: float,
    end: float,
    count: int,
    shown_s: float,
    patience: float,
) -> tuple[int, ...]:
    """Places of the looks nearest to the middle of equal shares of a clip, each once.

    A picture is on screen for ``shown_s`` seconds at least. A look from before the clip still
    stands for it up to ``patience`` seconds later.
    """
    chosen: list[int] = []
    for time in uniform_times(start, end, count):
        after = bisect_right(times, time)
        beside = [one for one in (after - 1, after) if 0 <= one < len(times) and times[one] < end]
        if beside and 0 <= time - times[beside[0]] < shown_s:
            beside = beside[:1]  # it is the very picture on screen
        place = min(beside, key=lambda one: abs(times[one] - time), default=None)
        if place is None or times[place] < start - patience or place in chosen[-1:]:
            continue  # a gap where nothing decodes, or a repeat
        chosen.append(place)
    return tuple(chosen)
