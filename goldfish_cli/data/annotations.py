"""Read annotation files into samples: what to look at, what is asked, what the answer is.

Knows where media lie, never what is in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldfish_cli.data.images import scan_image_tar
from goldfish_cli.data.items import FORMATS, BadItem, scan_items
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to look at and what is said about it."""

    id: str
    media: Path | None  # None: no file of that name was found
    kind: Literal["image", "video"]
    turns: tuple[tuple[str, str], ...]  # question, answer; "": any instruction to describe it
    subtitles: Path | None = None
    region: tuple[int, int] | None = None  # offset and size of the image inside media, a tar


def read_annotations(path: Path, root: Path | None = None) -> Iterator[Sample]:
    """Read one source of training data.

    Args:
        path: A file of any format that ``items.scan_items`` knows, or a WebDataset tar of images.
        root: The folder with the media, ``root/{id}.mp4``; ``None``: the folder of ``path``.

    Yields:
        Samples in the order of the file. The media may be missing (``media=None``): whether that
        matters is for the caller to say.

    Raises:
        AnnotationError: If the file is missing or wrong, with the number of the item.
    """
    if not path.is_file():
        raise AnnotationError(
            f"There is no annotation file {path}.", hint="Make one with: goldfish prep shapes"
        )
    if path.suffix == ".tar":
        for pair in scan_image_tar(path):
            yield Sample(pair.key, path, "image", (("", pair.caption),), region=pair.region)
        return
    folder = MediaFolder(root or path.parent)
    for item in scan_items(path):
        if isinstance(item, BadItem):
            raise _wrong(item.number, path, item.detail)
        try:
            media, subtitles = folder.find(item.id)
        except ValueError as error:
            raise _wrong(item.number, path, str(error)) from error
        is_image = media is not None and media.suffix.lower() in IMAGE_EXTENSIONS
        turns = item.turns or (("", item.caption or ""),)
        yield Sample(item.id, media, "image" if is_image else "video", turns, subtitles)


def _wrong(number: int, path: Path, detail: str) -> AnnotationError:
    return AnnotationError(f"Item {number} of {path.name} {detail}.", hint=FORMATS)
