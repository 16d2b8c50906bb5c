"""Read pairs of picture and caption from WebDataset tars, such as img2dataset writes."""

import tarfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path

from webdataset.tariterators import base_plus_ext, group_by_keys, tar_file_iterator

from goldfish_cli.data.prepare.image_folder import read_caption
from goldfish_cli.data.prepare.image_pair import ImagePair
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_MAX_MEMBER = 64 * 2**20  # bytes; the library reads members whole
_BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error, LZMAError)


def check_tar(path: Path) -> int:
    """Go through a tar without reading its pictures.

    Returns:
        The number of samples in it.

    Raises:
        AnnotationError: If it is broken, or holds a member twice or one too large to be a picture.
    """
    names: set[str] = set()
    keys, last = 0, None
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                if member.name in names:
                    raise _refuse(path, f"holds {member.name} twice")
                if member.size > _MAX_MEMBER:
                    raise _refuse(path, f"holds {member.name} of {member.size >> 20} MiB")
                names.add(member.name)
                key, _ = base_plus_ext(member.name)
                keys += key is not None and key != last
                last = key if key is not None else last
    except _BROKEN as error:
        raise _refuse(path, f"cannot be read as a WebDataset tar: {error}") from error
    return keys


def read_tar(path: Path, number: int = 0) -> Iterator[ImagePair]:
    """Yield the samples of a tar, the ``number``-th of its source, in its order.

    Raises:
        AnnotationError: If the tar breaks off.
    """
    try:
        with path.open("rb") as file:
            members = ({**member, "__url__": path.name} for member in tar_file_iterator(file))
            for sample in group_by_keys(members):
                yield _pair(path, number, sample)
    except _BROKEN as error:
        raise _refuse(path, f"cannot be read as a WebDataset tar: {error}") from error


def _pair(path: Path, number: int, sample: dict[str, object]) -> ImagePair:
    name = f"{path.name}/{sample['__key__']}"
    parts = {key: part for key, part in sample.items() if isinstance(part, bytes)}
    image = next((parts[key] for key in parts if f".{key}" in IMAGE_EXTENSIONS), None)
    caption = ""
    for extension in ("json", "txt"):
        caption = caption or read_caption(f".{extension}", parts.get(extension, b""))
    return ImagePair(name, caption, number, image, problem="no-image" if image is None else "")


def _refuse(path: Path, what: str) -> AnnotationError:
    return AnnotationError(
        f"{path.name} {what}.", hint="A tar of pairs key.jpg and key.json; download it again."
    )
