"""Show answers while they are made: as text, or as one JSON object each."""

from itertools import chain
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import show, show_json

if TYPE_CHECKING:
    from goldfish_cli.inference.conversation import Conversation

# What a terminal obeys instead of showing it: a model's words must not move the cursor.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))


def show_turn(
    conversation: "Conversation", question: str, *, as_json: bool, titled: bool = False
) -> None:
    """Ask one question and write the answer to stdout, piece by piece unless it is JSON.

    Args:
        conversation: Gives the answer.
        question: As the user wrote it.
        as_json: Write the whole answer as one line, when it is complete.
        titled: Write the question above the answer, to tell several apart.
    """
    from goldfish_cli.backends.base import drain

    stream = conversation.ask(question)
    if as_json:
        show_json(drain(stream))
        return
    first = next(stream, "")  # what cannot be answered fails here, before anything is written
    if titled:
        show(f"Q: {question}\nA: ", end="")
    try:
        for piece in chain([first], stream):
            show(printable(piece), end="")
    finally:
        show("")  # an answer that is interrupted still ends its line


def printable(text: str) -> str:
    """Leave out of a model's or a subtitle's words what a terminal would obey."""
    return text.translate(_CONTROLS)
