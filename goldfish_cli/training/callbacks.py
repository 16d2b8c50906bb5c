"""What happens beside the steps: the log, the checks, and stopping in good order."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from goldfish_cli.errors import InputError, ModelError
from goldfish_cli.model.machine import peak_memory_gib
from goldfish_cli.training.run_files import read_log


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of the log."""

    stage: int
    step: int
    loss: float
    lr: float
    tokens: int  # seen since the stage began, visual tokens included
    seconds: float  # since the stage began, all its runs together
    memory: float  # GiB at the highest: of the GPU where there is one, else of the process


class TrainingLog:
    """Appends lines to a JSON-lines file; each is written at once, whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one line.

        Raises:
            InputError: If the disk is full or the file cannot be written.
        """
        line = json.dumps(record, ensure_ascii=False) + "\n"
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise InputError(f"The log {self.path} cannot be written: {error.strerror}.") from error

    def read(self) -> list[dict[str, Any]]:
        """Return all lines; a last one that was cut off by a kill is left out."""
        return list(read_log(self.path))

    def rewind(self, step: int) -> None:
        """Forget what came after ``step``: a resumed run does those steps again."""
        kept = [line for line in self.read() if line.get("step", 0) <= step]
        partial = self.path.with_suffix(".partial")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path)


class LogCallback(TrainerCallback):
    """Writes a record at each log step and tells it to the observer.

    Args:
        stage: 1, 2 or 3.
        log: Where records are kept.
        count_tokens: Says how many tokens this process has seen.
        tell: Hears each record.
        advance: Hears of each step.
    """

    def __init__(
        self,
        stage: int,
        log: TrainingLog,
        *,
        count_tokens: Callable[[], int],
        tell: Callable[[LogRecord], None],
        advance: Callable[[int], None],
    ) -> None:
        self._stage = stage
        self._log = log
        self._count_tokens = count_tokens
        self._tell = tell
        self._advance = advance
        self._began = time.perf_counter()
        self._before = (0, 0.0)  # tokens and seconds of the runs that this one continues

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Continue the counts of an earlier run."""
        earlier = [line for line in self._log.read() if "tokens" in line]
        if state.global_step and earlier:
            self._before = (earlier[-1]["tokens"], earlier[-1]["seconds"])
        self._began = time.perf_counter()
        self._advance(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the progress bar; log the last step whatever its number, and each that is saved.

        A run that goes on from there has its counts, and the mean loss since, as if never stopped.
        The last step needs no checkpoint to resume from: the stage's own follows at once.
        """
        self._advance(state.global_step)
        if state.global_step >= state.max_steps:
            control.should_log = True
            control.should_save = control.should_evaluate = False
        elif control.should_save:
            control.should_log = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write a record."""
        if not logs or "loss" not in logs:
            return
        tokens, seconds = self._before
        record = LogRecord(
            stage=self._stage,
            step=state.global_step,
            loss=logs["loss"],
            lr=logs["learning_rate"],
            tokens=tokens + self._count_tokens(),
            seconds=round(seconds + time.perf_counter() - self._began, 3),
            memory=round(peak_memory_gib(), 3),
        )
        if not state.is_world_process_zero:
            return
        self._log.append(asdict(record))
        self._tell(record)


class GradientCheck(TrainerCallback):
    """Makes sure that everything that should learn gets a gradient.

    Checked at the first step and after each evaluation: a 4-bit model on a processor repacks its
    weights when it is first evaluated, and from then on adapters silently learn nothing.
    """

    def __init__(self) -> None:
        self._due = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Check again at the next step."""
        self._due = True

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        **_: Any,
    ) -> None:
        """Check once.

        Raises:
            ModelError: Naming a parameter without a gradient.
        """
        if not self._due or model is None:
            return
        check_gradients(model)
        self._due = False


def check_gradients(model: nn.Module) -> None:
    """Raise ``ModelError`` if a trainable parameter has no gradient, or a frozen one has."""
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    if without:
        raise ModelError(
            f"{len(without)} trainable parameters get no gradient, the first: {without[0]}.",
            hint="They would never learn. Train without quantization, or on another device.",
        )


class Interrupter(TrainerCallback):
    """Turns Ctrl-C into a checkpoint and an orderly end.

    Args:
        asked_anywhere: Tells whether any of the processes has been asked to stop, so that all stop
            at the same step.
    """

    def __init__(self, asked_anywhere: Callable[[bool], bool] = bool) -> None:
        self.requested = False
        self._asked_anywhere = asked_anywhere

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the first SIGINT or SIGTERM; the second one ends the process at once."""

        def note(signum: int, frame: Any) -> None:
            self.requested = True
            for kind in before:
                signal.signal(kind, signal.default_int_handler)

        before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            for kind in before:
                signal.signal(kind, note)
        except ValueError:  # not the main thread: its owner decides about signals
            yield
            return
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save and stop, if asked to."""
        self.requested = self._asked_anywhere(self.requested)
        if self.requested:
            control.should_save = control.should_log = True
            control.should_training_stop = True
