"""Read annotation files, JSON or tables, as rows that know where they stand.

What their columns mean, the benchmarks know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from goldfish_cli.data.prepare.tables import DELIMITERS, check_header, headers
from goldfish_cli.data.prepare.tables import read_rows as read_cells
from goldfish_cli.data.text_files import find_encoding, read_lines
from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.documents import is_json, read_document

_MAX_PROBLEM = 200  # characters: an error is a line, and some objects have a thousand keys
_CONTAINERS = ("annotations", "data", "items")
_HEADER_NAMES = {
    *("question", "q", "q1", "answer", "a", "answer_idx", "options", "candidates", "a0", "a1"),
    *("video", "video_name", "video_id", "videoid", "gif_name", "vid_name", "qid", "question_id"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an annotation file."""

    path: Path
    place: str
    """Where in the file it stands: ``Line 3``, ``Item 3``."""
    values: Mapping[str, Any]
    """By name in lower case."""
    expected: str
    """What the benchmark's files hold, in a sentence: the hint of every error."""

    def error(self, problem: str, *, hint: str = "") -> AnnotationError:
        """Say what is wrong with this row; ``problem`` goes on after its place."""
        told = problem if len(problem) <= _MAX_PROBLEM else f"{problem[:_MAX_PROBLEM]}..."
        return AnnotationError(
            f"{self.place} of {self.path.name} {told}.", hint=hint or self.expected
        )

    def get(self, *names: str) -> Any:
        """Return the first value under these names that is not empty, else ``None``."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, str):
                value = value.strip()
            if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
                continue
            return value
        return None

    def text(self, what: str, *names: str) -> str:
        """Return the first text under these names; ``what`` names it in the error.

        Raises:
            AnnotationError: If there is none, or a list or object in its stead.
        """
        value = self.get(*names)
        if value is None:
            there = ", ".join(map(str, self.values)) or "nothing"
            empty = [name for name in names if name in self.values]
            lack = f"an empty {empty[0]}" if empty else f"no {what}: it has {there}"
            raise self.error(f"has {lack}")
        return self._as_text(value, what)

    def text_or_empty(self, *names: str) -> str:
        """Return the first text under these names, "" if there is none."""
        value = self.get(*names)
        return "" if value is None else self._as_text(value, names[0])

    def video(self, *names: str) -> str:
        """Return the name of the video, with its folder if that is a relative one.

        Raises:
            AnnotationError: If there is none.
        """
        name = video_name(self.text("video", *names))
        if not name:
            raise self.error("names no video")
        return name

    def seconds(self, *names: str) -> float | None:
        """Return the first number under these names, ``None`` if there is none.

        Raises:
            AnnotationError: If it is no number of seconds.
        """
        value = self.get(*names)
        try:
            seconds = math.nan if value is None else float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.error(f"has as {names[0]} {value!r}, not a number of seconds") from error
        if math.isinf(seconds):
            raise self.error(f"has as {names[0]} {value!r}, not a number of seconds")
        return None if math.isnan(seconds) else seconds

    def _as_text(self, value: Any, what: str) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.error(f"has as {what} {type(value).__name__}, not text")
        return str(value)


def read_rows(paths: Sequence[Path], expected: str) -> list[Row]:
    """Read all entries of all files, in order.

    Args:
        paths: JSON, JSON lines, CSV or TSV; the content tells which, not the ending.
        expected: What the benchmark's files hold, in a sentence, for the hints of errors.

    Raises:
        AnnotationError: If there is no file, if one cannot be read or holds no entry, or if an
            entry is no object.
    """
    if not paths:
        raise AnnotationError("There is no annotation file to read.", hint=expected)
    rows = []
    for path in paths:
        found = read_json_rows(path, expected) if is_json(path) else _table_rows(path, expected)
        if not found:
            raise AnnotationError(f"{path.name} holds no questions.", hint=expected)
        rows += found
    return rows


def read_json_rows(path: Path, expected: str) -> list[Row]:
    """Read the entries of one JSON file."""
    return document_rows(read_document(path), path, expected)


def document_rows(document: Any, path: Path, expected: str) -> list[Row]:
    """Return the entries of a list, of an object's list, or of an object of objects."""
    if isinstance(document, Mapping):
        document = _entries(document)
    rows = []
    for number, value in enumerate(document, start=1):
        if not isinstance(value, Mapping):
            raise AnnotationError(
                f"Item {number} of {path.name} is {type(value).__name__}, not an object.",
                hint=expected,
            )
        rows.append(Row(path, f"Item {number}", folded(value), expected))
    return rows


def inner_rows(row: Row, name: str) -> Iterator[Row]:
    """Yield the questions that an entry about a video lists under ``name``, else the row itself.

    Raises:
        AnnotationError: If what stands there is no list of objects.
    """
    questions = row.values.get(name)
    if questions is None:
        yield row
        return
    if not isinstance(questions, list) or not questions:
        raise row.error(f"has as {name} {type(questions).__name__}, not a list of questions")
    outer = {key: value for key, value in row.values.items() if key != name}
    for number, question in enumerate(questions, start=1):
        if not isinstance(question, Mapping):
            raise row.error(f"has as question {number} {type(question).__name__}, not an object")
        place = f"Question {number} of {row.place.lower()}"
        yield Row(row.path, place, outer | folded(question), row.expected)


def video_name(text: str) -> str:
    """Clean a video's name: ``./a/b.mp4`` is ``a/b.mp4``, ``/data/b.mp4`` is ``b.mp4``."""
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return "" if path.name == ".." else path.name
    return "" if path == PurePosixPath() else str(path)


def folded(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Put names in lower case: ``Q1`` and ``q1`` are the same to every benchmark."""
    return {str(name).strip().casefold(): value for name, value in values.items()}


def _entries(document: Mapping[str, Any]) -> list[Any]:
    for name in _CONTAINERS:
        if isinstance(document.get(name), list):
            return document[name]
    if document and all(isinstance(value, Mapping) for value in document.values()):
        return list(document.values())
    return [document]


def _table_rows(path: Path, expected: str) -> list[Row]:
    encoding = find_encoding(path)
    found = headers(path, encoding)
    delimiter = max(DELIMITERS, key=lambda each: (_known(found[each]), len(found[each])))
    lines = iter(_cells(path, encoding, delimiter))
    _, cells = next(lines)
    header = [cell.strip().casefold() for cell in cells]
    check_header(header, path)
    return [
        Row(path, f"Line {line}", dict(zip(header, row, strict=True)), expected)
        for line, row in lines
    ]


def _known(names: Sequence[str]) -> int:
    return sum(name.casefold() in _HEADER_NAMES for name in names)


def _cells(path: Path, encoding: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Cut a table into cells; where tabs cut, a quotation mark may be nothing but itself."""
    try:
        return list(read_cells(path, encoding, delimiter))
    except AnnotationError:
        if delimiter != "\t":
            raise
        plain = list(_tabbed(path, encoding))
        if len({len(row) for _, row in plain}) != 1:
            raise
        return plain


def _tabbed(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if line.strip():
            yield number, line.rstrip("\r\n").split("\t")
