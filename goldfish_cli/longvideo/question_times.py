"""Which times a question names: edges and shares of a film, times on its clock, and how far off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from goldfish_cli.longvideo.clock import Spoken
from goldfish_cli.longvideo.numerals import AMOUNT, RANK, amount, rank

_EDGE = re.compile(
    rf"\b(?:the\s+)?(first|opening|last|final|closing)\s+(?:({AMOUNT})[-\s]+)?"
    r"(seconds?|minutes?|hours?)\b",
    re.IGNORECASE,
)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SHARE = re.compile(
    rf"\b(?P<which>{RANK}|last|final|middle)\s+(?P<part>half|third|quarter)"
    r"(?:\s+of\s+(?:the|this)\s+(?:film|video|movie|whole)\b|(?=[\s?.!]*$))"
    r"|\b(?P<middle>(?:in|at|around) the middle of (?:the|this) (?:film|video|movie)"
    r"|halfway (?:through|into)(?: (?:the|this) (?:film|video|movie))?)\b",
    re.IGNORECASE,
)
_PARTS = {"half": 2, "third": 3, "quarter": 4}
_OFFSET = re.compile(
    r"\s*(?:(after|later than|past)|(before|earlier than|ahead of|prior to))\b", re.I
)
_FROM_TO = re.compile(r"\b(?:between|from)\b|\bto\b|\buntil\b|-|\u2013", re.IGNORECASE)


def edge_of(text: str) -> tuple[float, float] | None:
    """The first or the last seconds, minutes or hours, if a question names them."""
    match = _EDGE.search(text)
    if match is None:
        return None
    which, number, unit = (part.lower() if part else "1" for part in match.groups())
    count = amount(number)
    if count is None:
        return None
    length = count * _UNITS[unit[0]]
    return (0.0, length) if which in ("first", "opening") else (-length, 0.0)


def without_edge(text: str) -> str:
    """Leave out what ``edge_of`` reads."""
    return _EDGE.sub("", text)


def share_of(text: str) -> tuple[tuple[float, float] | None, str]:
    """The part of a film that is named by its share, such as its second half."""
    match = _SHARE.search(text)
    if match is None:
        return None, text
    if match["middle"]:
        return (0.5, 0.5), text[: match.start()] + text[match.end() :]
    parts = _PARTS[match["part"].lower()]
    which = match["which"].lower()
    if which == "middle":
        place = 2 if parts == 3 else None
    else:
        place = parts if which in ("last", "final") else rank(which)
    if place is None or place > parts:
        return None, text
    return ((place - 1) / parts, place / parts), text[: match.start()] + text[match.end() :]


def span_of(spoken: Sequence[Spoken], text: str) -> tuple[float, ...]:
    """The time that is asked about, or its start and end where two are named or a whole minute."""
    if len(spoken) > 1 and _FROM_TO.search(text):
        first, last = sorted((spoken[0].seconds, spoken[1].seconds))
        return first, last
    if spoken and spoken[0].precise_to > 1.0:
        return spoken[0].seconds, spoken[0].seconds + spoken[0].precise_to
    return tuple(one.seconds for one in spoken[:1])


def offset_of(spoken: Sequence[Spoken], text: str) -> float:
    """Seconds from something that is named: ``ten seconds after the star grows``."""
    if len(spoken) != 1:
        return 0.0
    match = _OFFSET.match(text[spoken[0].end :])
    if match is None:
        return 0.0
    return spoken[0].seconds if match[1] else -spoken[0].seconds


def without_times(text: str, spoken: Iterable[Spoken]) -> str:
    """Leave the times out of a question, with the words that lead to them."""
    for one in reversed(list(spoken)):
        text = text[: one.begin] + "\x00" + text[one.end :]
    lead = (
        r"(?:\s*\b(?:at|around|about|between|from|to|and|until|till|in|during|by|after|before)\b)*"
    )
    return re.sub(rf"{lead}\s*(?:minutes?\s*)?\x00", "", text, flags=re.IGNORECASE).lstrip(" ,:")
