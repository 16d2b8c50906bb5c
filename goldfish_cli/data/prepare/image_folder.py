"""Pair the images of a folder with the captions beside them, at any depth."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.data.prepare.image_pair import ImagePair
from goldfish_cli.data.prepare.url_rows import CAPTION_NAMES
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS

_TEXTS = (".json", ".txt")
_MAX_TEXT = 2**20  # bytes; a caption is a few hundred


@dataclass(frozen=True, slots=True)
class FilePair:
    """An image and the files that may hold its caption."""

    image: Path | None
    texts: tuple[Path, ...]


def find_pairs(root: Path, files: Sequence[Path]) -> list[FilePair]:
    """Group files by name: ``a.jpg`` with ``a.json`` and ``a.txt``. Nothing is opened.

    Args:
        root: The folder that is read.
        files: Its files; those that are neither images nor captions are left out.

    Returns:
        One pair for each image, and one for each name that has captions only, sorted.
    """
    images: dict[str, list[Path]] = {}
    texts: dict[str, list[Path]] = {}
    for file in files:
        suffix = file.suffix.lower()
        group = images if suffix in IMAGE_EXTENSIONS else texts if suffix in _TEXTS else None
        if group is not None:
            group.setdefault(file.relative_to(root).with_suffix("").as_posix(), []).append(file)
    pairs = []
    for name in sorted({*images, *texts}):
        captions = tuple(sorted(texts.get(name, [])))
        pairs += [FilePair(image, captions) for image in sorted(images.get(name, []))]
        if name not in images:
            pairs.append(FilePair(None, captions))
    return pairs


def read_pairs(root: Path, files: Sequence[Path]) -> Iterator[ImagePair]:
    """Yield each image of a folder with its caption, and captions without an image."""
    for pair in find_pairs(root, files):
        name = (pair.image or pair.texts[0]).relative_to(root).as_posix()
        if pair.image is None:
            yield ImagePair(name, "", problem="no-image")
            continue
        caption, problem = "", ""
        for text in pair.texts:
            try:
                caption = caption or read_caption(text.suffix.lower(), _read_start(text))
            except OSError:
                problem = "unreadable-caption"
        yield ImagePair(name, caption, image=pair.image, problem="" if caption else problem)


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_TEXT)


def read_caption(suffix: str, data: bytes) -> str:
    """Return the caption in a ``.txt`` or ``.json`` file, ``""`` where there is none."""
    text = data.decode("utf-8-sig", errors="replace").strip()
    if suffix != ".json":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(value, Mapping):
        return ""
    known = {str(key).lower(): part for key, part in value.items()}
    found = (known.get(name) for name in CAPTION_NAMES)
    return next((part.strip() for part in found if isinstance(part, str) and part.strip()), "")
