"""Look at a dataset as training will, before it does: every row, every file, and all of it at once.

Rows stream by. What is remembered of each is some forty bytes, whatever it says.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from goldfish_cli.data.items import BadItem, Item
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.check_media import MediaCheck
from goldfish_cli.data.prepare.check_rows import (
    Flaw,
    TarItem,
    TextLengths,
    TextLimits,
    length_flaws,
    measure,
    read_rows,
    text_flaws,
)
from goldfish_cli.data.prepare.findings import Findings
from goldfish_cli.data.prepare.media import ProbeLevel
from goldfish_cli.data.prepare.repeats import film_of
from goldfish_cli.data.prepare.row_comparison import MarkedRows, RowComparison
from goldfish_cli.data.prepare.row_marks import Shared
from goldfish_cli.data.prepare.row_statistics import RowStatistics
from goldfish_cli.data.prepare.statistics import Distribution
from goldfish_cli.errors import AnnotationError

ROWS_AT_ONCE = 512  # that are tokenised together


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How closely to look, and at what."""

    videos: Path | None = None
    """Folder of the media; ``None``: they are not looked for."""
    probe: ProbeLevel = "header"
    workers: int = 1
    split_key: str = "split"
    """The field that names a row's split; without it a file is a split, or a folder of tars."""
    one_split: bool = False
    """All files and rows belong together: the same video may be in several."""
    limits: TextLimits | None = None
    """``None``: tokens are not counted."""


class Checker:
    """Checks one dataset, of one file or several: first its rows, then its media, then the whole.

    Args:
        files: Annotations of any known format, and tars of images.
        settings: How to look at them.
        findings: Receives what is wrong.
    """

    def __init__(self, files: Sequence[Path], settings: CheckSettings, findings: Findings) -> None:
        self._files = files
        self._settings = settings
        self._findings = findings
        self._starts: list[int] = []  # place of each file's first row
        self._num_rows = 0
        self._rows = RowComparison()
        self._faults = bytearray()  # by row: 0, or 1 + the place of its first error in _kinds
        self._kinds: list[str] = []
        self._said = RowStatistics(settings.limits)
        self._shared = {"duplicate_rows": 0, "shared_videos": 0, "shared_captions": 0}
        self.media: MediaCheck | None = None
        if settings.videos is not None:
            self.media = MediaCheck(settings.videos, settings.probe, settings.workers)

    @property
    def num_rows(self) -> int:
        """How many rows were read."""
        return self._num_rows

    def check_rows(self) -> Iterator[None]:
        """Read all rows and look at each alone; a step a row.

        Raises:
            AnnotationError: If a file as a whole cannot be read, or there are no rows.
        """
        for number, path in enumerate(self._files):
            self._starts.append(self._num_rows)
            rows = read_rows(path)
            while some := list(islice(rows, ROWS_AT_ONCE)):
                for row, lengths in self._measured(some):
                    self._check_row(number, row, lengths)
                    yield
        if not self._num_rows:
            names = ", ".join(path.name for path in self._files)
            raise AnnotationError(f"{names}: there are no rows.")

    def check_media(self) -> Iterator[None]:
        """Look into the files that the rows name; a step a file."""
        looked = self.media.look() if self.media is not None else ()
        for number, place, name, flaws in looked:
            for kind, message in flaws:
                self._add((kind, message), place, name)
                if Findings.severity_of(kind) == "error":
                    self._blame_all(number, kind)
            yield

    def compare_rows(self) -> Iterator[None]:
        """Find rows that repeat and splits that share; where there are any, a step a row."""
        marked = self._rows.find(one_split=self._settings.one_split)
        if marked:
            yield from self._report_marked(marked)
        self._check_answers()

    def close(self, account: Account) -> None:
        """Count every row: written if it is sound, else dropped for its first error."""
        account.read(self._num_rows)
        for fault, kind in enumerate(self._kinds, start=1):
            if number := self._faults.count(fault):
                account.drop(kind, number)
        account.write(self._faults.count(0))

    def statistics(self) -> dict[str, Any]:
        """Return what was counted and measured, as plain values."""
        facts: dict[str, Any] = {
            "rows": self._num_rows,
            "ids": self._rows.num_ids(),
            "splits": self._rows.split_rows,
            **self._shared,
            **self._said.counts(),
        }
        if self.media is not None:
            facts["media"] = {
                "videos": len(self.media) - self.media.num_images,
                "images": self.media.num_images,
                "hours": round(self.media.durations.total / 3600, 2),
            }
        measured = self.distributions().items()
        return facts | {name.replace(" ", "_"): values.summary() for name, values in measured}

    def distributions(self) -> dict[str, Distribution]:
        """Return what there is to draw, by what it is."""
        found = self._said.distributions()
        if self.media is not None:
            found["durations"] = self.media.durations
        return {name: values for name, values in found.items() if len(values)}

    def _measured(
        self, rows: Sequence[Item | BadItem]
    ) -> Iterator[tuple[Item | BadItem, TextLengths | None]]:
        limits = self._settings.limits
        if limits is None:
            yield from ((row, None) for row in rows)
            return
        lengths = iter(measure([row for row in rows if isinstance(row, Item)], limits))
        for row in rows:
            yield row, next(lengths) if isinstance(row, Item) else None

    def _check_row(self, file: int, row: Item | BadItem, lengths: TextLengths | None) -> None:
        place = self._num_rows
        self._num_rows += 1
        self._faults.append(0)
        good = row if isinstance(row, Item) else None
        self._rows.add(good, self._split(file, row))
        if isinstance(row, BadItem):
            self._add((row.reason, row.detail), place, _id_of(row))
        flaw = None
        if self.media is not None:
            looked_for = None if isinstance(good, TarItem) else good
            flaw = self.media.add(looked_for, place)
        if good is None:
            return
        self._said.add(good, lengths)
        flaws = [flaw] if flaw else []
        if isinstance(good, TarItem):
            flaws += self._image_flaws(self._files[file], good)
        flaws += text_flaws(good)
        if lengths and self._settings.limits:
            flaws += length_flaws(lengths, self._settings.limits)
        for found in flaws:
            self._add(found, place, good.id)

    def _split(self, file: int, row: Item | BadItem) -> str:
        fields = row.extra if isinstance(row, Item) else row.raw
        named = fields.get(self._settings.split_key) if isinstance(fields, dict) else None
        if isinstance(named, str | int) and named != "":
            return str(named)
        path = self._files[file]
        return path.absolute().parent.name if path.suffix == ".tar" else path.name

    def _image_flaws(self, path: Path, row: TarItem) -> Iterator[Flaw]:
        from goldfish_cli.data.images import decode_image, read_image_bytes  # see check_rows

        if self._settings.probe != "none":
            try:
                decode_image(read_image_bytes(path, row.region), row.id)
            except AnnotationError as error:
                yield "unreadable-media", str(error)

    def _report_marked(self, streams: Sequence[MarkedRows]) -> Iterator[None]:
        """Read the rows again to name those that repeat; their words were not kept."""
        place = 0
        for path in self._files:
            for row in read_rows(path):
                for stream in streams:
                    shared = stream.at(place)
                    if shared is not None and isinstance(row, Item):
                        self._report(stream.kind, row, place, shared)
                place += 1
                yield

    def _report(self, kind: str, row: Item, place: int, shared: Shared) -> None:
        first = self._name_of(shared.first)
        if kind == "duplicate-row":
            self._shared["duplicate_rows"] += 1
            self._add((kind, f"says the same as {first}"), place, row.id)
            return
        here, there = self._rows.split_of(place), self._rows.split_of(shared.first)
        what = {"video": f"video {row.id}", "film": f"film {film_of(row)}"}.get(
            kind.split("-")[0], "its caption"
        )
        if not shared.is_repeat:
            if "film" not in kind:
                self._shared[f"shared_{kind.split('-')[0]}s"] += 1
            message = f"{what} is in {here} and also in {there} ({first})"
            self._add((kind, message), place, row.id)
        elif Findings.severity_of(kind) == "error":
            self._blame(place, kind)

    def _check_answers(self) -> None:
        found = self._said.dominant_answer()
        if found:
            text, share = found
            message = f"{share:.0%} of all answers are {text!r}"
            self._findings.add("one-answer", message, file=self._files[0].name)

    def _add(self, flaw: Flaw, place: int, name: str) -> None:
        kind, message = flaw
        file, row = self._locate(place)
        severity = self._findings.add(kind, message, file=file, row=row, id=name)
        if severity == "error":
            self._blame(place, kind)

    def _blame(self, place: int, kind: str) -> None:
        """Remember the first error of a row."""
        if kind not in self._kinds:
            self._kinds.append(kind)
        if not self._faults[place]:
            self._faults[place] = 1 + self._kinds.index(kind)

    def _blame_all(self, medium: int, kind: str) -> None:
        """Blame every row that names a file; called for files that are broken, which are few."""
        assert self.media is not None
        for place in self.media.rows_of(medium):
            self._blame(place, kind)

    def _locate(self, place: int) -> tuple[str, int]:
        file = bisect_right(self._starts, place) - 1
        return self._files[file].name, place - self._starts[file] + 1

    def _name_of(self, place: int) -> str:
        file, row = self._locate(place)
        return f"row {row} of {file}" if len(self._files) > 1 else f"row {row}"


def _id_of(row: BadItem) -> str:
    raw = row.raw if isinstance(row.raw, dict) else {}
    for key in ("video_id", "image_id", "id", "video", "image", "key"):
        if isinstance(raw.get(key), str):
            return str(raw[key])
    return ""
