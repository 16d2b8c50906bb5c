"""Frames as the pictures that general models are shown."""

from PIL import Image

from goldfish_cli.media.video import Frame

MAX_SIDE = 768  # pixels; a larger picture costs more tokens and shows most models nothing more


def to_picture(frame: Frame) -> Image.Image:
    """Make a picture of a frame, at most 768 pixels wide and high."""
    picture = Image.fromarray(frame.image)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return picture
