"""Choose few of many frames: spread over the time, closer where the picture changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.media.video import Frame, Image

DENSE_S = 0.5
"""Evenly spread frames that are no further apart miss nothing, and show how fast things move."""
MANY = 3
"""So many times the frames that the model takes are looked at to choose them."""
THUMBNAIL = 16
"""Height and width of the pictures that are compared."""
CHANGE = 0.5
"""How much change counts against time; 0: evenly spread."""


def choose_frames(frames: Sequence[Frame], count: int) -> list[Frame]:
    """Choose ``count`` frames, in their order, so that each stands for as much time and change.

    Args:
        frames: Ascending in time.
        count: How many to keep; all are kept if there are no more.
    """
    if len(frames) <= count:
        return list(frames)
    small = np.stack([thumbnail(frame.image) for frame in frames])
    return [frames[place] for place in places_by_change(small, count)]


def thumbnail(picture: Image) -> NDArray[np.float32]:
    """A picture's colours averaged over a coarse grid, ``(THUMBNAIL, THUMBNAIL, 3)`` at most."""
    height, width = picture.shape[:2]
    rows = np.unique(np.linspace(0, height, THUMBNAIL, endpoint=False).astype(int))
    columns = np.unique(np.linspace(0, width, THUMBNAIL, endpoint=False).astype(int))
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float32), rows, 0), columns, 1)
    areas = np.diff([*rows, height])[:, None, None] * np.diff([*columns, width])[None, :, None]
    return np.asarray(sums / areas, dtype=np.float32)


def places_by_change(small: NDArray[np.float32], count: int) -> list[int]:
    """The positions of ``count`` different pictures, in the middle of equal shares.

    Args:
        small: Thumbnails ``(pictures, ...)`` in their order, more than ``count``.
        count: How many.
    """
    total = len(small)
    change = np.abs(np.diff(small, axis=0)).reshape(total - 1, -1).mean(1)
    change = np.concatenate([change[:1], change])
    even = np.full(total, 1.0 / total)
    share = change / change.sum() if change.sum() > 0 else even
    weight = np.cumsum(CHANGE * share + (1 - CHANGE) * even)
    aims = (np.arange(count) + 0.5) / count
    places = np.searchsorted(weight, aims).clip(0, total - 1)
    chosen: list[int] = []
    for done, place in enumerate(map(int, places)):  # none twice, and room for those to come
        first = chosen[-1] + 1 if chosen else 0
        chosen.append(min(max(place, first), total - count + done))
    return chosen
