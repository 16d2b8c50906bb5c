"""Draw loss curves from training logs. Needs matplotlib, which training itself does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfish_cli.errors import InputError, MissingPackageError, UsageError
from goldfish_cli.training.run_files import LOG_NAME, read_log

SMOOTHING = 0.9  # of the running mean that is drawn over the raw losses
FORMATS = (".png", ".svg")
_HELD_BACK = "#c44e00"


@dataclass(frozen=True, slots=True)
class Curve:
    """The losses of one run."""

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    validation: tuple[tuple[int, float], ...]  # step and loss on held back samples


def draw_curves(logs: Mapping[str, Path], picture: Path, *, title: str = "") -> None:
    """Draw the losses of each run over its steps, one panel a run.

    The same logs always make the same file.

    Args:
        logs: For each run the name to show, and its log or the folder that holds it.
        picture: The file to write; ``.png`` or ``.svg`` says in which format.
        title: Stands above the panels.

    Raises:
        UsageError: If the picture has another format.
        MissingPackageError: If matplotlib is not installed.
        InputError: If a log holds no losses, or the picture cannot be written.
    """
    curves = {name: read_curve(log) for name, log in logs.items()}
    figure = _figure(picture, width=max(4.0 * len(curves), 5.0), height=3.0)
    for number, (name, curve) in enumerate(curves.items(), start=1):
        panel = figure.add_subplot(1, len(curves), number)
        panel.plot(curve.steps, curve.losses, color="#9db8d2", linewidth=1)
        panel.plot(
            curve.steps, smooth(curve.losses), color="#1f4e79", linewidth=1.5, label="training"
        )
        if curve.validation:
            panel.plot(
                *zip(*curve.validation, strict=True),
                color=_HELD_BACK,
                marker="o",
                markersize=3,
                linewidth=1.2,
                label="held back",
            )
            panel.legend(fontsize=8)
        panel.set_title(name, fontsize=10)
        _label(panel)
    if title:
        figure.suptitle(title)
    _write(figure, picture)


def draw_together(logs: Mapping[str, Path], picture: Path) -> None:
    """Draw the smoothed losses of all runs in one panel, and what was held back as points.

    Args:
        logs: For each run the name to show, and its log or the folder that holds it.
        picture: The file to write; ``.png`` or ``.svg`` says in which format.

    Raises:
        UsageError: If the picture has another format.
        MissingPackageError: If matplotlib is not installed.
        InputError: If a log holds no losses, or the picture cannot be written.
    """
    curves = {name: read_curve(log) for name, log in logs.items()}
    figure = _figure(picture, width=7.0, height=4.5)
    panel = figure.add_subplot()
    for name, curve in curves.items():
        (line,) = panel.plot(curve.steps, smooth(curve.losses), linewidth=1.5, label=name)
        if curve.validation:
            points = zip(*curve.validation, strict=True)
            panel.plot(*points, color=line.get_color(), marker="o", markersize=4, linestyle=":")
    if any(curve.validation for curve in curves.values()):
        panel.plot([], [], color="grey", marker="o", markersize=4, linestyle=":", label="held back")
    panel.legend(fontsize=8)
    _label(panel)
    _write(figure, picture)


def read_curve(log: Path) -> Curve:
    """Read the losses of a log, or of the log in a folder.

    Raises:
        InputError: If there are none.
    """
    path = log / LOG_NAME if log.is_dir() else log
    lines = list(read_log(path))
    points = {line["step"]: line["loss"] for line in lines if "loss" in line}
    held = {line["step"]: line["validation_loss"] for line in lines if "validation_loss" in line}
    if not points:
        raise InputError(f"{path} holds no losses.", hint="Name the folder of a training stage.")
    return Curve(tuple(points), tuple(points.values()), tuple(held.items()))


def smooth(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Return the exponential running mean, unbiased at its beginning."""
    mean, total, smoothed = 0.0, 0.0, []
    for value in values:
        mean = weight * mean + (1 - weight) * value
        total = weight * total + (1 - weight)
        smoothed.append(mean / total)
    return smoothed


def _figure(picture: Path, *, width: float, height: float) -> Any:
    if picture.suffix not in FORMATS:
        raise UsageError(
            f"Curves cannot be written as {picture.name}.",
            hint=f"Name a file that ends in {' or '.join(FORMATS)}.",
        )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "Curves need matplotlib, which is not installed.",
            hint="pip install 'goldfish-video[plots]'",
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _label(panel: Any) -> None:
    panel.set_xlabel("step")
    panel.set_ylabel("loss")
    panel.set_ylim(bottom=0)
    panel.grid(alpha=0.3)


def _write(figure: Any, picture: Path) -> None:
    from matplotlib import rc_context

    # Without a date, a version and random names the same curves always make the same file.
    metadata = {"Date": None} if picture.suffix == ".svg" else {"Software": None}
    partial = picture.with_name(f".partial-{picture.name}")
    try:
        with rc_context({"svg.hashsalt": "goldfish"}):
            figure.savefig(partial, dpi=150, metadata=metadata)
        partial.replace(picture)
    except OSError as error:
        raise InputError(f"{picture} cannot be written: {error.strerror}.") from error
