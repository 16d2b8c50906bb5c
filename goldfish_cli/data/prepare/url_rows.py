"""Read rows that name addresses: parquet, tables, JSON, JSON lines or a plain list, streamed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from goldfish_cli.data.json_files import LINE_SUFFIXES, scan_json
from goldfish_cli.data.prepare.parquet import PARQUET_SUFFIXES, read_parquet
from goldfish_cli.data.prepare.tables import check_header, find_delimiter, read_rows
from goldfish_cli.data.text_files import find_encoding, read_lines
from goldfish_cli.errors import AnnotationError

TABLE_SUFFIXES = (*PARQUET_SUFFIXES, ".csv", ".tsv", ".json", *LINE_SUFFIXES)
URL_NAMES = ("url", "image_url", "img_url", "image_link", "contenturl", "link", "href", "src")
CAPTION_NAMES = ("caption", "text", "top_caption", "alt_text", "alt", "description", "title")
_SCHEMES = ("http://", "https://")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(frozen=True, slots=True)
class UrlRow:
    """A row and the address it names; ``""`` where it names none."""

    url: str
    caption: str
    raw: Mapping[str, Any]


def scan_url_rows(
    path: Path,
    *,
    url_column: str | None = None,
    caption_column: str | None = None,
    url_names: Sequence[str] = URL_NAMES,
    whole: bool = False,
) -> Iterator[UrlRow]:
    """Read a file of addresses.

    Args:
        path: Parquet, CSV, TSV (header or not), JSON, JSON lines, or one address a line.
        url_column: Column of the addresses; ``None`` looks for a known name, then for addresses.
        caption_column: Column of the captions; ``None`` looks for a known name.
        url_names: Names of an address column, lower case, the best first.
        whole: Read all columns of a parquet file, not just the two.

    Yields:
        Every row, in the order of the file.

    Raises:
        AnnotationError: If the file cannot be read, or has no such column.
        UsageError: If it is parquet and pyarrow is not installed.
    """
    chosen: dict[tuple[str, ...], tuple[str | None, str | None]] = {}
    wanted = (url_column, caption_column)
    for raw in _read_raw(path, wanted, url_names, whole=whole):
        names = tuple(raw)
        if names not in chosen:
            chosen[names] = _choose(path, raw, wanted, url_names, is_first=not chosen)
        url, caption = chosen[names]
        yield UrlRow(_text(raw, url), _text(raw, caption), raw)


def _read_raw(
    path: Path, wanted: tuple[str | None, str | None], url_names: Sequence[str], *, whole: bool
) -> Iterator[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        known = {*url_names, *CAPTION_NAMES, *(name.lower() for name in wanted if name)}
        yield from read_parquet(path, None if whole else known)
        return
    encoding = find_encoding(path)
    if suffix == ".json" or suffix in LINE_SUFFIXES:
        for value in scan_json(path, encoding):
            yield value if isinstance(value, Mapping) else {"url": value}
    else:
        yield from _read_table(path, encoding, wanted, url_names)


def _read_table(
    path: Path, encoding: str, wanted: tuple[str | None, str | None], url_names: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    rows = _read_cells(path, encoding)
    head = [cell.strip() for cell in next(rows, [])]
    if _is_header(head, wanted, url_names):
        check_header(head, path)
    else:
        rows = chain([head], rows)
        head = _name_columns(head)
    for row in rows:
        yield dict(zip(head, row, strict=True))


def _read_cells(path: Path, encoding: str) -> Iterator[list[str]]:
    first = next((line for line in read_lines(path, encoding) if line.strip()), "")
    suffix = path.suffix.lower()
    if suffix == ".txt" or not any(mark in first for mark in ",;|\t"):
        return ([line.strip()] for line in read_lines(path, encoding) if line.strip())
    if suffix == ".tsv":
        return _read_tabs(path, encoding)
    return (row for _, row in read_rows(path, encoding, find_delimiter(path, encoding)))


def _read_tabs(path: Path, encoding: str) -> Iterator[list[str]]:
    """Read columns set apart by tabs, in which a quote is a quote: captions begin with them."""
    width = 0
    for number, line in enumerate(read_lines(path, encoding), start=1):
        cells = [_unquote(cell) for cell in line.rstrip("\r\n").split("\t")]
        width = width or len(cells)
        if not line.strip():
            continue
        if len(cells) != width:
            raise AnnotationError(
                f"Line {number} of {path.name} has {len(cells)} columns, the first has {width}.",
                hint="The file may be cut, or it is not the table it should be.",
            )
        yield cells


def _unquote(cell: str) -> str:
    """Resolve the quotes that spreadsheets and pandas put around a whole cell."""
    return cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell


def _is_header(
    cells: list[str], wanted: tuple[str | None, str | None], url_names: Sequence[str]
) -> bool:
    known = {*url_names, *(name.lower() for name in wanted if name)}
    return any(cell.lower() in known for cell in cells) or (
        len(cells) > 1 and not any(cell.startswith(_SCHEMES) for cell in cells)
    )


def _name_columns(cells: list[str]) -> list[str]:
    """Name the columns of a table without a header by what its first row holds."""
    url = next((i for i, cell in enumerate(cells) if cell.startswith(_SCHEMES)), 0)
    texts = [i for i in range(len(cells)) if i != url]
    caption = max(texts, key=lambda i: len(cells[i]), default=-1)
    names = {url: "url", caption: "caption"}
    return [names.get(i, f"column {i + 1}") for i in range(len(cells))]


def _choose(
    path: Path,
    raw: Mapping[str, Any],
    wanted: tuple[str | None, str | None],
    url_names: Sequence[str],
    *,
    is_first: bool,
) -> tuple[str | None, str | None]:
    """Choose the columns of rows with these names. Rows of JSON may differ; the first decides."""
    columns = {name.strip().lower(): name for name in reversed(tuple(raw))}
    url = _pick(columns, wanted[0], url_names)
    if url is None and wanted[0] is None:
        url = next((name for name in raw if _text(raw, name).startswith(_SCHEMES)), None)
    caption = _pick(columns, wanted[1], CAPTION_NAMES)
    if is_first and url is None:
        raise _no_column(path, raw, wanted[0] or "of addresses", "--url-column")
    if is_first and wanted[1] and caption is None:
        raise _no_column(path, raw, wanted[1], "--caption-column")
    return url, caption


def _pick(columns: Mapping[str, str], wanted: str | None, names: Sequence[str]) -> str | None:
    if wanted is not None:
        return columns.get(wanted.lower())
    return next((columns[name] for name in names if name in columns), None)


def _no_column(path: Path, raw: Mapping[str, Any], wanted: str, option: str) -> AnnotationError:
    return AnnotationError(
        f"{path.name} has no column {wanted}: it has {', '.join(map(str, raw)) or 'no columns'}.",
        hint=f"Name the column with {option} NAME",
    )


def _text(raw: Mapping[str, Any], name: str | None) -> str:
    value = None if name is None else raw[name]
    return "" if value is None else str(value).strip()
