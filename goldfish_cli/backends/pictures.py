"""Frames as the pictures that general models are shown."""

import numpy as np
from PIL import Image as pillow

from goldfish_cli.media.video import Image

MAX_SIDE = 768  # pixels; a larger picture costs more tokens and shows most models nothing more


def shrink(picture: Image) -> Image:
    """Bring a picture to at most 768 pixels wide and high; its shape stays."""
    if max(picture.shape[:2]) <= MAX_SIDE:
        return picture
    smaller = pillow.fromarray(picture)
    smaller.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(smaller)
