"""What a model is asked: the question, its options, and the form of answer that can be scored."""

from __future__ import annotations

from goldfish_cli.evaluation.benchmarks.options import LETTERS
from goldfish_cli.evaluation.items import EvalItem

_FORMS = {
    "open": "\nAnswer with a word or a short phrase.",
    "count": "\nAnswer with a number.",
    "judged": "",
}


def with_form(item: EvalItem) -> str:
    """Ask for the form of answer that the item's rule scores: short, a letter, or a number."""
    if item.rule == "choice":
        options = "\n".join(
            f"({letter}) {option}" for letter, option in zip(LETTERS, item.options, strict=False)
        )
        return f"{item.question}\n{options}\nAnswer with the letter."
    return f"{item.question}{_FORMS[item.rule]}"


def as_asked(item: EvalItem) -> str:
    """Ask the question and nothing else."""
    return item.question
