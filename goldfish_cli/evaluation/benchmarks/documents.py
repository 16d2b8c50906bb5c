"""Read a JSON file as it circulates: lines or a list, commas too many, whatever its ending says."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from goldfish_cli.data.json_files import scan_json
from goldfish_cli.data.text_files import find_encoding, open_text
from goldfish_cli.errors import AnnotationError

_SPARE_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])')


def is_json(path: Path) -> bool:
    """Tell JSON from a table by the first character that is not empty.

    Raises:
        AnnotationError: If the file is missing, is not text, or is empty.
    """
    encoding = find_encoding(path)
    try:
        with open_text(path, encoding) as file:
            start = file.read(4096).lstrip("\ufeff \t\r\n")
    except UnicodeError as error:
        raise AnnotationError(
            f"{path.name} is not {encoding}: {error}.", hint="Save it as UTF-8."
        ) from error
    if not start:
        raise AnnotationError(
            f"{path.name} holds nothing.", hint="Is it the right file, and whole?"
        )
    return start[0] in "[{"


def read_document(path: Path) -> Any:
    """Return the value that a JSON file holds; of JSON lines, the list of their values.

    Commas before a closing bracket, as in Video-MME's own template, are passed over.

    Raises:
        AnnotationError: If the file is missing or is not JSON, with the line where it goes wrong.
    """
    encoding = find_encoding(path)
    try:
        with open_text(path, encoding) as file:
            text = file.read().lstrip("\ufeff")
    except UnicodeError as error:
        raise AnnotationError(
            f"{path.name} is not {encoding}: {error}.", hint="Save it as UTF-8."
        ) from error
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    with suppress(ValueError, RecursionError):
        return json.loads(_SPARE_COMMA.sub(r"\1", text))
    return list(scan_json(path, encoding))
