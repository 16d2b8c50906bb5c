"""What held back samples tell while a stage trains: their loss and early answers, in the log."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from goldfish_cli.training.callbacks import TrainingLog
from goldfish_cli.training.sample_answers import SampleAnswer


@dataclass(frozen=True, slots=True)
class ValidationRecord:
    """A line of the log: the loss on held back samples after a step."""

    stage: int
    step: int
    validation_loss: float
    kind: str = "validation"


@dataclass(frozen=True, slots=True)
class AnswersRecord:
    """A line of the log: what the model answers to held back samples after a step."""

    stage: int
    step: int
    answers: tuple[SampleAnswer, ...]
    kind: str = "answers"


class ValidationCallback(TrainerCallback):
    """Writes each evaluation to the log and tells it to the observer.

    Args:
        stage: 1, 2 or 3.
        log: Where records are kept.
        tell: Hears each record of a loss.
        answer: Lets the model answer a few samples; ``None`` if it is not asked any.
        tell_answers: Hears each record of answers.
    """

    def __init__(
        self,
        stage: int,
        log: TrainingLog,
        *,
        tell: Callable[[ValidationRecord], None],
        answer: Callable[[], list[SampleAnswer]] | None,
        tell_answers: Callable[[AnswersRecord], None],
    ) -> None:
        self._stage = stage
        self._log = log
        self._tell = tell
        self._answer = answer
        self._tell_answers = tell_answers

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Measure after the last step, whatever its number; other callbacks report that too."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write a record of the loss, and one of the answers."""
        if not metrics or not state.is_world_process_zero:
            return
        record = ValidationRecord(self._stage, state.global_step, metrics["eval_loss"])
        self._log.append(asdict(record))
        self._tell(record)
        if self._answer is not None:
            answers = AnswersRecord(self._stage, state.global_step, tuple(self._answer()))
            self._log.append(asdict(answers))
            self._tell_answers(answers)
