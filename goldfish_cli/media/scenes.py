"""Find the shots of a film by comparing small pictures, and share frames out among them."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

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


def find_cuts(times: Sequence[float], changes: Sequence[float]) -> list[float]:
    """Times at which a new shot begins.

    Args:
        times: Of the pictures looked at, ascending, in seconds.
        changes: From each picture to the next, 0 (same) to 1; one fewer than ``times``.
    """
    cuts: list[float] = []
    values = np.asarray(changes, dtype=np.float64)
    for i, change in enumerate(values):
        around = np.concatenate(
            [values[max(0, i - NEIGHBOURS) : i], values[i + 1 : i + 1 + NEIGHBOURS]]
        )
        usual = float(np.median(around)) if len(around) else 0.0
        begin = times[i + 1]
        long_enough = begin - (cuts[-1] if cuts else times[0]) >= MIN_SHOT_SECONDS
        if long_enough and change >= max(CUT_AT_LEAST, TIMES_THE_USUAL * usual):
            cuts.append(begin)
    return cuts


def describe(image: Image) -> tuple[FloatArray, FloatArray]:
    """Cumulative colour histograms ``(3, BINS)`` and edges, by which pictures are compared."""
    values = image.reshape(-1, 3) // (256 // BINS)
    counts = [np.bincount(values[:, colour], minlength=BINS) for colour in range(3)]
    grey = image.mean(axis=2)
    edges = np.abs(np.diff(grey, axis=1))[:-1] + np.abs(np.diff(grey, axis=0))[:, :-1]
    return np.cumsum(counts, axis=1) / len(values), edges


def change_between(
    before: tuple[FloatArray, FloatArray], after: tuple[FloatArray, FloatArray]
) -> float:
    """How much two pictures differ, 0 to 1: half by their colours, half by where edges lie.

    Cumulative histograms differ by how far colours moved, so a slow change of light stays small.
    """
    colours = min(1.0, np.abs(before[0] - after[0]).mean() / FAR_APART)
    strength = np.maximum(np.maximum(before[1], after[1]), FAINT).sum()
    edges = np.abs(before[1] - after[1]).sum() / strength
    return float((colours + edges) / 2)


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
    changes: list[float] = []
    before = None
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
