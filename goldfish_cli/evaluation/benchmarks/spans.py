"""Read which part of a video a question is about: "12.3-45.6", "01:02-01:10", [12.3, 45.6]."""

from __future__ import annotations

import math
from typing import Any

from goldfish_cli.evaluation.benchmarks.rows import Row

_UNKNOWN = {"nan", "none", "null", ""}


def read_span(row: Row, *names: str) -> tuple[float | None, float | None]:
    """Return start and end in seconds; ``None`` for what is not known, such as "NaN-NaN".

    Raises:
        AnnotationError: If what stands there are no times.
    """
    value = row.get(*names)
    if value is None:
        return None, None
    parts = _parts(value)
    if len(parts) != 2:
        raise row.error(f"has as {names[0]} {value!r}, not a start and an end")
    try:
        start, end = (_seconds(part) for part in parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise row.error(f"has as {names[0]} {value!r}, which are no times") from error
    if start is not None and end is not None and end < start:
        return None, None
    return start, end


def _parts(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        bare = value.strip("[]() ")
        return bare.split("," if "," in bare else "-")
    return [value]


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if text.casefold() in _UNKNOWN:
            return None
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return None if math.isnan(total) else total
    if value is None:
        return None
    number = float(value)
    return None if math.isnan(number) else number
