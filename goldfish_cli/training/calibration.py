"""Time a few real steps of a stage, so that a plan can say how long the whole of it takes."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goldfish_cli.training.stages import StageRun, Watcher, run_stage

STEPS = 4
"""The first also builds the optimizer's state and is not counted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a step and a clip cost on this machine."""

    seconds_per_step: float
    seconds_per_clip: float | None
    """To decode and encode one into the feature store; ``None`` without a store."""

    def total_hours(self, steps: int, clips: int) -> float:
        """Return the hours that so many steps take, and so many clips before them."""
        return (steps * self.seconds_per_step + clips * (self.seconds_per_clip or 0.0)) / 3600


def calibrate(run: StageRun, start: str, clips: int, watcher: Watcher | None = None) -> Pace:
    """Train a few steps with the real weights on a few of the clips, and keep nothing.

    Args:
        run: The stage.
        start: What to start from: the stage before may not be there yet.
        clips: How many clips those steps see.
        watcher: Hears of samples that are left out.
    """
    changes: dict[str, Any] = {"epochs": None, "max_steps": STEPS, "log_steps": 1}
    changes |= {"save_steps": None, "eval_steps": None, "validation": 0.0}
    name = f"stage{run.stage}"
    stage = run.recipe.stage(run.stage).model_copy(update=changes)
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="goldfish-calibration-") as folder:
        run_stage(
            replace(
                run,
                start=start,
                out=Path(folder) / "runs",
                features=Path(folder) / "features" if run.features else None,
                recipe=run.recipe.model_copy(update={name: stage}),
                limit=clips,
                resume=False,
                report_to=(),
            ),
            Watcher(phase=clock.phase, done=clock.done, note=(watcher or Watcher()).note),
        )
    return Pace(clock.seconds_per_step(), clock.seconds_per_clip())


class _Clock:
    """Listens to a stage and notes when what was done."""

    def __init__(self) -> None:
        self._phase, self._began = "", 0.0
        self._steps: list[float] = []
        self._clips, self._encoding = 0, 0.0

    def phase(self, name: str, count: int, unit: str) -> None:
        self._phase, self._began = name, time.perf_counter()

    def done(self, count: int) -> None:
        now = time.perf_counter()
        if self._phase.startswith("encoding"):
            self._clips, self._encoding = count, now - self._began
        elif self._phase.startswith("stage"):
            self._steps.append(now)

    def seconds_per_step(self) -> float:
        counted = self._steps[-STEPS:]  # the end of each step; before the first stands its begin
        return (counted[-1] - counted[0]) / (len(counted) - 1)

    def seconds_per_clip(self) -> float | None:
        return self._encoding / self._clips if self._clips else None
