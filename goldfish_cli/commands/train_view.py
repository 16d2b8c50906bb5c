"""Show a training as it goes: lines of JSON, a live panel in a terminal, plain lines in a pipe."""

import sys
from textwrap import shorten
from types import TracebackType
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import note, show_json

if TYPE_CHECKING:
    from goldfish_cli.commands.train_panel import TrainPanel
    from goldfish_cli.training.callbacks import LogRecord
    from goldfish_cli.training.sample_answers import SampleAnswer
    from goldfish_cli.training.stages import Watcher
    from goldfish_cli.training.validation import AnswersRecord, ValidationRecord

_LONGEST = 160  # characters of a question or an answer that are shown; the log has them whole


class TrainView:
    """Draws what a stage tells of itself.

    Args:
        as_json: Print each record as a line of JSON on stdout, and nothing else.
        quiet: Draw no panel and no lines.
    """

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._json = as_json
        self._quiet = quiet
        self._panel: TrainPanel | None = None
        self._total = 0
        self._records: list[LogRecord] = []
        self._validation: ValidationRecord | None = None

    def __enter__(self) -> "TrainView":
        """Start the panel, in a terminal."""
        if sys.stderr.isatty() and not self._quiet and not self._json:
            from rich.console import Console

            from goldfish_cli.commands.train_panel import TrainPanel

            console = Console(stderr=True)
            if not console.is_dumb_terminal:
                self._panel = TrainPanel(console)
                self._panel.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw no more."""
        if self._panel:
            self._panel.stop()
            self._panel = None

    def watcher(self) -> "Watcher":
        """Return what a stage reports to."""
        from goldfish_cli.training.stages import Watcher

        return Watcher(
            phase=self._phase,
            done=self._done,
            record=self._record,
            note=self._note,
            validation=self._validated,
            answers=self._answered,
        )

    def _phase(self, name: str, total: int, unit: str) -> None:
        self._total = total
        if self._panel:
            self._panel.phase(name, total, unit)

    def _done(self, count: int) -> None:
        if self._panel:
            self._panel.done(count)

    def _record(self, record: "LogRecord") -> None:
        self._records.append(record)
        if self._json:
            show_json(record)
        elif self._panel:
            self._update(self._panel)
        else:
            self._line(record, *self._facts(), *self._time_left())

    def _validated(self, record: "ValidationRecord") -> None:
        self._validation = record
        if self._json:
            show_json(record)
        elif self._panel:
            self._update(self._panel)
        else:
            self._line(record, self._held_back(record))

    def _answered(self, record: "AnswersRecord") -> None:
        if self._json:
            show_json(record)
        elif self._panel:
            self._panel.show_answers([line for a in record.answers for line in _dialogue(a)])
        else:
            for answer in record.answers:
                self._line(record, *_dialogue(answer))

    def _update(self, panel: "TrainPanel") -> None:
        facts = self._facts()
        if self._validation:
            facts.append(self._held_back(self._validation))
        panel.show(facts, [past.loss for past in self._records])

    def _line(self, record: "LogRecord | ValidationRecord | AnswersRecord", *facts: str) -> None:
        if not self._quiet:
            place = f"stage {record.stage}  step {record.step}/{self._total}"
            sys.stderr.write("  ".join([place, *facts]) + "\n")

    def _held_back(self, record: "ValidationRecord") -> str:
        return f"held back {record.validation_loss:.3f}"

    def _facts(self) -> list[str]:
        from goldfish_cli.training.curves import smooth

        if not self._records:  # a continued run that is evaluated before its first record
            return []
        last = self._records[-1]
        return [
            f"loss {last.loss:.3f}",
            f"smoothed {smooth([past.loss for past in self._records])[-1]:.3f}",
            f"lr {last.lr:.2g}",
            *self._speed(),
            f"{last.memory:.2f} GiB",
        ]

    def _speed(self) -> list[str]:
        """Tokens a second since the record before."""
        last = self._records[-1]
        tokens, seconds = last.tokens, last.seconds
        if len(self._records) > 1:
            tokens -= self._records[-2].tokens
            seconds -= self._records[-2].seconds
        return [f"{tokens / seconds:,.0f} tokens/s"] if seconds > 0 else []

    def _time_left(self) -> list[str]:
        """From the pace since the first record; that one's time holds the start as well."""
        from goldfish_cli.commands.train_panel import time_text

        first, last = self._records[0], self._records[-1]
        if last.step == first.step:
            return []
        pace = (last.seconds - first.seconds) / (last.step - first.step)
        return [f"{time_text(pace * (self._total - last.step))} left"]

    def _note(self, text: str) -> None:
        if self._panel:
            self._panel.note(text)
        else:
            note(text, quiet=self._quiet)


def _dialogue(answer: "SampleAnswer") -> list[str]:
    parts = {"asked": answer.question, "answer": answer.answer, "reference": answer.reference}
    return [f"{name}: {_shown(text)}" for name, text in parts.items()]


def _shown(text: str) -> str:
    """Cut a text, and leave out what a model that has learnt little might do to a terminal."""
    short = shorten(text, _LONGEST, placeholder=" …")
    return "".join(c if c.isprintable() else "\ufffd" for c in short)
