"""Show a training as it goes: lines of JSON, a live bar in a terminal, or plain lines in a pipe."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from goldfish_cli.commands.output import note, show_json, task_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from goldfish_cli.training.callbacks import LogRecord
    from goldfish_cli.training.stages import Watcher


class TrainView:
    """Draws what a stage tells of itself.

    Args:
        as_json: Print each record as a line of JSON on stdout, and nothing else.
        quiet: Draw no bar and no lines.
    """

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self._json = as_json
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._total = 0
        self._before: LogRecord | None = None

    def __enter__(self) -> "TrainView":
        """Start the bar, in a terminal."""
        if sys.stderr.isatty() and not self._quiet and not self._json:
            self._bar = task_bar()
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def watcher(self) -> "Watcher":
        """Return what a stage reports to."""
        from goldfish_cli.training.stages import Watcher

        return Watcher(phase=self._phase, done=self._done, record=self._record, note=self._note)

    def _phase(self, name: str, total: int, unit: str) -> None:
        self._total = total
        if self._bar:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(name, total=total, unit=unit, facts="")

    def _done(self, count: int) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=count)

    def _record(self, record: "LogRecord") -> None:
        if self._json:
            show_json(record)
            return
        facts = f"loss {record.loss:.3f}  lr {record.lr:.2g}  {self._rate(record):,.0f} tok/s"
        facts += f"  {record.memory:.2f} GiB"
        if self._bar and self._task is not None:
            self._bar.update(self._task, facts=facts)
        elif not self._quiet:
            sys.stderr.write(f"stage {record.stage}  step {record.step}/{self._total}  {facts}\n")

    def _rate(self, record: "LogRecord") -> float:
        """Tokens a second since the last record."""
        before, self._before = self._before, record
        tokens = record.tokens - (before.tokens if before else 0)
        seconds = record.seconds - (before.seconds if before else 0)
        return tokens / seconds if seconds > 0 else 0.0

    def _note(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(f"note: {text}", markup=False, highlight=False)
        else:
            note(text, quiet=self._quiet)
