"""Check that bytes are a picture to learn from, and make it a JPEG. Knows no files, no web."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from goldfish_cli.data.prepare.refusal import Refusal

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_QUALITY = 92  # of pictures that have to be encoded again
_QUICK = 8  # JPEG can be decoded at an eighth: its data are read in full all the same
# What Pillow's decoders raise for data that are not what their header says.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError)
_BROKEN_TOO = (struct.error, OverflowError, ZeroDivisionError, AttributeError)


@dataclass(frozen=True, slots=True)
class ImageRules:
    """Which pictures are worth keeping."""

    min_side: int = 64
    """Pixels of the shorter side; what is smaller shows nothing at 224 x 224."""
    max_pixels: int = 64_000_000
    """Width times height, as the header says; more is taken for a decompression bomb."""
    max_bytes: int = 20 * 2**20
    """Size of the file."""
    max_side: int | None = None
    """Shrink pictures whose longer side is more; ``None`` keeps each as it is."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that passed. Its size is in pixels, upright."""

    jpeg: bytes
    width: int
    height: int


def check_image(data: bytes, rules: ImageRules) -> Picture:
    """Decode a picture to see that it is whole; JPEGs are kept byte for byte where possible.

    Raises:
        Refusal: ``empty-file``, ``too-large``, ``not-an-image``, ``decompression-bomb``,
            ``tiny-image`` or ``broken-image``.
    """
    if not data:
        raise Refusal("empty-file")
    if len(data) > rules.max_bytes:
        raise Refusal("too-large", f"{len(data) / 2**20:.0f} MiB")
    with _open(data) as image:
        _check_size(image, rules)
        try:
            if _is_plain_jpeg(image, rules):
                width, height = _upright_size(image)
                image.draft("RGB", (width // _QUICK, height // _QUICK))
                image.load()
                return Picture(data, width, height)
            return _encode(image, rules)
        except (*_BROKEN, *_BROKEN_TOO) as error:
            raise Refusal("broken-image", _line(error)) from error


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise Refusal("decompression-bomb", _line(error)) from error
    except UnidentifiedImageError as error:
        raise Refusal("not-an-image", f"begins with {data[:16]!r}") from error
    except (*_BROKEN, *_BROKEN_TOO) as error:
        raise Refusal("broken-image", _line(error)) from error


def _check_size(image: Image.Image, rules: ImageRules) -> None:
    width, height = image.size
    if width * height > rules.max_pixels:
        raise Refusal("decompression-bomb", f"{width} x {height} pixels")
    if min(width, height) < rules.min_side:
        raise Refusal("tiny-image", f"{width} x {height} pixels")


def _is_plain_jpeg(image: Image.Image, rules: ImageRules) -> bool:
    fits = rules.max_side is None or max(image.size) <= rules.max_side
    return image.format == "JPEG" and image.mode in {"RGB", "L"} and fits


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # by a quarter, left or right
    return (height, width) if turned else (width, height)


def _encode(image: Image.Image, rules: ImageRules) -> Picture:
    if rules.max_side is not None:
        image.draft("RGB", (rules.max_side, rules.max_side))  # JPEG: decodes no more than needed
    upright = ImageOps.exif_transpose(image)
    picture = _to_rgb(upright)
    if rules.max_side is not None and max(picture.size) > rules.max_side:
        picture.thumbnail((rules.max_side, rules.max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return Picture(buffer.getvalue(), picture.width, picture.height)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode as it is meant to be seen: on white where it is transparent."""
    if image.mode.startswith("I"):  # 16 bits; Pillow would clip them instead of scaling
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        page = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(page, layer).convert("RGB")
    return image.convert("RGB")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
