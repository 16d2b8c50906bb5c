"""Look at the videos and images that a dataset names, each once, and at their subtitles."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path, PurePosixPath

import numpy as np

from goldfish_cli.data.items import Item
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.data.prepare.check_rows import Flaw
from goldfish_cli.data.prepare.folder import walk_folder
from goldfish_cli.data.prepare.media import Probed, ProbeLevel, probe_many
from goldfish_cli.data.prepare.statistics import Distribution
from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS
from goldfish_cli.media.subtitle_files import read_subtitle_file

MAX_LENGTH_ERROR_S = 1.0  # between a row and its video, or one percent if that is more


@dataclass(slots=True)
class _Medium:
    path: Path
    subtitles: Path | None
    row: int  # the first that names it, counted over all files
    id: str
    length: float = field(default=nan)  # seconds, as that row has it


class MediaCheck:
    """Finds the media of rows as training does, and looks into each of them once.

    Args:
        root: The folder with the media.
        level: How closely to look.
        workers: Files that are read at a time.
    """

    def __init__(self, root: Path, level: ProbeLevel, workers: int) -> None:
        self._folder = MediaFolder(root)
        self._root = root
        self._level = level
        self._workers = workers
        self._media: list[_Medium] = []
        self._numbers: dict[Path, int] = {}
        self._of_rows = array("i")
        self._nearby: dict[str, str] | None = None
        self.durations = Distribution("seconds", step=0.1)

    def __len__(self) -> int:
        """Count the different files that were named."""
        return len(self._media)

    @property
    def num_images(self) -> int:
        """How many of them are images."""
        return sum(medium.path.suffix.lower() in IMAGE_EXTENSIONS for medium in self._media)

    def rows_of(self, number: int) -> list[int]:
        """Return the places of all rows that name a file."""
        numbers = np.array(self._of_rows, dtype=np.int32)
        places: list[int] = np.flatnonzero(numbers == number).tolist()
        return places

    def add(self, row: Item | None, place: int) -> Flaw | None:
        """Find the file that a row names.

        Args:
            row: ``None`` for one that names none that can be looked for.
            place: Of the row, counted over all files; rows come in order.

        Returns:
            What is wrong, if anything is.
        """
        self._of_rows.append(-1)
        if row is None:
            return None
        try:
            path, subtitles = self._folder.find(row.id)
        except ValueError as error:
            return "outside-folder", str(error)
        if path is None:
            return "missing-media", self._missing(row.id)
        if path not in self._numbers:
            self._numbers[path] = len(self._media)
            length = _seconds(row.extra.get("length"))
            self._media.append(_Medium(path, subtitles, place, row.id, length))
        self._of_rows[place] = self._numbers[path]
        return None

    def look(self) -> Iterator[tuple[int, int, str, list[Flaw]]]:
        """Look into each file once.

        Yields:
            Its number, the place of the first row that names it, that row's id, what is wrong.
        """
        paths = (medium.path for medium in self._media)
        probed = probe_many(paths, self._level, workers=self._workers)
        for number, (medium, found) in enumerate(zip(self._media, probed, strict=True)):
            yield number, medium.row, medium.id, [*self._flaws(medium, found)]

    def _flaws(self, medium: _Medium, found: Probed) -> Iterator[Flaw]:
        if found.error is not None:
            yield "unreadable-media", str(found.error)
        if found.info is not None and found.info.duration_source != "still":
            duration = found.info.duration
            self.durations.add(duration)
            if duration <= 0:
                yield "no-duration", f"{medium.path.name} has no duration"
            tolerance = max(MAX_LENGTH_ERROR_S, duration / 100)
            if not isnan(medium.length) and abs(medium.length - duration) > tolerance:
                yield (
                    "length-differs",
                    f"the row has a length of {medium.length:g} s, the video of {duration:.1f} s",
                )
        if medium.subtitles is not None:
            try:
                read_subtitle_file(medium.subtitles)
            except SubtitleError as error:
                yield "unreadable-subtitles", str(error)

    def _missing(self, name: str) -> str:
        near = self._near(name)
        if not near:
            return f"there is no video or image {name} in {self._root.name}"
        return f"there is no video or image {name} in {self._root.name}, but there is {near}"

    def _near(self, name: str) -> str:
        """Find a file of that name in a folder below, or in other capitals."""
        if self._nearby is None:
            self._nearby = {}
            for file in walk_folder(self._root):
                if file.kind in ("video", "image"):
                    self._nearby.setdefault(file.path.stem.casefold(), str(file.path))
                    self._nearby.setdefault(file.path.name.casefold(), str(file.path))
        return self._nearby.get(PurePosixPath(name).name.casefold(), "")


def _seconds(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) else nan
    except ValueError:
        return nan
