"""What a model is asked: the question, its options, and the form of answer that can be scored."""

from __future__ import annotations

import re
from collections.abc import Callable

from goldfish_cli.errors import UsageError
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
        return f"{item.question}\n{lettered(item)}\nAnswer with the letter."
    return f"{item.question}{_FORMS[item.rule]}"


def as_asked(item: EvalItem) -> str:
    """Ask the question and nothing else."""
    return item.question


def lettered(item: EvalItem) -> str:
    """Write the options one a line, each with its letter; "" where there are none."""
    return "\n".join(
        f"({letter}) {option}" for letter, option in zip(LETTERS, item.options, strict=False)
    )


def in_words(template: str) -> Callable[[EvalItem], str]:
    """Ask in a user's words: ``{question}`` stands for the question, ``{options}`` for its choices.

    Raises:
        UsageError: If the question has no place in it, or something else has.
    """
    names = re.findall(r"\{(\w*)\}", template)
    unknown = [name for name in names if name not in ("question", "options")]
    if "question" not in names or unknown:
        wrong = f"does not know {{{unknown[0]}}}" if unknown else "has no {question}"
        raise UsageError(
            f"The prompt {template!r} {wrong}.",
            hint="Such as: {question} Answer briefly. {options}",
        )

    def ask(item: EvalItem) -> str:
        parts = {"question": item.question, "options": lettered(item)}
        return re.sub(r"\{(question|options)\}", lambda match: parts[match[1]], template)

    return ask
