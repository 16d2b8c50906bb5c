"""Read images: files, and the pairs of image and caption in WebDataset tars. Decodes no video."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from webdataset.tariterators import base_plus_ext

from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS


@dataclass(frozen=True, slots=True)
class TarImage:
    """An image inside a tar, found but not read, and what is said of it."""

    key: str
    caption: str
    region: tuple[int, int]  # offset and size of the image's bytes in the tar


def scan_image_tar(
    path: Path, *, left_out: Callable[[str, str], None] = lambda key, lacks: None
) -> Iterator[TarImage]:
    """Find the pairs ``key.jpg`` and ``key.json`` (or ``key.txt``) of a WebDataset tar.

    The images stay where they are: training reads them at random, by their region, so that a
    stopped run continues at the very sample. Members are grouped by WebDataset's own rule.

    Args:
        path: An uncompressed tar.
        left_out: Hears the key of each member without a partner, and what it lacks: ``"image"``
            or ``"caption"``.

    Yields:
        Pairs in the order of the tar; members without a partner are left out.

    Raises:
        AnnotationError: If the file is not a readable tar, or a caption is not.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            yield from _pairs(path, tar, left_out)
    except (OSError, tarfile.TarError) as error:
        raise AnnotationError(
            f"{path.name} cannot be read as a WebDataset tar: {error}.",
            hint="A tar of pairs key.jpg and key.json, not compressed.",
        ) from error


def read_image_bytes(path: Path, region: tuple[int, int] | None = None) -> bytes:
    """Read a file, or ``region`` (offset and size) of it."""
    if region is None:
        return path.read_bytes()
    offset, size = region
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise AnnotationError(f"{path.name} ends inside an image at byte {offset}.")
    return data


def decode_image(data: bytes, name: str) -> np.ndarray[Any, Any]:
    """Decode an image to upright RGB pixels.

    Returns:
        ``(height, width, 3)`` uint8.

    Raises:
        AnnotationError: If the bytes are no image, or a broken one.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f"{name} is not a readable image: {error}.") from error


def _pairs(
    path: Path, tar: tarfile.TarFile, left_out: Callable[[str, str], None]
) -> Iterator[TarImage]:
    key, caption, region, is_pair = "", None, None, True
    for member in tar:
        prefix, extension = base_plus_ext(member.name)
        if prefix is None or not member.isfile():
            continue
        if prefix != key:
            if not is_pair:
                left_out(key, "caption" if region else "image")
            key, caption, region, is_pair = prefix, None, None, False
        extension = extension.lower()
        if f".{extension}" in IMAGE_EXTENSIONS:
            region = (member.offset_data, member.size)
        elif extension in {"json", "txt"} and caption is None:
            caption = _read_caption(path, tar, member)
        if caption is not None and region is not None:
            is_pair = True
            yield TarImage(key, caption, region)
            caption, region = None, None
    if not is_pair:
        left_out(key, "caption" if region else "image")


def _read_caption(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> str | None:
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if member.name.endswith(".txt"):
        return data.decode("utf-8", errors="replace").strip() or None
    try:
        caption = json.loads(data).get("caption")
    except (ValueError, AttributeError) as error:
        raise AnnotationError(
            f"{member.name} in {path.name} is not a JSON object with a caption.",
            hint='Every image has a member key.json like {"caption": "A red circle."}',
        ) from error
    return caption.strip() or None if isinstance(caption, str) else None
