"""Tell options from the text they stand in, and which of them an answer means.

Options circulate as lists, as columns, and inside the question, with letters and without; answers
as an index from 0, as that index in text, as a letter, and as the option's text.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from goldfish_cli.evaluation.benchmarks.rows import Row

Way = Literal["index", "letter", "text"]
"""How an answer may name an option."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_AT_LINE = re.compile(r"^[ \t]*(?:\(([A-Z])\)|([A-Z])[.):])[ \t]*", re.MULTILINE)
_IN_LINE = re.compile(r"(?:^|(?<=\s))\(([A-Z])\)[ \t]*")
_LETTER = re.compile(r"\(?([A-Za-z])\)?(?:$|[.):]\s*$)")
_LETTER_AND_TEXT = re.compile(r"(?:\(([A-Z])\)|([A-Z])[.):])\s+\S")
_INDEX = re.compile(r"a?(\d+)")
_LEAD = re.compile(
    r"\A\s*(?:Select the best answer to the following multiple-choice question[^\n]*\n)?"
    r"\s*(?:Question:[ \t]*)?"
)
_HEAD = re.compile(r"\s*\b(?:Options|Choices|Candidates):\s*\Z")
_TAIL = re.compile(r"(?:\n[ \t]*(?:Only give the best option|Answer with|Best option)[^\n]*)+\s*\Z")


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Cut a question from the options inside it, "(A) ..." or "A. ..." at the start of lines.

    Options within one line are only told where their letters stand in round brackets. Headings
    ("Question:", "Options:") and instructions ("Only give the best option.") go; an option of
    several lines becomes one. Without at least the options A and B the text is all question.
    """
    body = _LEAD.sub("", _TAIL.sub("", text))
    for pattern in (_AT_LINE, _IN_LINE):
        found = _successive(list(pattern.finditer(body)))
        if found:
            ends = [match.start() for match in found[1:]] + [len(body)]
            options = [
                " ".join(body[match.end() : end].split())
                for match, end in zip(found, ends, strict=True)
            ]
            if _enough(options):
                return _HEAD.sub("", body[: found[0].start()]).strip(), tuple(options)
    return body.strip(), ()


def _enough(options: Sequence[str]) -> bool:
    """Tell whether there is a choice; a copy of MLVU has lost the text of one option of four."""
    return sum(map(bool, options)) > 1


def _successive(matches: list[re.Match[str]]) -> list[re.Match[str]]:
    """Of the letters found, those that count A, B, C, ...; none if they do not reach B."""
    found: list[re.Match[str]] = []
    for match in matches:
        letter = next(group for group in match.groups() if group)
        if len(found) < len(LETTERS) and letter == LETTERS[len(found)]:
            found.append(match)
    return found if len(found) > 1 else []


def strip_letters(options: Sequence[str]) -> tuple[str, ...]:
    """Take the letters off options that all carry their own: "A. Apples." becomes "Apples."."""
    bare = []
    for letter, option in zip(LETTERS, options, strict=False):
        match = _AT_LINE.match(option)
        if match is None or letter not in match.groups():
            break
        bare.append(option[match.end() :].strip())
    whole = len(bare) == len(options) and _enough(bare)
    return tuple(bare if whole else (option.strip() for option in options))


def read_options(row: Row, *names: str) -> tuple[str, ...]:
    """Read a list of options under one of these names; () if there is none.

    A table holds the list as JSON, as Python writes it, with letters, or between bars.

    Raises:
        AnnotationError: If it is no list, or holds fewer than two.
    """
    value = row.get(*names)
    if value is None:
        return ()
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        raise row.error(f"has as {names[0]} {type(value).__name__}, not a list")
    return _checked(row, [str(option) for option in value])


def columns_of_options(row: Row, *names: str) -> tuple[str, ...]:
    """Read options that stand in columns of their own, such as ``a0`` to ``a4``.

    Raises:
        AnnotationError: If one of the columns is missing, or fewer than two are filled.
    """
    missing = [name for name in names if name not in row.values]
    if missing:
        row.text(f"option {missing[0]}", missing[0])  # says what it has instead
    return _checked(row, [row.text_or_empty(name) for name in names])


def _checked(row: Row, options: Sequence[str]) -> tuple[str, ...]:
    options = strip_letters(options)
    if not _enough(options):
        raise row.error(f"has {sum(map(bool, options))} options with text, a choice needs two")
    return options


def _parse(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list | tuple | dict):
            return value
    _, lettered = split_options(text)
    return lettered or [part.strip() for part in text.split("|" if "|" in text else "\n")]


def find_correct(
    row: Row, answer: Any, options: Sequence[str], ways: Sequence[Way] = ("text", "letter")
) -> int | None:
    """Return which option an answer means, from 0.

    Args:
        row: Where it stands, for messages.
        answer: A number is always an index; text is read in the given ways, in their order.
        options: What there is to choose from, without letters.
        ways: How this benchmark's answers name an option: "3" may be an index or an option.

    Returns:
        ``None`` if there is no answer (also where -1 stands for that), or if it is not among the
        options or means an empty one.

    Raises:
        AnnotationError: If an index lies beyond the options, or the answer is no text or number.
    """
    if answer is None or answer == "":
        return None
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    if isinstance(answer, bool) or not isinstance(answer, int | str):
        raise row.error(f"has as answer {type(answer).__name__}, not an option")
    found = _at(row, answer, options) if isinstance(answer, int) else None
    if isinstance(answer, str):
        tried = (_find(row, answer.strip(), options, way) for way in ways)
        found = next((place for place in tried if place is not None), None)
    return found if found is not None and options[found] else None


def _find(row: Row, answer: str, options: Sequence[str], way: Way) -> int | None:
    if way == "text":
        named = [_plain(option) for option in options]
        return named.index(_plain(answer)) if _plain(answer) in named else None
    if way == "index":
        match = _INDEX.fullmatch(answer)
        return _at(row, int(match[1]), options) if match else None
    match = _LETTER.match(answer) or _LETTER_AND_TEXT.match(answer)
    if match is None:
        return None
    place = LETTERS.index(next(group for group in match.groups() if group).upper())
    return place if place < len(options) else None


def _at(row: Row, place: int, options: Sequence[str]) -> int | None:
    if place == -1:
        return None
    if not 0 <= place < len(options):
        raise row.error(f"has the answer {place}, but its options are 0 to {len(options) - 1}")
    return place


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
