"""Let several processes know of each other's rejected samples: one tells of them, all count."""

from collections.abc import Callable, Sequence
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from goldfish_cli.data.dataset import Rejected
from goldfish_cli.training.processes import Processes


class SharedRejections(TrainerCallback):
    """Passes rejected samples on after each step, so that one limit holds for all processes.

    Args:
        processes: That train together.
        known: What this process knows of; grows while it trains.
        reject: Adds a sample to ``known``; raises when there are too many, in all processes at the
            same step.
    """

    def __init__(
        self, processes: Processes, known: Sequence[Rejected], reject: Callable[[Rejected], None]
    ) -> None:
        self._processes = processes
        self._known = known
        self._reject = reject
        self._passed_on = 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Hear of the others' samples, if there are any."""
        fresh = list(self._known[self._passed_on :])
        if not self._processes.any(bool(fresh)):
            return
        for item in self._processes.from_others(fresh):
            self._reject(item)
        self._passed_on = len(self._known)
