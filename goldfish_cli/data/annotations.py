"""Read annotation files into samples: what to look at, what is asked, what the answer is.

Knows where media lie, never what is in them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from goldfish_cli.data.images import IMAGE_EXTENSIONS, scan_image_tar
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.subtitle_files import SUFFIXES

VIDEO_EXTENSIONS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".ts", ".mpg", ".wmv", ".gif")
ID_KEYS = ("video_id", "image_id", "id", "video", "image")
_FORMATS = (
    'Items look like {"image_id": "a", "caption": "..."}, {"video_id": "a", "q": "...", '
    '"a": "..."} or {"video_id": "a", "conversations": [...]}'
)


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
        path: JSON (a list, or an object with the list under ``annotations``), JSON lines, or a
            WebDataset tar of images.
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
    for number, item in enumerate(_read_items(path), start=1):
        try:
            yield _read_sample(item, folder)
        except ValueError as error:
            raise AnnotationError(f"Item {number} of {path.name} {error}.", hint=_FORMATS) from None


class MediaFolder:
    """Finds the video, image and subtitles that belong to an id. Lists each folder once."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise AnnotationError(
                f"There is no folder {root}.",
                hint="Name the folder of the videos with --videos DIR",
            )
        self.root = root
        self._listings: dict[Path, tuple[dict[str, str], dict[str, str]]] = {}

    def find(self, name: str) -> tuple[Path | None, Path | None]:
        """Return the media file and the subtitle file of ``name``, ``None`` where there is none.

        Args:
            name: An id or a file name, with or without extension; may lie in subfolders.

        Raises:
            ValueError: If ``name`` points outside the folder.
        """
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.name:
            raise ValueError(f"names a file outside the folder: {name!r}")
        folder = self.root / relative.parent
        media, subtitles = self._list(folder)
        file = media.get(relative.name)
        stem = relative.stem if file == relative.name else relative.name
        cues = subtitles.get(stem)
        return (folder / file if file else None), (folder / cues if cues else None)

    def _list(self, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
        if folder not in self._listings:
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            self._listings[folder] = _media_by_name(names), _subtitles_by_stem(names)
        return self._listings[folder]


def _media_by_name(names: list[str]) -> dict[str, str]:
    known = (*VIDEO_EXTENSIONS, *sorted(IMAGE_EXTENSIONS))
    rank = {extension: place for place, extension in enumerate(known)}
    media = [name for name in names if Path(name).suffix.lower() in rank]
    media.sort(key=lambda name: rank[Path(name).suffix.lower()])
    found = {name: name for name in media}
    for name in media:
        found.setdefault(Path(name).stem, name)
    return found


def _subtitles_by_stem(names: list[str]) -> dict[str, str]:
    """Map each stem to its subtitles: without a language tag before English before others."""
    found: dict[str, str] = {}
    sidecars = [Path(name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    for path in sidecars:
        found.setdefault(path.stem, path.name)
    tagged = [(Path(path.stem), path.name) for path in sidecars]
    tagged.sort(key=lambda pair: pair[0].suffix.lower() not in {".en", ".eng"})
    for stem, name in tagged:  # clip.en.vtt serves clip where there is no clip.vtt
        found.setdefault(stem.stem, name)
    return found


def _read_items(path: Path) -> Iterator[Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            yield from (json.loads(line) for line in text.splitlines() if line.strip())
            return
        items = json.loads(text)
    except (OSError, ValueError) as error:
        raise AnnotationError(
            f"{path.name} is not readable JSON: {error}.", hint=_FORMATS
        ) from error
    if isinstance(items, dict):
        items = items.get("annotations")
    if not isinstance(items, list):
        raise AnnotationError(f"{path.name} holds no list of annotations.", hint=_FORMATS)
    yield from items


def _read_sample(item: Any, folder: MediaFolder) -> Sample:
    if not isinstance(item, Mapping):
        raise ValueError(f"is {type(item).__name__}, not an object")
    name = next((str(item[key]) for key in ID_KEYS if item.get(key) not in (None, "")), None)
    if name is None:
        raise ValueError(
            f"names no video or image: it has {', '.join(map(str, item)) or 'no keys'}"
        )
    media, subtitles = folder.find(name)
    is_image = media is not None and media.suffix.lower() in IMAGE_EXTENSIONS
    return Sample(name, media, "image" if is_image else "video", _read_turns(item), subtitles)


def _read_turns(item: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if "conversations" in item:
        return _read_conversation(item["conversations"])
    if "caption" in item:
        return (("", _text(item, "caption")),)
    question = "q" if "q" in item else "question"
    answer = "a" if "a" in item else "answer"
    return ((_text(item, question), _text(item, answer)),)


def _read_conversation(turns: Any) -> tuple[tuple[str, str], ...]:
    """Read turns of q and a, or LLaVA's: ``{"from": "human", "value": ...}``, then from gpt."""
    if not isinstance(turns, list) or not turns or not all(isinstance(t, Mapping) for t in turns):
        raise ValueError("has conversations that are not a list of turns")
    if "from" not in turns[0]:
        return tuple(_read_turns(turn)[0] for turn in turns)
    roles = [turn.get("from") for turn in turns]
    if roles != ["human", "gpt"] * (len(turns) // 2):
        raise ValueError(f"has turns from {roles}: human and gpt should alternate")
    words = [_without_marker(_text(turn, "value")) for turn in turns]
    return tuple(zip(words[::2], words[1::2], strict=True))


def _without_marker(text: str) -> str:
    """LLaVA marks in the text where the picture goes; here pictures always come first."""
    return text.replace("<video>", "").replace("<image>", "").strip()


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"has no {key}: it has {', '.join(map(str, item)) or 'no keys'}")
    return value.strip()
