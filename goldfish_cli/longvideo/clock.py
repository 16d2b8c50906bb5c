"""Times as people write them in questions, and as answers show them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldfish_cli.longvideo.numerals import AMOUNT, RANK, WHOLE, amount, rank

_CLOCK = r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2}(?:\.\d+)?)"
_UNIT = r"(?:hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|sec|s)"
_SPELLED = re.compile(
    rf"(?<![\w:.])(?:{_CLOCK}(?![\w:])|(?:(\d+(?:\.\d+)?)\s*-?\s*(?P<unit>{_UNIT})\b"
    rf"(?:\s*(?:,|and)?\s*(?P<more>\d+(?:\.\d+)?)\s*(?P<lesser>{_UNIT})\b)?)"
    r"|(minute|second|hour)\s+(\d+(?:\.\d+)?))",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?<![\w:.])(?:(\d{1,3})h)?(\d{1,3})m(\d{1,2})s?(?![\w:])", re.IGNORECASE)
_BARE = re.compile(
    rf"\b(?:between|from)\s+({AMOUNT})\s+(?:and|to|until|-)\s+(?={AMOUNT})", re.IGNORECASE
)
_UNIT_AT_END = re.compile(rf"{_UNIT}$", re.IGNORECASE)
_LONG_UNIT = r"(?:hours?|minutes?|seconds?)"
_WORDED = re.compile(
    rf"\b(?:({AMOUNT}|an?)[-\s]+(?P<unit>{_LONG_UNIT})\b(?:\s+and\s+a\s+(half|quarter)\b)?"
    rf"(?:\s*(?:,|\band\b)?\s*(?P<more>{AMOUNT})[-\s]+(?P<lesser>{_LONG_UNIT})\b)?"
    rf"|(minute|hour)\s+({WHOLE})|({RANK})\s+(minute|hour)\b)",
    re.IGNORECASE,
)
_FACE = re.compile(
    rf"\b(half|(?:a\s+)?quarter)\s+(past|to)\s+({WHOLE})(?!\s*(?:minutes?|hours?|seconds?)\b)",
    re.IGNORECASE,
)
_PLACES = re.compile(
    r"\b(?:at|around|about|after|before|between|from|to|until|till|by|past)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
"""What a time in words follows, as ``two minutes`` alone may as well be a length."""
_LASTS = re.compile(r"\b(?:for|every|within|last(?:s|ed|ing)?|takes?|over|under|than)\s+$", re.I)
_INTO = re.compile(r"\s*(?:in\b|into\b|mark\b|after\b|before\b|later\b|earlier\b)", re.IGNORECASE)
_FROM_START = re.compile(
    r"\s*(?:from|after|past)\s+the\s+(?:start|beginning)\b(?:\s+of\s+the\s+\w+)?", re.IGNORECASE
)
_FROM_END = re.compile(
    r"\s*(?:from|before|until|till)\s+the\s+(?:very\s+)?end\b(?:\s+of\s+the\s+\w+)?", re.IGNORECASE
)
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


def times_in(text: str, *, longest: float | None = None) -> Iterator[Spoken]:
    """Find the times that a question names, in order.

    ``12:30``, ``1:02:03``, ``90 seconds``, ``5 minutes 10 s``, ``two and a half minutes in`` and
    ``minute 5`` are times; so is the 5 of ``between 5 and 6 minutes``. How long something lasts
    is none. A time before the film's end is negative.

    Args:
        text: A question.
        longest: Seconds that a film lasts: ``half past nine`` is 9:30 if it is that long. ``None``:
            it is no time of the film.
    """
    found = [_spoken(match) for match in _lengths(_SPELLED, text)]
    for compact in _COMPACT.finditer(text):
        hours, minutes, seconds = (float(part or 0) for part in compact.groups())
        total = 3600 * hours + 60 * minutes + seconds
        found.append(Spoken(total, *compact.span(), 1.0))
    found += [one for match in _lengths(_WORDED, text) if (one := _worded(match))]
    found += [one for match in _FACE.finditer(text) if (one := _face(match, longest))]
    found = [one for one in _longest(found) if not _LASTS.search(text[: one.begin])]
    for bare in _BARE.finditer(text):
        following = next((one for one in found if one.begin == bare.end()), None)
        number = amount(bare[1])
        if following is not None and number is not None:
            unit = _UNIT_AT_END.search(text[following.begin : following.end])
            size = _size(unit[0]) if unit else 1.0
            found.append(Spoken(number * size, *bare.span(1), 0.0))
    yield from sorted((_counted_from(one, text) for one in found), key=lambda one: one.begin)


def _lengths(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Find what a pattern matches; of ``2 minutes and 3 minutes`` each by itself."""
    at = 0
    while match := pattern.search(text, at):
        if match["more"] and _size(match["lesser"]) >= _size(match["unit"]):
            at = match.start("more")
            match = pattern.search(text, match.start(), at)
            if match is None:
                continue
        else:
            at = match.end()
        yield match


def _size(unit: str) -> float:
    return _SECONDS[unit[0].lower()]


def _worded(match: re.Match[str]) -> Spoken | None:
    """A time in words where it names a place on the timeline, not a length or a rank."""
    count, unit, part, more, lesser, word, number, place, whole = match.groups()
    text = match.string
    if word is not None:
        size = _size(word)
        return Spoken((amount(number) or 0.0) * size, *match.span(), size)
    if place is not None:
        size = _size(whole)
        return Spoken(((rank(place) or 1) - 1) * size, *match.span(), size)
    is_article = count.lower() in ("a", "an")
    total = (1.0 if is_article else amount(count) or 0.0) + (amount(part or "") or 0.0)
    total *= _size(unit)
    if more is not None:
        total += (amount(more) or 0.0) * _size(lesser)
    before, after = text[: match.start()], text[match.end() :]
    follows = _INTO.match(after) or _FROM_START.match(after) or _FROM_END.match(after)
    leads = _PLACES.search(before) and not (is_article and unit.lower() == "second")
    second = re.search(r"\b(?:between|from)\b.*\band\s+$", before, re.IGNORECASE)
    if not (follows or leads or second):
        return None
    return Spoken(total, *match.span(), 1.0)


def _face(match: re.Match[str], longest: float | None) -> Spoken | None:
    """``half past nine`` on a clock that shows the film's minutes."""
    part, side, number = match.groups()
    share = 30.0 if part.lower() == "half" else 15.0
    total = (amount(number) or 0.0) * 60 + (share if side.lower() == "past" else -share)
    if longest is None or total > longest or (part.lower() == "half" and side.lower() == "to"):
        return None
    return Spoken(total, *match.span(), 1.0)


def _longest(found: Sequence[Spoken]) -> list[Spoken]:
    """Of times that share characters, the one that is written with the most."""
    kept: list[Spoken] = []
    for one in sorted(found, key=lambda one: (one.begin - one.end, one.begin)):
        if all(one.end <= other.begin or one.begin >= other.end for other in kept):
            kept.append(one)
    return kept


def _counted_from(one: Spoken, text: str) -> Spoken:
    """Take in what a time is counted from: ``two minutes before the end``."""
    after = text[one.end :]
    if match := _FROM_END.match(after):
        return Spoken(-one.seconds, one.begin, one.end + match.end(), one.precise_to)
    if match := _FROM_START.match(after):
        return Spoken(one.seconds, one.begin, one.end + match.end(), one.precise_to)
    return one


def _spoken(match: re.Match[str]) -> Spoken:
    hours, minutes, seconds, number, unit, more, lesser, word, count = match.groups()
    if seconds is not None:
        total = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
        return Spoken(total, *match.span(), 1.0)
    if word is not None:  # "minute 5" begins when five minutes have passed
        size = _size(word)
        return Spoken(float(count) * size, *match.span(), size)
    total = float(number) * _size(unit)
    if more is not None:
        total += float(more) * _size(lesser)
    return Spoken(total, *match.span(), 1.0)
