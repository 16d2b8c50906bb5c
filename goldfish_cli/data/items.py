"""Read annotation files of every known format, an item at a time, and say how prep writes them.

This is the one home of the formats: prep, check and train all read through it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfish_cli.data.item_keys import (
    ItemError,
    find_keys,
    read_caption,
    read_extra,
    read_id,
    read_turns,
)
from goldfish_cli.data.item_tables import scan_rows
from goldfish_cli.data.json_files import LINE_SUFFIXES, scan_json
from goldfish_cli.data.text_files import count_lines, find_encoding, open_text
from goldfish_cli.errors import AnnotationError

FORMATS = (
    'Items look like {"image_id": "a", "caption": "..."}, {"video_id": "a", "q": "...", '
    '"a": "..."} or {"video_id": "a", "conversations": [...]}'
)
_SAMPLE = 2**20  # bytes of a line that are looked at
_JSON_SUFFIXES = (".json", *LINE_SUFFIXES)
_TABLE_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class Item:
    """What is said about one video or image: turns of question and answer, or a caption."""

    number: int  # in its file, from 1
    id: str
    turns: tuple[tuple[str, str], ...]
    caption: str | None
    extra: dict[str, Any]
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item that cannot be used."""

    number: int
    raw: Any
    reason: str
    """What to count it under, such as ``no-answer``."""
    detail: str
    """What is wrong, after "Item 3 of train.json ..."."""


def scan_items(path: Path) -> Iterator[Item | BadItem]:
    """Read an annotation file of any known format, streamed.

    Args:
        path: CSV or TSV with or without header, JSON, or JSON lines, in any encoding.

    Yields:
        Every item in the order of the file, also those that cannot be used.

    Raises:
        AnnotationError: If the file itself is missing, cut, or in no known format.
    """
    encoding = find_encoding(path)
    with open_text(path, encoding) as file:
        start = file.read(4096).lstrip("\ufeff \t\r\n")
    if not start:
        raise AnnotationError(f"{path.name} holds nothing.", hint=FORMATS)
    suffix = path.suffix.lower()
    is_json = start[0] in "[{" and suffix not in _TABLE_SUFFIXES
    if suffix in _JSON_SUFFIXES and not is_json:
        raise AnnotationError(
            f"{path.name} is not readable JSON: it begins with {start[:20]!r}.", hint=FORMATS
        )
    values = scan_json(path, encoding) if is_json else scan_rows(path, encoding)
    for number, value in enumerate(values, start=1):
        yield read_item(number, value)


def estimate_items(path: Path) -> int | None:
    """Return about how many items a file holds if each has a line, for a progress bar.

    ``None`` for JSON that is laid out otherwise: to count is as much work as to read.
    """
    if path.suffix.lower() == ".json":
        with path.open("rb") as file:
            first, second = file.readline(_SAMPLE).strip(), file.readline(_SAMPLE).strip()
        if first != b"[" or not second.endswith((b"},", b"}")):
            return None
    return count_lines(path)


def read_item(number: int, value: Any) -> Item | BadItem:
    """Read one item, as it stands in a file, of any known shape."""
    if not isinstance(value, Mapping):
        detail = f"is {type(value).__name__}, not an object"
        return BadItem(number, value, "not-an-object", detail)
    raw = dict(value)
    keys = find_keys(tuple(raw))
    try:
        name = read_id(raw, keys)
        turns = read_turns(raw, keys)
        caption = None if turns else read_caption(raw, keys)
        return Item(number, name, turns, caption, read_extra(raw, keys), raw)
    except ItemError as error:
        return BadItem(number, raw, error.reason, error.detail)


def to_record(item: Item) -> dict[str, Any]:
    """Return an item as prep writes it and train reads it; reading it again gives the same."""
    if item.caption is not None:
        return {"image_id": item.id, "caption": item.caption, **item.extra}
    if len(item.turns) == 1:
        question, answer = item.turns[0]
        return {"video_id": item.id, "q": question, "a": answer, **item.extra}
    turns = [{"q": question, "a": answer} for question, answer in item.turns]
    return {"video_id": item.id, "conversations": turns, **item.extra}
