"""Draw loss curves from training logs. Needs matplotlib, which training itself does not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from goldfish_cli.errors import InputError, UsageError
from goldfish_cli.training.callbacks import LOG_NAME, read_log

SMOOTHING = 0.9  # of the running mean that is drawn over the raw losses
FORMATS = (".png", ".svg")


def draw_curves(logs: Mapping[str, Path], picture: Path, *, title: str = "") -> None:
    """Draw the loss of each run over its steps, one panel a run.

    Args:
        logs: For each run the name to show, and its log or the folder that holds it.
        picture: The file to write; ``.png`` or ``.svg`` says in which format.
        title: Stands above the panels.

    Raises:
        UsageError: If the picture has another format, or matplotlib is not installed.
        InputError: If a log holds no losses.
    """
    if picture.suffix not in FORMATS:
        raise UsageError(
            f"Curves cannot be written as {picture.name}.", hint=f"Name a file in {FORMATS}."
        )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "Curves need matplotlib, which is not installed.", hint="pip install matplotlib"
        ) from error
    runs = {name: read_losses(log) for name, log in logs.items()}
    figure = Figure(figsize=(4.0 * len(runs), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, (steps, losses)) in enumerate(runs.items(), start=1):
        panel = figure.add_subplot(1, len(runs), number)
        panel.plot(steps, losses, color="#9db8d2", linewidth=1)
        panel.plot(steps, smooth(losses), color="#1f4e79", linewidth=1.5)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("step")
        panel.set_ylabel("loss")
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
    if title:
        figure.suptitle(title)
    partial = picture.with_name(f".partial-{picture.name}")
    # Without date and version the same log always makes the same file.
    metadata = {"Date": None} if picture.suffix == ".svg" else {"Software": None}
    figure.savefig(partial, dpi=150, metadata=metadata)
    partial.replace(picture)


def read_losses(log: Path) -> tuple[list[int], list[float]]:
    """Read the steps and losses of a log, or of the log in a folder.

    Raises:
        InputError: If there are none.
    """
    path = log / LOG_NAME if log.is_dir() else log
    points = {line["step"]: line["loss"] for line in read_log(path) if "loss" in line}
    if not points:
        raise InputError(f"{path} holds no losses.", hint="Name the folder of a training stage.")
    return list(points), list(points.values())


def smooth(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Return the exponential running mean, unbiased at its beginning."""
    mean, total, smoothed = 0.0, 0.0, []
    for value in values:
        mean = weight * mean + (1 - weight) * value
        total = weight * total + (1 - weight)
        smoothed.append(mean / total)
    return smoothed
