"""Numbers as a report writes them, the same everywhere; what is not known is a dash, never a 0."""

from __future__ import annotations

from math import isfinite
from typing import Any

UNKNOWN = _DASH = "\N{EN DASH}"
SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def known(value: Any) -> float | None:
    """Give a finite number, or ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None


def known_interval(ends: Any) -> tuple[float, float] | None:
    """Give two finite numbers, or ``None`` for anything else."""
    if not isinstance(ends, (tuple, list)) or len(ends) != 2:
        return None
    low, high = map(known, ends)
    return None if low is None or high is None else (low, high)


def percent(share: Any) -> str:
    """Write a share as a percentage without its sign: ``63.4``."""
    value = known(share)
    return UNKNOWN if value is None else f"{100 * value:.1f}"


def percent_interval(ends: Any) -> str:
    """Write an interval of shares: ``61.2 – 68.9``."""
    both = known_interval(ends)
    return UNKNOWN if both is None else f"{percent(both[0])} {_DASH} {percent(both[1])}"


def points(difference: Any) -> str:
    """Write a difference of shares in percentage points, with its sign: ``+12.3``."""
    value = known(difference)
    return UNKNOWN if value is None else f"{100 * value:+.1f}".replace("-", _MINUS)


def grade(score: Any) -> str:
    """Write a grade from 0 to 5: ``3.41``."""
    value = known(score)
    return UNKNOWN if value is None else f"{value:.2f}"


def grade_interval(ends: Any) -> str:
    """Write an interval of grades: ``3.12 – 3.70``."""
    both = known_interval(ends)
    return UNKNOWN if both is None else f"{grade(both[0])} {_DASH} {grade(both[1])}"


def coefficient(value: Any) -> str:
    """Write a number that is neither share nor grade: ``0.423``."""
    number = known(value)
    if number is None:
        return UNKNOWN
    return f"{number:,.3f}".replace("-", _MINUS)


def coefficient_interval(ends: Any) -> str:
    """Write an interval of such numbers: ``0.381 – 0.465``."""
    both = known_interval(ends)
    return UNKNOWN if both is None else f"{coefficient(both[0])} {_DASH} {coefficient(both[1])}"


def count(number: Any) -> str:
    """Write a whole number: ``2,000``."""
    value = known(number)
    return UNKNOWN if value is None else f"{round(value):,}"


def counted(number: int, noun: str) -> str:
    """Write how many of something there are: ``1 question``, ``2,000 questions``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def with_unit(text: str, unit: str) -> str:
    """Put a unit behind a number, unless it is unknown."""
    return text if text == UNKNOWN else f"{text}{SPACE}{unit}"
