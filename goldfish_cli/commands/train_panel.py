"""Draw a training in a terminal: a bar, its figures, the loss as blocks, and early answers."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import isfinite
from statistics import mean

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "  "


class TrainPanel:
    """A few lines at the bottom of a terminal that are drawn again and again.

    Args:
        console: Where they are drawn; notes scroll by above them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            console=console,
            expand=True,
        )
        self._task: TaskID | None = None
        self._unit = ""
        self._facts: tuple[str, ...] = ()
        self._losses: tuple[float, ...] = ()
        self._answers: tuple[str, ...] = ()
        self._live = Live(console=console, get_renderable=self.draw, redirect_stdout=False)

    def start(self) -> None:
        """Begin to draw, four times a second."""
        self._live.start()

    def stop(self) -> None:
        """Draw once more; what was seen last stays."""
        self._live.stop()

    def phase(self, name: str, total: int, unit: str) -> None:
        """Begin a bar anew."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total)
        self._unit = unit

    def done(self, count: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=count)

    def show(self, facts: Sequence[str], losses: Sequence[float]) -> None:
        """Take new figures, and all losses so far."""
        self._facts, self._losses = tuple(facts), tuple(losses)

    def show_answers(self, lines: Sequence[str]) -> None:
        """Take what the model last answered, a line each."""
        self._answers = tuple(lines)

    def note(self, text: str) -> None:
        """Let a line scroll by."""
        self._console.print(Text(f"note: {text}"))

    def draw(self) -> Group:
        """Return the lines as they are now."""
        width = self._console.width
        lines = pack([*self._pace(), *self._facts], width)
        if self._losses and not self._console.options.ascii_only:
            lines.append(sparkline(self._losses, width))
        texts = [Text(line) for line in lines] + [Text(line, style="dim") for line in self._answers]
        for text in texts:
            text.no_wrap, text.overflow = True, "ellipsis"  # a panel that keeps its height
        return Group(self._progress, *texts)

    def _pace(self) -> list[str]:
        task = next((task for task in self._progress.tasks if task.id == self._task), None)
        if task is None or not task.speed or task.finished:
            return []
        pace = [f"{task.speed:.3g} {self._unit}/s"]
        if task.time_remaining is not None:
            pace.append(f"{time_text(task.time_remaining)} left")
        return pace


def pack(words: Iterable[str], width: int) -> list[str]:
    """Lay words out in lines of at most ``width`` columns; a word is never broken."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(_GAP) + len(word) <= width:
            lines[-1] += _GAP + word
        else:
            lines.append(word)
    return lines


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as at most ``width`` blocks between their least and their greatest.

    Where there are more values than blocks, a block stands for the mean of several; values that
    are no numbers are left out.
    """
    finite = [value for value in values if isfinite(value)]
    count = min(width, len(finite))
    ends = [round(i * len(finite) / count) for i in range(count + 1)] if count else [0]
    means = [mean(finite[ends[i] : ends[i + 1]]) for i in range(count)]
    if not means:
        return ""
    least, span = min(means), max(means) - min(means)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(steps * (m - least) / span) if span else 0] for m in means)


def time_text(seconds: float) -> str:
    """Write a duration as hours, minutes and seconds: ``0:02:35``."""
    return str(timedelta(seconds=round(seconds)))
