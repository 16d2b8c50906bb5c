"""Read lists of JSON values, one value in memory at a time: a path in, values out."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import ijson
import orjson

from goldfish_cli.data.text_files import MAX_LINE, open_text, read_lines
from goldfish_cli.errors import AnnotationError

LINE_SUFFIXES = (".jsonl", ".ndjson")
_NO_LIST = (
    "A list of items, an object with the list under 'annotations', an object of items, or one "
    "item a line can be read."
)
_SMALL = 64 * 2**20  # bytes; larger files are not read again to find the line of a mistake


def scan_json(path: Path, encoding: str) -> Iterator[Any]:
    """Yield the values of a list, of an object's ``annotations``, of an object, or of the lines.

    Args:
        path: The file; its content tells which of them it is, its name only if it ends in .jsonl.
        encoding: As ``text_files.find_encoding`` tells.

    Raises:
        AnnotationError: If it is none of these, is cut, or one value is above ``MAX_LINE``.
    """
    start = _first_line(path, encoding)
    if path.suffix.lower() in LINE_SUFFIXES or _is_item(start, path):
        yield from _scan_lines(path, encoding)
    elif start.lstrip("\ufeff \t\r\n").startswith("["):
        yield from _scan_values(path, encoding, "item")
    elif _has_annotations(path, encoding):
        yield from _scan_values(path, encoding, "annotations.item")
    else:
        yield from _scan_values(path, encoding, None)


def _first_line(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as file:
        while line := file.readline(MAX_LINE):
            if line.strip():
                return line
    return ""


def _is_item(line: str, path: Path) -> bool:
    """Tell whether a first line is an item by itself, so that other lines will be too."""
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise AnnotationError(
            f"{path.name} is not readable JSON: it is nested too deep.",
            hint="Annotations are lists of objects.",
        ) from error
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and "annotations" not in value
        and not all(isinstance(part, dict) for part in value.values())
    )


def _scan_lines(path: Path, encoding: str) -> Iterator[Any]:
    for number, line in enumerate(read_lines(path, encoding), start=1):
        if not line.strip():
            continue
        try:
            yield _loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise AnnotationError(
                f"Line {number} of {path.name} is not readable JSON: {reason}.",
                hint="The file may be cut; each line should hold one item.",
            ) from error


def _loads(line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # stricter than the standard library's, which has the last word
        return json.loads(line)


def _scan_values(path: Path, encoding: str, prefix: str | None) -> Iterator[Any]:
    """Yield the values at ``prefix``, or those of the object itself."""
    with _open_source(path, encoding) as file:
        source = _Bounded(file, path.name)
        try:
            if prefix is None:
                for key, value in ijson.kvitems(source, "", use_float=True):
                    source.held = 0
                    if not isinstance(value, dict):
                        raise AnnotationError(
                            f"{path.name} holds no list of annotations: its {key!r} is "
                            f"{type(value).__name__}.",
                            hint=_NO_LIST,
                        )
                    yield value
            else:
                for value in ijson.items(source, prefix, use_float=True):
                    source.held = 0
                    yield value
        except (ijson.JSONError, ValueError, RecursionError) as error:
            raise _unreadable(path, encoding, error) from error


def _has_annotations(path: Path, encoding: str) -> bool:
    """Tell whether an object has a list under ``annotations``."""
    with _open_source(path, encoding) as file:
        events = ijson.parse(_Bounded(file, path.name, limit=None))
        try:
            for prefix, event, value in events:
                if prefix == "" and event == "map_key" and value == "annotations":
                    if next(events)[1] == "start_array":
                        return True
                    raise AnnotationError(
                        f"{path.name} holds no list of annotations.", hint=_NO_LIST
                    )
        except (ijson.JSONError, ValueError, RecursionError) as error:
            raise _unreadable(path, encoding, error) from error
    return False


def _unreadable(path: Path, encoding: str, error: Exception) -> AnnotationError:
    where = f": {' '.join(str(error).split('(right here)')[0].split()[:12])}"
    if path.stat().st_size <= _SMALL:
        try:
            json.loads(path.read_text(encoding=encoding))
        except json.JSONDecodeError as exact:
            where = f": {exact.msg} in line {exact.lineno}"
        except (ValueError, RecursionError) as exact:  # no Unicode, nested too deep, a huge number
            where = f": {exact}"
    return AnnotationError(
        f"{path.name} is not readable JSON{where}.", hint="The file may be cut, or not be JSON."
    )


def _open_source(path: Path, encoding: str) -> "BinaryIO | TextIO":
    """Open UTF-8 as bytes, which the parser takes, all else as text to be encoded."""
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        return open_text(path, encoding)
    file = path.open("rb")
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    return file


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | str: ...


class _Bounded:
    """A source for ijson that stops when it holds more than one item should ever need."""

    def __init__(self, file: _Readable, name: str, *, limit: int | None = MAX_LINE) -> None:
        self._file = file
        self._name = name
        self._limit = limit
        self.held = 0

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.held += len(block)
        if self._limit is not None and self.held > self._limit:
            raise AnnotationError(
                f"{self._name} holds an item longer than {self._limit:,} characters.",
                hint="It is no list of annotations.",
            )
        return block.encode() if isinstance(block, str) else block
