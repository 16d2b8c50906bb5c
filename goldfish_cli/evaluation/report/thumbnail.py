"""One small picture of a video, for a page; broken videos give none."""

from __future__ import annotations

from io import BytesIO
from math import isfinite
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from goldfish_cli.errors import InputError
from goldfish_cli.media.video import Image, probe, read_frames

SIZE = (360, 240)
"""Width and height in pixels that a picture fits into."""


def thumbnail(path: Path, at: float | None, *, timeout_s: float = 10.0) -> bytes | None:
    """Take a picture of a video as JPEG, a few kilobytes.

    Args:
        path: A video, an image, or a folder of frames.
        at: Seconds from the first picture; ``None``: the middle.
        timeout_s: Seconds after which to give up.

    Returns:
        ``None`` if the video is away, or cannot be read in time.
    """
    try:
        info = probe(path, timeout_s=timeout_s)
        wanted = info.duration / 2 if at is None or not isfinite(at) else max(0.0, at)
        frames = read_frames(path, [info.start + wanted], prepare=_shrunk, timeout_s=timeout_s)
        return _jpeg(frames[0].image) if frames else None
    except (
        InputError,
        OSError,
        ValueError,
    ):  # a broken file: the report says that it has no picture
        return None


def _shrunk(image: Image) -> Image:
    picture = pillow.fromarray(image)
    picture.thumbnail(SIZE)
    return np.asarray(picture)


def _jpeg(image: Image) -> bytes:
    buffer = BytesIO()
    pillow.fromarray(image).save(buffer, "JPEG", quality=72, optimize=True)
    return buffer.getvalue()
