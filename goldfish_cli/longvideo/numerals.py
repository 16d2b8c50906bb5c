"""Numbers as English writes them, up to 99: ``twenty-five``, ``two and a half``, ``half an``."""

from __future__ import annotations

import re

_BELOW_TWENTY = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_RANKS = _ORDINALS.split()
_SMALL = {word: number for number, word in enumerate(_BELOW_TWENTY.split())}
_LARGE = {word: 10 * number for number, word in enumerate(_TENS.split(), start=2)}
_PARTS = {"half": 0.5, "quarter": 0.25}

_WHOLE = (
    rf"(?:(?:{'|'.join(_LARGE)})(?:[-\s](?:{'|'.join(list(_SMALL)[1:10])}))?"
    rf"|{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
)
_REST = r"\s+and\s+a\s+(?:half|quarter)"
WHOLE = rf"(?:{_WHOLE}\b|\d+\b)"
"""A pattern of a whole number, in words or digits."""
AMOUNT = (
    rf"(?:(?:{_WHOLE}|\d+){_REST}\b|(?:a\s+)?half(?:\s+an?)?\b|(?:a\s+)?quarter\s+of\s+an?\b"
    rf"|three\s+quarters\s+of\s+an?\b|\d+(?:\.\d+)?\b|{_WHOLE}\b)"
)
"""A pattern of how many there are of a unit, before the unit."""
RANK = rf"(?:{'|'.join(_RANKS)}|\d+(?:st|nd|rd|th))"
"""A pattern of an ordinal."""


def amount(text: str) -> float | None:
    """Read what ``AMOUNT`` matches; ``None`` if a text is no such number."""
    words = re.split(r"[-\s]+", text.strip().lower())
    if not words or words == [""]:
        return None
    if words[:2] == ["three", "quarters"]:
        return 0.75
    total = 0.0
    for word in words:
        value = _value(word)
        if value is None and word not in ("a", "an", "and", "of"):
            return None
        total += value or 0.0
    return total


def rank(text: str) -> int | None:
    """Read what ``RANK`` matches: ``second`` is 2; ``None`` if a text is no ordinal."""
    text = text.strip().lower()
    if text in _RANKS:
        return _RANKS.index(text) + 1
    match = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", text)
    return int(match[1]) if match and int(match[1]) else None


def _value(word: str) -> float | None:
    if re.fullmatch(r"\d+(?:\.\d+)?", word):
        return float(word)
    for known in (_SMALL, _LARGE, _PARTS):
        if word in known:
            return float(known[word])
    return None
