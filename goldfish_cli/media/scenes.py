"""Find the shots of a film by comparing small pictures, and share frames out among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from goldfish_cli.media.video import Decoder, Image, VideoInfo, iter_frames

FloatArray = npt.NDArray[np.float64]

LOOKS_A_SECOND = 6.0
SMALL = (64, 36)  # width, height: enough to tell shots apart
BINS = 32  # of the histogram of each colour
FAR_APART = 0.25  # a mean shift of colours by this part of their range counts as wholly different
FAINT = 2.0  # edges of so few levels are noise
MIN_SHOT_SECONDS = 0.6
CUT_AT_LEAST = 0.35  # a change below this is movement, however still the film is otherwise
TIMES_THE_USUAL = 2.5  # a cut stands out from the changes around it
NEIGHBOURS = 8  # looks on either side that say what is usual
GRID = (8, 6)  # cells across and down
PIXELS_A_CELL = 12  # a side: their mean is free of noise
GROUND_AT_LEAST = 1.0  # levels
LEAP_AT_LEAST, LEAP_TIMES_THE_USUAL, LEAP_TIMES_THE_NEXT = 2.5, 6.0, 3.0


@dataclass(frozen=True, slots=True)
class Appearance:
    """What of a picture is compared."""

    colours: FloatArray
    """Cumulative histograms, ``(3, BINS)``."""
    edges: FloatArray
    """Strength of the edge at each pixel of a small picture."""
    cells: FloatArray
    """Mean colour of each part of the picture, ``(rows, columns, 3)``, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Change:
    """How much one picture differs from the one before."""

    content: float
    """0 to 1: half by their colours, half by where edges lie."""
    ground: float
    """Levels, of 255, by which the typical part of the picture changed its colour: what comes,
    goes or moves before a still background leaves it near 0."""


class CutFinder:
    """Finds cuts while pictures come in, ``NEIGHBOURS`` pictures behind them.

    A cut changes content and ground, both more than is usual around it. A ground that leaps once
    and is still before and after is a cut as well, however alike the two shots are.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._changes: list[Change] = []
        self._next = 0
        self._shot_began = 0.0

    def add(self, time: float, change: Change | None) -> list[float]:
        """Take one more picture, and give the cuts that are sure by now.

        Args:
            time: Seconds, later than before.
            change: From the picture before; ``None`` for the first.
        """
        if change is None:
            self._shot_began = time
        else:
            self._changes.append(change)
        self._times.append(time)
        found = self._judge(len(self._changes) - NEIGHBOURS)
        surplus = self._next - NEIGHBOURS
        if surplus > 0:  # a place needs no more than its neighbours
            del self._times[:surplus], self._changes[:surplus]
            self._next -= surplus
        return found

    def finish(self) -> list[float]:
        """Give the cuts that are left."""
        return self._judge(len(self._changes))

    @property
    def known_to(self) -> float:
        """All cuts up to this time have been given."""
        return self._times[self._next] if self._times else float("-inf")

    def _judge(self, end: int) -> list[float]:
        cuts = []
        for place in range(self._next, end):
            time = self._times[place + 1]
            long_enough = time - self._shot_began >= MIN_SHOT_SECONDS
            if long_enough and _stands_out(self._changes, place):
                cuts.append(time)
                self._shot_began = time
        self._next = max(self._next, end)
        return cuts


def find_cuts(times: Sequence[float], changes: Sequence[Change]) -> list[float]:
    """Times at which a new shot begins.

    Args:
        times: Of the pictures looked at, ascending, in seconds.
        changes: From each picture to the next; one fewer than ``times``.
    """
    finder = CutFinder()
    found = [finder.add(time, change) for time, change in zip(times, [None, *changes], strict=True)]
    return [cut for cuts in [*found, finder.finish()] for cut in cuts]


def _stands_out(changes: Sequence[Change], place: int) -> bool:
    change = changes[place]
    if change.ground < GROUND_AT_LEAST:
        return False
    around = [*changes[max(0, place - NEIGHBOURS) : place], *changes[place + 1 :][:NEIGHBOURS]]
    content, ground = (
        median(values) if values else 0.0
        for values in ([one.content for one in around], [one.ground for one in around])
    )
    beside = [*changes[max(0, place - 2) : place], *changes[place + 1 : place + 3]]
    is_new = change.content >= max(
        CUT_AT_LEAST, TIMES_THE_USUAL * content
    ) and change.ground >= max(GROUND_AT_LEAST, TIMES_THE_USUAL * ground)
    leaps = change.ground >= max(
        LEAP_AT_LEAST,
        LEAP_TIMES_THE_USUAL * ground,
        LEAP_TIMES_THE_NEXT * max((one.ground for one in beside), default=0.0),
    )
    return is_new or leaps


def describe(image: Image) -> Appearance:
    """Reduce a picture, of any size, to what is compared."""
    small = _thinned(image, *SMALL)
    values = small.reshape(-1, 3) // (256 // BINS)
    counts = [np.bincount(values[:, colour], minlength=BINS) for colour in range(3)]
    grey = small.mean(axis=2)
    edges = np.abs(np.diff(grey, axis=1))[:-1] + np.abs(np.diff(grey, axis=0))[:, :-1]
    return Appearance(np.cumsum(counts, axis=1) / len(values), edges, _cells(image))


def _thinned(image: Image, width: int, height: int) -> Image:
    """Every so-many-th pixel: nearly free, whatever the picture's size."""
    rows, columns = (
        [round((i + 0.5) * there / wanted - 0.5) for i in range(wanted)]
        for there, wanted in zip(image.shape[:2], (height, width), strict=True)
    )
    return image[rows][:, columns]


def _cells(image: Image) -> FloatArray:
    """Mean colours of a grid's cells; of a large picture from every so-many-th pixel."""
    columns, rows = GRID
    height, width = (
        max(parts, min(there, PIXELS_A_CELL * parts) // parts * parts)
        for there, parts in zip(image.shape[:2], (rows, columns), strict=True)
    )
    picked = _thinned(image, width, height).astype(np.float32)
    split = picked.reshape(rows, height // rows, columns, width // columns, 3)
    return split.mean(axis=(1, 3), dtype=np.float64)


def change_between(before: Appearance, after: Appearance) -> Change:
    """How much two pictures differ.

    Cumulative histograms differ by how far colours moved, so a slow change of light stays small.
    """
    colours = min(1.0, np.abs(before.colours - after.colours).mean() / FAR_APART)
    strength = np.maximum(np.maximum(before.edges, after.edges), FAINT).sum()
    edges = np.abs(before.edges - after.edges).sum() / strength
    moved = np.abs(before.cells - after.cells).max(axis=2)
    return Change(float((colours + edges) / 2), float(np.median(moved)))


def share_out(shots: Sequence[tuple[float, float]], count: int) -> list[float]:
    """Times to look at: every shot once in its middle, longer ones more often.

    With more shots than ``count``, evenly spread shots are looked at.
    """
    if len(shots) > count:
        picked = [(2 * i + 1) * len(shots) // (2 * count) for i in range(count)]
        return [sum(shots[i]) / 2 for i in picked]
    looks = [1] * len(shots)
    for _ in range(count - len(shots)):
        # The next look goes where the shares are longest.
        longest = max(range(len(shots)), key=lambda i: (shots[i][1] - shots[i][0]) / looks[i])
        looks[longest] += 1
    return [
        start + (i + 0.5) * (end - start) / number
        for (start, end), number in zip(shots, looks, strict=True)
        for i in range(number)
    ]


def shot_times(
    path: Path,
    info: VideoInfo,
    start: float,
    end: float,
    max_frames: int,
    decoder: Decoder,
    timeout_s: float,
) -> list[float]:
    """Walk through the film with small pictures, find its shots, choose times in them."""
    times: list[float] = []
    changes: list[Change] = []
    before: Appearance | None = None
    looks = iter_frames(
        path,
        fps=LOOKS_A_SECOND,
        start=start,
        end=end,
        decoder=decoder,
        size=SMALL,
        timeout_s=timeout_s,
        info=info,
    )
    for frame in looks:
        if times and frame.time == times[-1]:
            continue
        after = describe(frame.image)
        if before is not None:
            changes.append(change_between(before, after))
        times.append(frame.time)
        before = after
    borders = [start, *find_cuts(times, changes), end]
    return share_out(list(pairwise(borders)), max_frames)
