"""Read finished and running trainings from their folders, and say in what they differ.

Knows no torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goldfish_cli.errors import InputError
from goldfish_cli.training.curves import read_curve, smooth
from goldfish_cli.training.run_files import LOG_NAME, SETTINGS, SUMMARY, read_log


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one stage of one run was, and how it went."""

    run: str  # its folder, as it was named
    stage: int
    finished: bool
    steps: int
    first_loss: float
    last_loss: float
    smoothed_loss: float  # at the last step
    best_validation_loss: float | None  # None: nothing was held back
    best_validation_step: int | None
    tokens: int
    tokens_per_second: float
    memory: float  # GiB at the highest
    seconds: float
    settings: Mapping[str, Any]  # by flat name, such as settings.lora.r


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Return the folders of stages: those named, and those in the folders named.

    Raises:
        InputError: If a path is not the one nor the other.
    """
    found: dict[Path, None] = {}
    for path in paths:
        stages = [path] if _is_run(path) else sorted(filter(_is_run, path.glob("*")))
        if not stages:
            raise InputError(
                f"{path} holds no training.",
                hint="Name what was given with --out, or the folder of a stage in it.",
            )
        found |= dict.fromkeys(stages)
    return list(found)


def read_run(folder: Path) -> RunSummary:
    """Read the folder of a stage.

    Raises:
        InputError: If its log holds no losses, or its settings cannot be read.
    """
    curve = read_curve(folder)
    lines = [line for line in read_log(folder / LOG_NAME) if "tokens" in line]
    last = lines[-1]
    best = min(curve.validation, key=lambda point: point[1], default=(None, None))
    return RunSummary(
        run=str(folder),
        stage=last["stage"],
        finished=(folder / SUMMARY).is_file(),
        steps=last["step"],
        first_loss=curve.losses[0],
        last_loss=curve.losses[-1],
        smoothed_loss=smooth(curve.losses)[-1],
        best_validation_loss=best[1],
        best_validation_step=best[0],
        tokens=last["tokens"],
        tokens_per_second=last["tokens"] / last["seconds"] if last["seconds"] else 0.0,
        memory=max(line["memory"] for line in lines),
        seconds=last["seconds"],
        settings=_read_settings(folder / SETTINGS),
    )


def differing_settings(runs: Sequence[RunSummary]) -> list[str]:
    """Return the names of settings that are not the same in all runs, in the order of the first."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    return [
        name
        for name in names
        if any(r.settings.get(name) != runs[0].settings.get(name) for r in runs)
    ]


def _is_run(path: Path) -> bool:
    return (path / LOG_NAME).is_file() and (path / SETTINGS).is_file()


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    return _flat(content) if isinstance(content, Mapping) else {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
