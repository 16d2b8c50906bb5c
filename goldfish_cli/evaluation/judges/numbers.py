"""Bring numbers to one form: ``twenty one`` and ``21`` to ``#21``, ``first`` to ``#1th``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from goldfish_cli.evaluation.judges.tables import (
    NOT_COUNTING_ONE,
    ORDINALS,
    SCALES,
    TEN_ORDINALS,
    TENS,
    UNITS,
)

_VALUES = {word: value for value, word in enumerate(UNITS)} | {
    word: 10 * value for value, word in enumerate(TENS, start=2)
}
_ORDINALS = {word: value for value, word in enumerate(ORDINALS)} | {
    word: 10 * value for value, word in enumerate(TEN_ORDINALS, start=2)
}
_DIGITS = re.compile(r"(\d+)(st|nd|rd|th)?")


def join_numbers(words: Sequence[str]) -> list[str]:
    """Replace number words and digits by ``#`` and the number, with ``th`` where it orders."""
    found: list[str] = []
    position = 0
    while position < len(words):
        number, length = _number_at(words, position)
        found.append(number)
        position += length
    return found


def is_number(word: str) -> bool:
    """Tell whether a word is a number as ``join_numbers`` writes it."""
    return word.startswith("#")


def _number_at(words: Sequence[str], start: int) -> tuple[str, int]:
    """Read the number that starts at a word, and how many words it takes; else the word."""
    word = words[start]
    if digits := _DIGITS.fullmatch(word):
        plain = "".join(str(int(digit)) for digit in digits[1]).lstrip("0") or "0"
        return f"#{plain}{'th' if digits[2] else ''}", 1
    if word == "one" and start and words[start - 1] in NOT_COUNTING_ONE:
        return word, 1
    return _spelled_at(words, start)


def _spelled_at(words: Sequence[str], start: int) -> tuple[str, int]:
    total = part = 0
    previous = ""  # the kind of the word before: what may follow depends on it
    position = start
    while position < len(words):
        word = words[position]
        if word in _VALUES and (not previous or _fits(_VALUES[word], part, previous)):
            part += _VALUES[word]
            previous = "tens" if _VALUES[word] >= 20 else "unit"
        elif word in SCALES and previous and previous != word and _scales(word, part, total):
            if word == "hundred":
                part *= 100
            else:
                total, part = total + part * SCALES[word], 0
            previous = word
        elif word in _ORDINALS and (not previous or _fits(_ORDINALS[word], part, previous)):
            return f"#{total + part + _ORDINALS[word]}th", position - start + 1
        elif word == "and" and previous in SCALES and _continues(words, position + 1):
            pass
        else:
            break
        position += 1
    if position == start:
        return words[start], 1
    return f"#{total + part}", position - start


def _scales(word: str, part: int, total: int) -> bool:
    """Tell whether a word such as ``hundred`` can follow: numbers that go on and on are none."""
    return part < 100 if word == "hundred" else part < 1000 and total < 10**12


def _fits(value: int, part: int, previous: str) -> bool:
    """Tell whether a number word adds to those before, as ``one`` does to ``twenty``."""
    if previous == "tens":
        return 0 < value < 10
    return previous in SCALES and value > 0 and (part == 0 or part % 100 == 0)


def _continues(words: Sequence[str], position: int) -> bool:
    return position < len(words) and (words[position] in _VALUES or words[position] in _ORDINALS)
