"""What ActivityNet-QA's evaluation reports: accuracy by type of question (arXiv:1906.02467).

Its script compares answers character by character and leaves unanswered questions in the
denominator; so does this. WUPS, which the paper reports beside, is in ``wups``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TYPES = (
    *("motion", "spatial relationship", "temporal relationship"),
    *("yes/no", "color", "object", "location", "number", "other"),
)
"""By their number. The last six are types of answers to free questions."""
FREE = TYPES[3:]


@dataclass(frozen=True, slots=True)
class ActivityNetScores:
    """Accuracies; a type without questions is not among them."""

    n: int
    all: float
    free: float | None
    """Over all questions of types 3 to 8; ``None`` if there are none.

    The official script sums the last six of its counts in their order. Where dictionaries keep the
    order of insertion, from Python 3.6 on, that is the order of the file, and its denominator then
    belongs to other types. This goes by the numbers, as the paper does."""
    by_type: Mapping[str, float]


def score_activitynet(
    predictions: Sequence[str | None], answers: Sequence[str], types: Sequence[int]
) -> ActivityNetScores:
    """Score answers to ActivityNet-QA.

    Args:
        predictions: What was answered; ``None`` where nothing was, which is wrong.
        answers: The reference of each question.
        types: Of each question, 0 to 8.

    Raises:
        ValueError: If the lengths differ, there are no questions, or a type is none of the nine.
    """
    if not answers or not len(predictions) == len(answers) == len(types):
        raise ValueError(
            f"{len(predictions)} predictions, {len(answers)} answers, {len(types)} types differ."
        )
    if not set(types) <= set(range(len(TYPES))):
        raise ValueError(f"Types are 0 to {len(TYPES) - 1}, not {sorted(set(types))}.")
    asked = Counter(TYPES[number] for number in types)
    right = Counter(
        TYPES[number]
        for told, answer, number in zip(predictions, answers, types, strict=True)
        if told == answer
    )
    num_free = sum(asked[name] for name in FREE)
    return ActivityNetScores(
        n=len(answers),
        all=right.total() / len(answers),
        free=sum(right[name] for name in FREE) / num_free if num_free else None,
        by_type={name: right[name] / asked[name] for name in TYPES if asked[name]},
    )
