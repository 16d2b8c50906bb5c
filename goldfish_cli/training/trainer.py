"""A stage's training loop: the Transformers Trainer with our data order and checkpoints."""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset, Sampler
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback
from transformers.training_args import TrainingArguments

from goldfish_cli.data.dataset import DrawOrder, Rejected
from goldfish_cli.errors import (
    AnnotationError,
    CheckpointError,
    ModelError,
    OutOfMemoryError,
)
from goldfish_cli.model.folders import explaining_failed_writes
from goldfish_cli.model.quantized_training import checkpointing_options
from goldfish_cli.training.collator import fit_mask
from goldfish_cli.training.passes import free_memory, is_out_of_memory, pieces
from goldfish_cli.training.recipes import StageRecipe
from goldfish_cli.training.resume_points import checkpoints, seal

TRAINABLE = "trainable.safetensors"
_STAGING = ".partial"


def training_arguments(
    recipe: StageRecipe,
    out: Path,
    *,
    device: str,
    seed: int,
    evaluate: bool,
    activation_checkpointing: bool,
    report_to: Sequence[str] = (),
) -> TrainingArguments:
    """Translate a resolved stage to what the Trainer takes; ``max_steps`` is left to be set."""
    batch_size = recipe.batch_size or 1
    eval_steps = recipe.eval_steps or recipe.save_steps
    return TrainingArguments(
        output_dir=str(out),
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation or 1,
        learning_rate=recipe.learning_rate,
        optim=_OPTIMIZERS[recipe.optimizer],
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.precision == "bfloat16",
        fp16=recipe.precision == "float16",
        use_cpu=device == "cpu",
        activation_checkpointing=activation_checkpointing,
        logging_steps=recipe.log_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a loss that is no number is an error here
        save_strategy="steps" if recipe.save_steps else "no",
        save_steps=recipe.save_steps or 500,
        save_total_limit=recipe.keep_checkpoints,
        eval_strategy="steps" if evaluate and eval_steps else "no",
        eval_steps=eval_steps,
        prediction_loss_only=True,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=device == "cuda",
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        ddp_find_unused_parameters=False,  # GradientCheck has made sure that there are none
        report_to=list(report_to) or "none",
        run_name=f"{out.resolve().parent.name} {out.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
        project="goldfish",
        seed=seed,
    )


_OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}


class StageTrainer(Trainer):
    """Trains what is marked trainable, on draws in a given order.

    Args:
        model: Trainable parameters are those with ``requires_grad``.
        args: See ``training_arguments``.
        collator: Makes batches of examples.
        order: All draws of the run.
        rate: The learning rate of each step, counted from 0; ``args.learning_rate`` is the highest.
        encoder_chunk: Frames that go through the vision encoder at once.
        max_bad_samples: Samples that may be rejected before the run stops.
        on_rejected: Hears of each of them.
        rows_per_pass: Samples that go through the model at once; ``None``: the whole batch. Less
            where memory once ran out.
        on_smaller: Hears when memory has run out, and how many samples go at once from now on.
    """

    def __init__(
        self,
        model: nn.Module,
        args: TrainingArguments,
        *,
        collator: Callable[[Any], dict[str, Any]],
        train_dataset: Dataset[Any],
        eval_dataset: Dataset[Any] | None,
        order: DrawOrder,
        rate: Callable[[int], float],
        encoder_chunk: int,
        max_bad_samples: int,
        on_rejected: Callable[[Rejected], None],
        rows_per_pass: int | None = None,
        on_smaller: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self._network = model
        self._order = order
        self._rate = rate
        self._encoder_chunk = encoder_chunk
        self._max_bad = max_bad_samples
        self._on_rejected = on_rejected
        self._staging = False
        self._rows = rows_per_pass or args.per_device_train_batch_size
        self._on_smaller = on_smaller
        self._step: list[tuple[dict[str, Any], tuple[str, ...]]] = []  # batches, names of samples
        self._last_ids: list[str] = []
        self.rejected: list[Rejected] = []
        self.num_tokens = 0
        args.activation_checkpointing_kwargs = checkpointing_options(model)
        with _not_called_quantized(model):
            super().__init__(
                model,
                args,
                data_collator=collator,
                train_dataset=train_dataset,
                eval_dataset=eval_dataset,
            )
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self._order

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Let the learning rate go as the recipe says."""
        if self.lr_scheduler is None:
            steered: Any = optimizer or self.optimizer
            highest = self.args.learning_rate
            self.lr_scheduler = LambdaLR(steered, lambda step: self._rate(step) / highest)
        return self.lr_scheduler

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: counting parameters at each step costs more than the figure is worth."""
        return 0

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        for name in ("rejected", "num_tokens", "sample_ids"):  # those of held back samples
            inputs.pop(name, None)
        return super()._prepare_inputs(inputs)

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Learn from one batch; in smaller pieces, from the step's first batch on, if it must be.

        Raises:
            ModelError: If the loss is no number; it names the samples.
            OutOfMemoryError: If a single sample does not fit.
        """
        for item in inputs.pop("rejected"):
            self.reject(item)
        self.num_tokens += inputs.pop("num_tokens")
        self._step.append((inputs, inputs.pop("sample_ids")))
        due = self._step[-1:]
        while True:
            try:
                losses = [self._learn(model, *batch, num_items_in_batch) for batch in due]
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(error)
            free_memory()  # here, where the error no longer holds what the pass has left
            model.zero_grad()
            due = self._step
        if self.accelerator.sync_gradients:
            self._last_ids = [name for _, names in self._step for name in names]
            self._step = []
        return losses[-1]

    def _learn(
        self,
        model: nn.Module,
        batch: dict[str, Any],
        names: tuple[str, ...],
        num_items: Tensor | int | None,
    ) -> Tensor:
        """Pass a batch forwards and backwards, piece by piece; the sum of the losses."""
        config: Any = self._network.config
        total = torch.zeros((), device=self.args.device)
        for rows, piece in pieces(
            batch,
            self._rows,
            image_token_id=config.image_token_id,
            tokens_per_frame=config.tokens_per_frame,
        ):
            loss = super().training_step(model, dict(piece), num_items)
            if not torch.isfinite(loss):
                raise _failed(
                    f"loss is {loss.item()}", self.state.global_step, [names[i] for i in rows]
                )
            total += loss
        return total

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[no-untyped-call]
        scaled = self.accelerator.scaler is not None  # it leaves such a step out, and goes on
        if not scaled and not math.isfinite(norm):
            raise _failed(f"gradient norm is {norm}", self.state.global_step, self._last_ids)
        return norm

    def _shrink(self, error: Exception) -> None:
        if self.args.world_size > 1:
            raise OutOfMemoryError(
                f"One of {self.args.world_size} processes ran out of memory.",
                hint="Resume with a smaller batch_size and more gradient_accumulation.",
            ) from error
        shapes = [batch["input_ids"].shape for batch, _ in self._step]
        self._rows = min(self._rows, max(rows for rows, _ in shapes))  # packed: fewer than samples
        if self._rows == 1:
            raise OutOfMemoryError(
                f"A single row of {max(length for _, length in shapes)} tokens does not fit "
                "the memory.",
                hint="Lower max_context_tokens or num_frames, or give each sample a row of its "
                "own: packing=false, questions_per_clip=1.",
            ) from error
        self._rows = (self._rows + 1) // 2
        self._on_smaller(self._rows)

    def reject(self, item: Rejected) -> None:
        """Count a sample that cannot be used, and tell of it.

        Raises:
            AnnotationError: If there are too many.
        """
        self.rejected.append(item)
        self._on_rejected(item)
        if len(self.rejected) > self._max_bad:
            first = "; ".join(f"{bad.id}: {bad.reason}" for bad in self.rejected[:3])
            raise AnnotationError(
                f"{len(self.rejected)} samples could not be used, the first: {first}",
                hint="Mend the data, or raise max_bad_samples in the recipe.",
            )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Encode frames without gradient, a few at a time, then let the model compute its loss."""
        inner: Any = self.accelerator.unwrap_model(model)
        inputs["attention_mask"] = fit_mask(
            inputs["attention_mask"],
            inner.language_model.config._attn_implementation,
            inner.get_input_embeddings().weight.dtype,
        )
        if "pixel_values" in inputs:
            pixels = inputs.pop("pixel_values")
            inputs["image_features"] = inner.encode_frames(pixels, chunk=self._encoder_chunk)
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """Measure on held back samples; what is random in training goes on as if it were not."""
        gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
        with torch.random.fork_rng(gpus):
            return super().evaluate(*args, **options)

    # Checkpoints hold what learns, never the frozen base, and appear whole: they are written to a
    # folder beside and renamed.

    def _get_output_dir(self, trial: Any) -> str:
        folder = Path(str(self.args.output_dir))
        return str(folder / _STAGING if self._staging else folder)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        out = Path(str(self.args.output_dir))
        name = f"checkpoint-{self.state.global_step}"
        if (out / name).exists():  # saved at this very step already
            return
        self._staging = True
        try:
            with explaining_failed_writes(out / name, "Free some disk and continue with --resume."):
                super()._save_checkpoint(model, trial)
                self.accelerator.wait_for_everyone()  # each process has written its random state
                if self.args.should_save:
                    seal(out / _STAGING / name)
                    (out / _STAGING / name).replace(out / name)
        finally:
            self._staging = False
            if self.args.should_save:
                shutil.rmtree(out / _STAGING, ignore_errors=True)
        if self.args.should_save:
            for old in checkpoints(out)[: -(self.args.save_total_limit or 1)]:
                shutil.rmtree(old)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        weights = {n: p.detach().contiguous() for n, p in _trainable(self._network).items()}
        save_file(weights, folder / TRAINABLE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        path = Path(resume_from_checkpoint) / TRAINABLE
        try:
            stored = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}.") from error
        parameters = _trainable(model or self._network)
        unknown = stored.keys() ^ parameters.keys()
        if unknown:
            raise CheckpointError(
                f"{path.parent.name} does not fit this run: {len(unknown)} names differ, "
                f"the first: {min(unknown)}.",
                hint="Resume with the recipe that the run began with.",
            )
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(stored[name])


@contextmanager
def _not_called_quantized(model: nn.Module) -> Iterator[None]:
    """Let a quantized model pass the Trainer, which knows no other learning part than PEFT's.

    It looks for an adapter around the whole model; ours sits inside, and the projector needs none.
    """
    marked = getattr(model, "is_quantized", False)
    if not marked:
        yield
        return
    model.is_quantized = False  # type: ignore[assignment]  # an attribute of Transformers' models
    try:
        yield
    finally:
        model.is_quantized = True  # type: ignore[assignment]


def _failed(what: str, step: int, names: Sequence[str]) -> ModelError:
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return ModelError(
        f"The {what} at step {step + 1}, on: {shown}.",
        hint="Look at these samples, lower the learning rate, or set precision=float32.",
    )


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
