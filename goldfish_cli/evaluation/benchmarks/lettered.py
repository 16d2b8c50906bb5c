"""Read a choice whose options stand in a list, in columns, or inside the question itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from goldfish_cli.evaluation.benchmarks.options import (
    Way,
    columns_of_options,
    find_correct,
    read_options,
    split_options,
)
from goldfish_cli.evaluation.benchmarks.rows import Row
from goldfish_cli.evaluation.items import EvalItem

LIST_KEYS = ("options", "candidates", "choices")
_COLUMNS = (
    *(tuple(f"option {number}" for number in range(10)), tuple(f"a{n}" for n in range(10))),
    *(tuple(f"option{number}" for number in range(10)), tuple(f"a{n}" for n in range(1, 10))),
    *(tuple(f"option_{letter}" for letter in "abcdefgh"), tuple("abcdefgh")),
)


def find_options(row: Row, question: str) -> tuple[str, tuple[str, ...]]:
    """Return the question without its options, and the options; () if there are none.

    Raises:
        AnnotationError: If there is one option only.
    """
    listed = read_options(row, *LIST_KEYS)
    if listed:
        return question, listed
    for names in _COLUMNS:
        there = [place for place, name in enumerate(names) if row.get(name) is not None]
        if there[:2] == [0, 1]:
            return question, columns_of_options(row, *names[: there[-1] + 1])
    return split_options(question)


def choice_item(
    row: Row,
    *,
    id: str,
    video: str,
    answer: Any,
    category: str,
    ways: Sequence[Way] = ("text", "letter"),
    start: float | None = None,
    end: float | None = None,
    duration: float | None = None,
) -> EvalItem:
    """Read the question and options of a row and find the right one.

    An answer that is none of the options is kept as text, so that it can be looked up, and leaves
    the item without a score.

    Raises:
        AnnotationError: If the row has no question or no options.
    """
    question, options = find_options(row, row.text("question", "question"))
    if not options:
        raise row.error("has no options, neither in a list nor inside the question")
    if not question:
        raise row.error("has options but no question before them")
    correct = find_correct(row, answer, options, ways)
    kept = () if answer in (None, "", -1) else (str(answer),)
    return EvalItem(
        id=id,
        video=video,
        question=question,
        answers=(options[correct],) if correct is not None else kept,
        rule="choice",
        options=options,
        correct=correct,
        category=category,
        start=start,
        end=end,
        duration=duration,
    )
