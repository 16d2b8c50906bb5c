"""Find the video, image and subtitles that belong to an id. Knows names, never what is in files."""

from pathlib import Path, PurePosixPath

from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS, VIDEO_EXTENSIONS
from goldfish_cli.media.subtitle_files import SUFFIXES

_MEDIA_EXTENSIONS = (*VIDEO_EXTENSIONS, *sorted(IMAGE_EXTENSIONS))  # in order of preference


class MediaFolder:
    """Finds the video, image and subtitles that belong to an id. Lists each folder once."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise AnnotationError(
                f"There is no folder {root}.",
                hint="Name the folder of the videos with --videos DIR",
            )
        self.root = root
        self._below: dict[str, list[Path]] | None = None
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

    def find_below(self, name: str) -> Path | None:
        """Return the one media file of a name in any subfolder; ``None`` if there are several."""
        if self._below is None:
            self._below = {}
            for path in sorted(self.root.rglob("*")):
                if path.suffix.lower() in _MEDIA_EXTENSIONS:
                    for key in {path.name, path.stem}:
                        self._below.setdefault(key, []).append(path)
        found = self._below.get(name, [])
        return found[0] if len(found) == 1 else None

    def _list(self, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
        if folder not in self._listings:
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            self._listings[folder] = _media_by_name(names), _subtitles_by_stem(names)
        return self._listings[folder]


def _media_by_name(names: list[str]) -> dict[str, str]:
    rank = {extension: place for place, extension in enumerate(_MEDIA_EXTENSIONS)}
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
