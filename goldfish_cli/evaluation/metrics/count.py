"""Read a number out of an answer, and score counts as TGIF-QA does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from goldfish_cli.evaluation.judges.numbers import join_numbers

LEAST, MOST = 1, 10
"""TGIF-QA's counts lie between these, and so does what is made of a prediction."""
_ADVERBS = {"once": ("1", "times"), "twice": ("2", "times"), "thrice": ("3", "times")}
_NONE = frozenset(("none", "never", "nothing", "zero", "0", "no", "not once", "no times"))
_TOKEN = re.compile(
    r"at once|(?:(?<![\w.])-)?\d+(?:\.\d+)?(?:st|nd|rd|th)?(?![^\W\d_])|[^\W\d_]+|[^\w\s]|\d+"
)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d+)?")
_STUCK = re.compile(r"(?<=\d)(?=(?:x|times?)\b)|(?<=[^\W\d_])-(?=[^\W\d_])")  # 3x, twenty-one
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_TIMES = frozenset(("time", "times", "x", "\u00d7", "repetitions", "repetition"))
_TELLING = re.compile(
    r"(?:final answer|answer|total|count|number)(?: of [\w ]+?)? (?:is|was|are|:|=|would be|of) "
    r"(?:: )?(?:exactly |about )?(-?\d+(?:\.\d+)?)(?! \d)|(-?\d+(?:\.\d+)?) (?:[\w]+ )?in total"
)


@dataclass(frozen=True, slots=True)
class CountScores:
    """How numbers were told."""

    n: int
    accuracy: float
    """Share of predictions that are right after rounding and clipping."""
    mean_squared_error: float
    """Of the same; TGIF-QA calls it L2 loss. Lower is better."""
    unread: int
    """Answers without a number; they are wrong, and as far off as a count can be."""


def read_count(answer: str) -> int | None:
    """Read the number that an answer tells, rounded to a whole one, halves to the even one.

    The number before ``times`` comes first, then the one that is called the answer or the total,
    then the only one there is. Words are numbers too: ``twice``, ``twenty-one``, ``never``.

    Returns:
        ``None`` if there is no number, or several and nothing says which is meant.
    """
    words = _words(answer)
    if " ".join(word for word in words if word[-1].isalnum()) in _NONE:
        return 0
    numbers = [place for place, word in enumerate(words) if _NUMBER.fullmatch(word)]
    of_times = [place for place in numbers if words[place + 1 : place + 2] and
                words[place + 1] in _TIMES]  # fmt: skip
    called = [found for pair in _TELLING.findall(" ".join(words)) for found in pair if found]
    told = called[-1:] or [words[place] for place in of_times]
    if of_times and not called and _is_range(words, of_times[0]):
        return None
    values = {round(float(word)) for word in told or [words[place] for place in numbers]}
    return values.pop() if len(values) == 1 else None


def tgif_count(number: float) -> int:
    """Round and clip a predicted count as TGIF-QA's code does, to 1 to 10 (arXiv:1704.04497)."""
    return min(max(round(number), LEAST), MOST)


def score_counts(predictions: Sequence[float | None], truths: Sequence[int]) -> CountScores:
    """Score counts as TGIF-QA does: accuracy, and mean squared error of the rounded number.

    Args:
        predictions: Numbers; ``None`` where an answer has none.
        truths: The true counts.

    Raises:
        ValueError: If the lengths differ, or there are none.
    """
    if not truths or len(predictions) != len(truths):
        raise ValueError(f"{len(predictions)} predictions cannot meet {len(truths)} counts.")
    errors = [_error(told, truth) for told, truth in zip(predictions, truths, strict=True)]
    is_right = [
        told is not None and error == 0 for told, error in zip(predictions, errors, strict=True)
    ]
    return CountScores(
        len(truths),
        sum(is_right) / len(truths),
        sum(error**2 for error in errors) / len(truths),
        sum(told is None for told in predictions),
    )


def _error(told: float | None, truth: int) -> int:
    if told is None:
        return max(abs(truth - LEAST), abs(MOST - truth))
    return abs(tgif_count(told) - truth)


def _words(answer: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", answer).casefold().replace("\u2212", "-")
    plain = _LIST_MARK.sub(" ", plain) if len(_LIST_MARK.findall(plain)) > 1 else plain
    plain = _STUCK.sub(" ", _THOUSANDS.sub("", plain))
    tokens = [part for word in _TOKEN.findall(plain) for part in _ADVERBS.get(word, (word,))]
    return [word.removeprefix("#") if len(word) > 1 else word for word in join_numbers(tokens)]


def _is_range(words: Sequence[str], place: int) -> bool:
    """Tell whether a number ends a range or alternative: ``3 or 4 times``, ``3-4 times``."""
    return (
        place > 1
        and words[place - 1] in ("or", "to", "and", "-", "\u2013", "/")
        and _NUMBER.fullmatch(words[place - 2]) is not None
    )
