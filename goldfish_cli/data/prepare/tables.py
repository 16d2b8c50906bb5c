"""Read tables of any delimiter and encoding that have a header: a path in, rows out, streamed."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from goldfish_cli.data.text_files import find_encoding, read_lines
from goldfish_cli.errors import AnnotationError

DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_ROWS = 50


def read_table(path: Path, *, required: Sequence[str], what: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table by column; empty lines are left out, all cells are text.

    Args:
        path: The table: CSV, TSV, ...; the header decides the delimiter.
        required: Columns that must be there.
        what: What the table holds, such as ``"the clips of Condensed Movies"``, for messages.

    Raises:
        AnnotationError: If the file is missing or not text, if its header lacks a column or names
            one twice, or if a row has more or fewer cells than the header, with the line number.
    """
    encoding = find_encoding(path)
    delimiter = _delimiter_of_header(path, encoding, required)
    rows = read_rows(path, encoding, delimiter)
    header = _read_header(rows, path, required, what)
    for _, row in rows:
        yield dict(zip(header, row, strict=True))


def read_rows(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty with the number of its first line.

    Raises:
        AnnotationError: If a row has another number of cells than the first, or never ends.
    """
    reader = csv.reader(read_lines(path, encoding), delimiter=delimiter, strict=True)
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _broken(path, line, f"cannot be read: {error}") from error
        if row is None:
            return
        if not row:
            continue
        width = width or len(row)
        if len(row) != width:
            raise _broken(path, line, f"has {len(row)} columns, the first has {width}")
        yield line, row


def find_delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that cuts the first rows into the most columns, the same in each.

    Raises:
        AnnotationError: If none does.
    """
    lines = list(islice(read_lines(path, encoding), _SAMPLE_ROWS))
    widths = {delimiter: _common_width(lines, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: widths[delimiter])
    if widths[best] < 2:
        raise AnnotationError(
            f"{path.name} is no table: no comma, tab, semicolon or bar cuts its first lines "
            "into the same columns.",
            hint="Annotations are CSV, JSON or JSON lines.",
        )
    return best


def _common_width(lines: list[str], delimiter: str) -> int:
    """The number of columns that nine rows in ten have; 0: there is none."""
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:  # a cell without end: this one cuts nothing
        return 0
    if not widths:
        return 0
    width, count = widths.most_common(1)[0]
    return width if count >= 0.9 * widths.total() else 0


def headers(path: Path, encoding: str) -> dict[str, list[str]]:
    """Return the first line that is not empty as each delimiter cuts it."""
    line = next((line for line in read_lines(path, encoding) if line.strip()), "")
    return {
        delimiter: [cell.strip().strip('"') for cell in line.split(delimiter)]
        for delimiter in DELIMITERS
    }


def _delimiter_of_header(path: Path, encoding: str, required: Sequence[str]) -> str:
    found = headers(path, encoding)
    return max(DELIMITERS, key=lambda each: (len({*required} & {*found[each]}), len(found[each])))


def _read_header(
    rows: Iterator[tuple[int, list[str]]], path: Path, required: Sequence[str], what: str
) -> list[str]:
    _, cells = next(rows, (1, []))
    header = [cell.strip() for cell in cells]
    missing = [name for name in required if name not in header]
    if missing:
        raise AnnotationError(
            f"{path.name} has no column {', '.join(missing)}: "
            f"its first line is {_shown(','.join(header)) if header else 'missing'}.",
            hint=f"{what[0].upper()}{what[1:]} should have the columns {', '.join(required)}.",
        )
    check_header(header, path)
    return header


def check_header(header: Sequence[str], path: Path) -> None:
    """Refuse a header that names a column twice.

    Raises:
        AnnotationError: If it does.
    """
    repeated = [name for name, count in Counter(header).items() if count > 1 and name]
    if repeated:
        raise AnnotationError(
            f"{path.name} has more than one column {', '.join(repeated)}.",
            hint="Rename one of them: which is meant cannot be told.",
        )


def _broken(path: Path, line: int, what: str) -> AnnotationError:
    return AnnotationError(
        f"Line {line} of {path.name} {what}.",
        hint="The file may be cut, a quote may be missing, or it is not the table it should be.",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
