"""Read tables of annotations, with a header or without: a path in, one mapping a row out."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path

from goldfish_cli.data.item_keys import find_keys
from goldfish_cli.data.prepare.tables import check_header, find_delimiter, headers, read_rows
from goldfish_cli.errors import AnnotationError

_SAMPLE_ROWS = 50
_HEADER_HINT = "Give the file a first line that names its columns, such as: video_id,q,a"


def scan_rows(path: Path, encoding: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table by column, the columns guessed where there is no header.

    Without a header, the id is the first column that never holds a space (a column that counts
    the rows is passed over); the others are question and answer, or the caption if only one is
    left. A column with question marks is the question.

    Raises:
        AnnotationError: If the file is no table, or what its columns hold cannot be told.
    """
    rows = read_rows(path, encoding, _delimiter(path, encoding))
    sample = [row for _, row in islice(rows, _SAMPLE_ROWS)]
    if _is_header(sample):
        header = [cell.strip() for cell in sample.pop(0)]
        check_header(header, path)
        _check_columns(header, path)
    else:
        header = _guess_columns(sample, path)
    for row in chain(sample, (row for _, row in rows)):
        yield {name: cell for name, cell in zip(header, row, strict=True) if name}


def _delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that cuts a header into known names, else the one that fits the rows."""
    for delimiter, names in headers(path, encoding).items():
        keys = find_keys(tuple(names))
        if keys.ids and (keys.question or keys.caption):
            return delimiter
    return find_delimiter(path, encoding)


def _is_header(sample: list[list[str]]) -> bool:
    """Tell a header by a name that is known; else by names above columns of prose."""
    keys = find_keys(tuple(cell.strip() for cell in sample[0]))
    if keys.ids or keys.question or keys.caption:
        return True
    names = all(cell.strip().isidentifier() or not cell.strip() for cell in sample[0])
    prose = sum(any(" " in cell.strip() for cell in row) for row in sample[1:])
    return names and prose > len(sample) // 2


def _check_columns(header: Sequence[str], path: Path) -> None:
    keys = find_keys(tuple(header))
    missing = []
    if not keys.ids:
        missing.append("the video (such as video_id)")
    if not keys.caption and not keys.question:
        missing.append("the question or the caption (such as q, caption)")
    elif not keys.caption and not keys.answer:
        missing.append("the answer (such as a)")
    if missing:
        raise AnnotationError(
            f"{path.name} has no column for {' nor for '.join(missing)}: "
            f"its columns are {', '.join(header)}.",
            hint=_HEADER_HINT,
        )


def _guess_columns(sample: list[list[str]], path: Path) -> list[str]:
    columns = [[row[place].strip() for row in sample] for place in range(len(sample[0]))]
    places = [place for place, cells in enumerate(columns) if not _counts(cells)]
    ids = [place for place in places if all(cell and " " not in cell for cell in columns[place])]
    texts = [place for place in places if place not in ids[:1]]
    lengths = [texts.pop()] if len(texts) == 3 and _is_number(columns[texts[2]]) else []
    if not ids or len(texts) not in (1, 2):
        raise AnnotationError(
            f"{path.name} has no header, and what its {len(columns)} columns hold cannot be told.",
            hint=_HEADER_HINT,
        )
    texts.sort(key=lambda place: -_questions(columns[place]))
    names = ["q", "a"] if len(texts) == 2 else ["caption"]
    guessed = {ids[0]: "video_id" if len(texts) == 2 else "image_id"}
    guessed |= dict(zip(texts, names, strict=True)) | dict.fromkeys(lengths, "length")
    return [guessed.get(place, "") for place in range(len(columns))]


def _counts(cells: list[str]) -> bool:
    """Tell a column of row numbers, as pandas writes it."""
    if len(cells) < 2 or not all(cell.isdecimal() for cell in cells):
        return False
    return all(int(b) == int(a) + 1 for a, b in pairwise(cells))


def _is_number(cells: list[str]) -> bool:
    return all(cell.replace(".", "", 1).isdecimal() for cell in cells)


def _questions(cells: list[str]) -> int:
    return sum(cell.endswith("?") for cell in cells)
