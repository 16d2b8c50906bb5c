"""The same pictures in other ways: a mistake seldom survives them all, what is there does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from goldfish_cli.media.video import Image

Change = Callable[[Image], Image]


def as_it_is(picture: Image) -> Image:
    """No change."""
    return picture


def mirrored(picture: Image) -> Image:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


def smaller(picture: Image) -> Image:
    """A little smaller, in a frame of its own edges: nothing is cut off."""
    return _framed(picture, left=0.08, right=0.08, top=0.08, bottom=0.08)


def moved(picture: Image) -> Image:
    """A little smaller and towards the lower right corner."""
    return _framed(picture, left=0.1, top=0.1)


OTHER_VIEWS: tuple[Change, ...] = (
    mirrored,
    lambda picture: _framed(mirrored(picture), left=0.1, bottom=0.1),
    smaller,
    lambda picture: smaller(mirrored(picture)),
    moved,
)
"""The first ones differ most from the picture as it is, and from each other."""


def _framed(
    picture: Image, *, left: float = 0.0, right: float = 0.0, top: float = 0.0, bottom: float = 0.0
) -> Image:
    """Add to each side a share of the picture's size, in the colours of its edge."""
    height, width = picture.shape[:2]
    sides = (
        (int(top * height), int(bottom * height)),
        (int(left * width), int(right * width)),
        (0, 0),
    )
    return np.pad(picture, sides, mode="edge")
