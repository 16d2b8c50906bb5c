"""Times as people write them in questions, and as answers show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CLOCK = r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2}(?:\.\d+)?)"
_UNIT = r"(hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|sec|s)"
_SPELLED = re.compile(
    rf"(?<![\w:.])(?:{_CLOCK}(?![\w:])|(?:(\d+(?:\.\d+)?)\s*-?\s*{_UNIT}\b"
    rf"(?:\s*(?:,|and)?\s*(\d+(?:\.\d+)?)\s*{_UNIT}\b)?)|(minute|second|hour)\s+(\d+(?:\.\d+)?))",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?<![\w:.])(?:(\d{1,3})h)?(\d{1,3})m(\d{1,2})s?(?![\w:])", re.IGNORECASE)
_BARE = re.compile(r"\b(between|from)\s+(\d+(?:\.\d+)?)\s+(and|to|until|-)\s+(?=\d)", re.IGNORECASE)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A time in a text: what it says, and where it stands."""

    seconds: float
    begin: int
    """Of its characters, the first."""
    end: int
    precise_to: float
    """Seconds that the wording leaves open: ``minute 5`` means all of that minute."""


def clock(seconds: float) -> str:
    """Write a time as ``m:ss``, or ``h:mm:ss`` from an hour on."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def span(start: float, end: float) -> str:
    """Write a span as ``1:02-1:08``, or as one time where both look the same."""
    first, last = clock(start), clock(end)
    return first if first == last else f"{first}-{last}"


def times_in(text: str) -> Iterator[Spoken]:
    """Find the times that a question names, in order.

    ``12:30``, ``1:02:03``, ``90 seconds``, ``5 minutes 10 s`` and ``minute 5`` are times; so is the
    5 of ``between 5 and 6 minutes``.
    """
    found = [_spoken(match) for match in _SPELLED.finditer(text)]
    for bare in _BARE.finditer(text):
        following = next((one for one in found if one.begin >= bare.end()), None)
        if following is None or following.begin != bare.end():
            continue
        unit = _SECONDS[_unit_of(text[following.begin : following.end])]
        begin, end = bare.span(2)
        found.append(Spoken(float(bare[2]) * unit, begin, end, 0.0))
    for compact in _COMPACT.finditer(text):
        hours, minutes, seconds = (float(part or 0) for part in compact.groups())
        total = 3600 * hours + 60 * minutes + seconds
        found.append(Spoken(total, *compact.span(), 1.0))
    yield from sorted(found, key=lambda one: one.begin)


def _spoken(match: re.Match[str]) -> Spoken:
    hours, minutes, seconds, number, unit, more, lesser, word, count = match.groups()
    if seconds is not None:
        total = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        return Spoken(total, *match.span(), 1.0)
    if word is not None:  # "minute 5" begins when five minutes have passed
        size = _SECONDS[word[0].lower()]
        return Spoken(float(count) * size, *match.span(), size)
    total = float(number) * _SECONDS[unit[0].lower()]
    if more is not None:
        total += float(more) * _SECONDS[lesser[0].lower()]
    return Spoken(total, *match.span(), 1.0)


def _unit_of(text: str) -> str:
    letters = re.findall(r"[a-z]+", text.lower())
    return letters[0][0] if letters and letters[0][0] in _SECONDS else "s"
