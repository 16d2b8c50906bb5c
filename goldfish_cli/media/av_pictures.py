"""Turn decoded PyAV pictures into upright RGB arrays."""

from typing import Any, NamedTuple

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

from goldfish_cli.media.video_info import Image

_PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})


class Orientation(NamedTuple):
    """What makes a stored picture stand upright: swap the axes first, then flip."""

    swap_axes: bool
    flip_x: bool
    flip_y: bool

    @property
    def clockwise(self) -> int:
        """The turn alone, in degrees clockwise: 0, 90, 180 or 270."""
        if self.swap_axes:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0


def orientation(picture: VideoFrame) -> Orientation:
    """Read the display matrix; an odd angle counts as the nearest right one.

    Ask this of few pictures: PyAV's ``side_data`` and its picture refer to each other, so that the
    picture stays in memory until the garbage collector comes by.
    """
    data = picture.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if data is None:
        return Orientation(False, False, False)
    # Stored (x, y) is shown at (a x + c y, b x + d y), y downwards.
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32, count=5).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def small_rgb(picture: VideoFrame, upright: Orientation, width: int) -> Image:
    """Convert to RGB, at most ``width`` pixels wide, as cheaply as can be: to be compared only.

    Every so-many-th pixel is taken. Colours are those of BT.601, whatever the file says.
    """
    if picture.format.name not in _PLANAR_420 or picture.width < 4 or picture.height < 4:
        return thinned(upright_rgb(picture, upright, None), width)
    light, *colours = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        for plane in picture.planes
    )
    small = thinned(light, width)
    rows, columns = small.shape
    blue, red = (_picked(plane, rows, columns).astype(np.float32) - 128 for plane in colours)
    light = small.astype(np.float32)
    channels = [light + 1.402 * red, light - 0.344 * blue - 0.714 * red, light + 1.772 * blue]
    image = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    return upright_image(image, upright)


def thinned(image: Image, width: int) -> Image:
    """Every so-many-th pixel of a picture, so that it is at most ``width`` pixels wide."""
    scale = min(1.0, width / image.shape[1])
    return _picked(image, max(1, round(scale * image.shape[0])), round(scale * image.shape[1]))


def _picked(image: Image, rows: int, columns: int) -> Image:
    places = (
        ((np.arange(wanted) + 0.5) * there / wanted).astype(np.intp)
        for there, wanted in zip(image.shape[:2], (rows, columns), strict=True)
    )
    return image[np.ix_(*places)]


def upright_rgb(picture: VideoFrame, upright: Orientation, size: tuple[int, int] | None) -> Image:
    """Convert to RGB, scale to ``size`` (upright width, height) if given, and turn upright.

    Returns:
        ``(height, width, 3)`` uint8; bit-equal to what other FFmpeg-based readers give where no
        size is asked.
    """
    swap_axes = upright.swap_axes
    if size is None:
        image: Any = picture.to_ndarray(format="rgb24")
    else:
        width, height = reversed(size) if swap_axes else size
        image = picture.to_ndarray(
            format="rgb24", width=width, height=height, interpolation="BICUBIC"
        )
    return upright_image(image, upright)


def upright_image(image: Image, upright: Orientation) -> Image:
    """Turn a picture upright."""
    swap_axes, flip_x, flip_y = upright
    if not (swap_axes or flip_x or flip_y):
        return np.ascontiguousarray(image, dtype=np.uint8)
    pixels = np.ascontiguousarray(image).view("V3")[..., 0]  # moved whole, which is much faster
    pixels = pixels.T if swap_axes else pixels
    pixels = pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 3)
