"""Join the tables of Condensed Movies (arXiv:2005.04208) into captions of clips.

Knows which clip has which caption, never what is in a video.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.disk_join import DiskJoin
from goldfish_cli.data.prepare.find_video import find_video
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.rules import TextRule, first_breach
from goldfish_cli.data.prepare.tables import read_table
from goldfish_cli.errors import AnnotationError

if TYPE_CHECKING:  # it brings what decodes video, which a join alone does not need
    from goldfish_cli.data.prepare.media import MediaIndex

SPLITS = ("train", "val", "test")
_YEAR = re.compile(r"(-?\d{1,4})(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class Tables:
    """The files of the dataset."""

    clips: Path
    descriptions: Path
    durations: Path | None = None
    split: Path | None = None

    def paths(self) -> list[Path]:
        """Return those that are given."""
        paths = (self.clips, self.descriptions, self.durations, self.split)
        return [path for path in paths if path is not None]


class ClipJoin:
    """Joins clips with their descriptions, by ``videoid``, in the order of the clips.

    Args:
        tables: The files.
        videos: Drop clips that have no video here; ``None``: nobody looks.
        rules: Captions that break one are dropped under its name.
        only: The split to keep; ``None``: all.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        videos: "MediaIndex | None" = None,
        rules: Sequence[TextRule] = (),
        only: str | None = None,
    ) -> None:
        self._tables = tables
        self._videos = videos
        self._rules = rules
        self._only = only
        self.unused: dict[str, int] = {}
        """After the join: how many descriptions and durations belong to no clip."""

    def run(self, output: PreparedFile, account: Account) -> Iterator[None]:
        """Write the clips that have a caption, and set the others aside; a step a clip.

        Raises:
            AnnotationError: If a table is missing or broken, or if a film is in two splits.
        """
        splits = read_splits(self._tables.split) if self._tables.split else None
        ids = (row["videoid"].strip() for row in _read_clips(self._tables.clips))
        others = {"descriptions": _read_texts(self._tables.descriptions, "description")}
        if self._tables.durations:
            others["durations"] = _read_texts(self._tables.durations, "duration")
        with DiskJoin(ids, others) as join:
            # The join goes on for ever with repeats, so the clips decide where to end.
            for cells, texts in zip(_read_clips(self._tables.clips), join, strict=False):
                account.read()
                row = {name: cell.strip() for name, cell in cells.items()}
                film_split = splits.get(row["imdbid"], "") if splits is not None else None
                caption = texts[0] if texts else None
                if texts is None:
                    output.drop(row, "duplicate", f"clip {row['videoid']} stands above")
                elif fault := self._fault(row["videoid"], caption, film_split):
                    output.drop({**row, "description": caption}, *fault)
                else:
                    duration = texts[1] if len(texts) > 1 else None
                    output.write(_record(row, caption or "", duration, film_split))
                yield
            self.unused = join.unused()

    def _fault(self, name: str, caption: str | None, split: str | None) -> tuple[str, str] | None:
        """Return for what reason a clip is dropped, and a detail; ``None``: it is not."""
        if not name:
            return "no-id", "names no video"
        if split == "":
            return "no-split", "its film is in no split"
        if self._only is not None and split != self._only:
            return "other-split", f"its film is in {split}"
        if caption is None:
            return "no-description", ""
        if not caption:
            return "empty", "empty"
        if breach := first_breach(caption, self._rules):
            return breach
        if self._videos is None:
            return None
        video, *missing = find_video(self._videos, name)
        return None if video else (missing[0], missing[1])


def read_splits(path: Path) -> dict[str, str]:
    """Read which film is in which split.

    Raises:
        AnnotationError: If the table is broken, a split unknown, or a film in two of them.
    """
    splits: dict[str, str] = {}
    for row in read_table(path, required=("imdbid", "split"), what="the splits"):
        film, split = row["imdbid"].strip(), row["split"].strip()
        if split not in SPLITS:
            raise AnnotationError(
                f"{path.name} puts {film} into {split!r}.",
                hint=f"The splits are {', '.join(SPLITS)}.",
            )
        if splits.setdefault(film, split) != split:
            raise AnnotationError(
                f"{path.name} puts {film} into {splits[film]} and into {split}.",
                hint="Leave it in one: what is tested must not be trained on.",
            )
    return splits


def _read_clips(path: Path) -> Iterator[dict[str, str]]:
    required = ("videoid", "title", "clip_name", "year", "imdbid")
    return read_table(path, required=required, what="the clips")


def _read_texts(path: Path, column: str) -> Iterator[tuple[str, str]]:
    for row in read_table(path, required=("videoid", column), what=f"the {column}s"):
        yield row["videoid"].strip(), row[column].strip()


def _record(
    row: dict[str, str], caption: str, duration: str | None, split: str | None
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "image_id": row["videoid"],
        "caption": caption,
        "title": row["title"],
        "clip_name": row["clip_name"],
        "year": _year(row["year"]),
        "imdbid": row["imdbid"],
    }
    if split is not None:
        record["split"] = split
    if duration:
        record["length"] = _number(duration)
    return record


def _year(text: str) -> int | str | None:
    """Return ``2012.0``, as pandas leaves a year, as a number; ``-1.0`` means that it is unknown.

    Other texts stay as they are.
    """
    match = _YEAR.fullmatch(text)
    if match is None:
        return text or None
    return max(int(match[1]), 0) or None


def _number(text: str) -> int | float | str:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
