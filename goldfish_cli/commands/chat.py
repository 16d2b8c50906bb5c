"""The conversation of ``goldfish ask --chat``: lines in, answers out, until the input ends."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import note, report_error
from goldfish_cli.commands.turns import show_turn
from goldfish_cli.errors import DoesNotFitError, PartialError, UsageError

if TYPE_CHECKING:
    from goldfish_cli.inference.conversation import Conversation

_HELP = """\
/frames  the times of the frames that the model sees
/reset   forget the conversation, keep the video
/quit    end, as does Ctrl-D; Ctrl-C stops an answer"""


def converse(conversation: "Conversation", *, as_json: bool, quiet: bool = False) -> None:
    """Answer questions from the terminal, or one a line from a pipe.

    Raises:
        PartialError: If lines of a pipe could not be answered; the others are.
    """
    interactive = sys.stdin.isatty() and sys.stderr.isatty()
    if interactive:
        note("Ask about the video; /help lists what else there is.", quiet=quiet)
    failures = 0
    for line in _typed_lines() if interactive else sys.stdin:
        text = line.strip()
        if text == "/quit":
            break
        if text.startswith("/"):
            _command(conversation, text)
        elif text:
            failures += not _answered(conversation, text, as_json=as_json, patient=interactive)
    if failures and not interactive:
        raise PartialError(f"{failures} questions have no answer.")


def _answered(conversation: "Conversation", question: str, *, as_json: bool, patient: bool) -> bool:
    """Answer one question; report why if it has no answer."""
    try:
        show_turn(conversation, question, as_json=as_json)
    except (UsageError, DoesNotFitError) as error:
        report_error(str(error), error.hint)
        return False
    except KeyboardInterrupt:
        if not patient:
            raise
        return False
    return True


def _command(conversation: "Conversation", text: str) -> None:
    """Carry out a line that begins with a slash; what it says goes to stderr."""
    if text == "/frames":
        times = ", ".join(f"{time:.2f}" for time in conversation.clip.encoded.times)
        note(f"frames at {times} s")
    elif text == "/reset":
        conversation.reset()
        note("The conversation starts anew.")
    else:
        if text != "/help":
            note(f"There is no {text}.")
        sys.stderr.write(f"{_HELP}\n")


def _typed_lines() -> Iterator[str]:
    """Read lines from the terminal, with history and editing, until Ctrl-D."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import create_output

    # The prompt belongs to stderr: stdout holds the answers, wherever it leads.
    session: PromptSession[str] = PromptSession(output=create_output(stdout=sys.stderr))
    while True:
        try:
            yield session.prompt("> ")
        except KeyboardInterrupt:
            continue  # throws the typed line away, as a shell does
        except EOFError:
            return
