"""What an answer without looking would score, exactly: no number is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.metrics.count import read_count
from goldfish_cli.evaluation.metrics.match import normalise

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def guesses(items: Sequence[EvalItem]) -> dict[str, float]:
    """Expected accuracy of each way to guess, by name; only ways that the items allow.

    Items without a published truth do not count. Where a set mixes rules, each way is scored on
    the items of its own rule, as ``any option``, ``always B`` or ``always "yes"``.
    """
    known = [item for item in items if item.is_scorable]
    choices = [item for item in known if item.rule == "choice"]
    found: dict[str, float] = {}
    if choices:
        position, share = best_position(choices)
        letter = _LETTERS[position] if position < len(_LETTERS) else f"option {position + 1}"
        found |= {"any option": uniform_guess(choices), f"always {letter}": share}
    for rule in ("open", "count"):
        free = [item for item in known if item.rule == rule]
        if free:
            answer, share = most_frequent_answer(free)
            name = f'always "{answer}"'
            found[f"{name} where counts are asked" if name in found else name] = share
    return found


def uniform_guess(items: Iterable[EvalItem]) -> float:
    """Expected accuracy of naming any option with equal chance: the mean of 1 / options.

    Raises:
        ValueError: If there are no items, or one has no options.
    """
    sizes = [len(item.options) for item in items]
    if not sizes or not all(sizes):
        raise ValueError("Only questions with options can be guessed.")
    return sum(1 / size for size in sizes) / len(sizes)


def constant_position(items: Sequence[EvalItem], position: int) -> float:
    """Accuracy of always naming the option at one position, from 0.

    Raises:
        ValueError: If there are no items.
    """
    if not items:
        raise ValueError("Without questions there is no accuracy.")
    return sum(item.correct == position for item in items) / len(items)


def best_position(items: Sequence[EvalItem]) -> tuple[int, float]:
    """The position, from 0, that is right most often, and the accuracy of always naming it.

    Raises:
        ValueError: If there is no item with a known right option.
    """
    counts = Counter(item.correct for item in items if item.correct is not None)
    if not counts:
        raise ValueError("No right option is known.")
    position = min(counts, key=lambda one: (-counts[one], one))
    return position, constant_position(items, position)


def most_frequent_answer(items: Sequence[EvalItem]) -> tuple[str, float]:
    """The answer that is accepted most often, and the accuracy of always giving it.

    Answers are one if they match when normalised, or name the same number where numbers are asked.

    Raises:
        ValueError: If there are no items.
    """
    if not items:
        raise ValueError("Without questions there is no accuracy.")
    counts = Counter(
        accepted
        for item in items
        for accepted in dict.fromkeys(_form(item, answer) for answer in item.answers)
    )
    if not counts:
        raise ValueError("No answer is known.")
    answer = min(counts, key=lambda one: (-counts[one], one))
    return answer, counts[answer] / len(items)


def _form(item: EvalItem, answer: str) -> str:
    number = read_count(answer) if item.rule == "count" else None
    return normalise(answer) if number is None else str(number)
