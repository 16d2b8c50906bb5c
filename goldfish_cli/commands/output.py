"""Show results on stdout, and notes, warnings and progress bars on stderr."""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from goldfish_cli.errors import UsageError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_results: TextIO | None = None  # where results go while others write to stdout


def show(text: str, *, end: str = "\n") -> None:
    """Write a result to stdout at once, exactly as it is: no markup, no wrapping."""
    stream = _results or sys.stdout
    stream.write(text + end)
    stream.flush()


@contextmanager
def stdout_for_results_alone() -> Iterator[None]:
    """Send to stderr what libraries, and processes that they start, write to stdout meanwhile."""
    global _results
    before = sys.stdout
    before.flush()
    try:
        number = before.fileno()
    except OSError:  # no file: nothing but Python writes there
        number = None
    kept = None if number is None else os.dup(number)
    _results = before if kept is None else os.fdopen(kept, "w", encoding=before.encoding)
    sys.stdout = sys.stderr
    if number is not None:
        os.dup2(sys.stderr.fileno(), number)
    try:
        yield
    finally:
        sys.stdout = before
        if number is not None and kept is not None:
            os.dup2(kept, number)
            with suppress(BrokenPipeError):  # who wrote for a reader that has gone knows already
                _results.close()
        _results = None


def show_json(result: Any) -> None:
    """Write one JSON object on one line of stdout; it may hold dataclasses, models and paths."""
    show(json.dumps(result, default=_plain, ensure_ascii=False))


def note(text: str, *, quiet: bool = False) -> None:
    """Tell the user something worth knowing; ``quiet`` keeps it back."""
    if not quiet:
        _say("note", text)


def warn(text: str, *, quiet: bool = False) -> None:
    """Tell the user that something is not as asked, though the work goes on."""
    if not quiet:
        _say("warning", text)


def report_error(message: str, hint: str = "", *, label: str = "error") -> None:
    """Write why the work stopped, and what to try."""
    _say(label, message)
    if hint:
        _say("hint", hint)


def one_line(text: str) -> str:
    """Write control characters as Python would, such as the newline in a film's name."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Show rows under their columns: drawn in a terminal, aligned by spaces in a pipe."""
    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    if (_results or sys.stdout).isatty():
        _draw(columns, cells, title)
        return
    lines = [list(columns), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        show("  ".join(padded).rstrip())


@contextmanager
def progress(
    description: str, total: float | None = None, *, unit: str = "", quiet: bool = False
) -> Iterator[Callable[[float], None]]:
    """Draw a bar with rate and time left on stderr, and give the function that moves it.

    Nothing is drawn when ``quiet`` (commands pass ``quiet or as_json``) or when stderr is not a
    terminal.

    Args:
        description: What is being done, such as ``"Describing clips"``.
        total: Amount of work; ``None`` when unknown.
        unit: What is counted, such as ``"clips"``.
        quiet: Draw nothing.

    Example:
        with progress("Describing clips", len(clips)) as advance: advance(1)
    """
    if quiet or not sys.stderr.isatty():
        yield lambda amount: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.3g} {task.fields['unit'] or 'it'}/s" if speed else "")

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=total, unit=unit)
        yield lambda amount: bar.advance(task, amount)


def write_text(path: Path, text: str, *, overwrite: tuple[str, ...]) -> None:
    """Write a file as a whole or not at all.

    Args:
        path: Where to.
        text: What.
        overwrite: Suffixes of files that may be replaced; one of another kind is left alone.

    Raises:
        UsageError: If it cannot be written, or something else is there.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file.", hint="Name a file in it")
    if path.exists() and path.suffix.lower() not in overwrite:
        raise UsageError(
            f"{path} is there already, and is no {overwrite[0]} file.", hint="Name another file"
        )
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another file"
        ) from error


def _say(label: str, text: str) -> None:
    sys.stdout.flush()  # keeps the order where both streams go to one place
    sys.stderr.write(f"{label}: {one_line(text)}\n")
    sys.stderr.flush()


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console(file=_results or sys.stdout).print(drawn)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "item"):  # numbers of NumPy and torch
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form.")
