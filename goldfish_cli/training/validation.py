"""What the held back samples tell while a stage trains: their loss, in the log."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from goldfish_cli.training.callbacks import TrainingLog


@dataclass(frozen=True, slots=True)
class ValidationRecord:
    """A line of the log: the loss on held back samples after a step."""

    stage: int
    step: int
    validation_loss: float
    kind: str = "validation"


class ValidationCallback(TrainerCallback):
    """Writes each evaluation to the log and tells it to the observer.

    Args:
        stage: 1, 2 or 3.
        log: Where records are kept.
        tell: Hears each record.
    """

    def __init__(
        self, stage: int, log: TrainingLog, *, tell: Callable[[ValidationRecord], None]
    ) -> None:
        self._stage = stage
        self._log = log
        self._tell = tell

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write a record."""
        if not metrics or not state.is_world_process_zero:
            return
        record = ValidationRecord(self._stage, state.global_step, metrics["eval_loss"])
        self._log.append(asdict(record))
        self._tell(record)
