"""A stage's training loop: the Transformers Trainer with our data order and checkpoints."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset, Sampler
from transformers.trainer import Trainer
from transformers.trainer_callback import PrinterCallback
from transformers.training_args import TrainingArguments

from goldfish_cli.data.dataset import DrawOrder, Rejected
from goldfish_cli.errors import AnnotationError, CheckpointError, InputError
from goldfish_cli.model.quantized_training import checkpointing_options
from goldfish_cli.training.collator import fit_mask
from goldfish_cli.training.recipes import StageRecipe

TRAINABLE = "trainable.safetensors"
_STATE = "trainer_state.json"
_STAGING = ".partial"


def training_arguments(
    recipe: StageRecipe,
    out: Path,
    *,
    device: str,
    seed: int,
    evaluate: bool,
    activation_checkpointing: bool,
) -> TrainingArguments:
    """Translate a resolved stage to what the Trainer takes; ``max_steps`` is left to be set."""
    batch_size = recipe.batch_size or 1
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
        logging_nan_inf_filter=False,  # a loss that is no number is an error here, see LogCallback
        save_strategy="steps" if recipe.save_steps else "no",
        save_steps=recipe.save_steps or 500,
        save_total_limit=recipe.keep_checkpoints,
        eval_strategy="steps" if evaluate and recipe.save_steps else "no",
        eval_steps=recipe.save_steps,
        prediction_loss_only=True,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=device == "cuda",
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        report_to="none",
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
    ) -> None:
        self._network = model
        self._order = order
        self._rate = rate
        self._encoder_chunk = encoder_chunk
        self._max_bad = max_bad_samples
        self._on_rejected = on_rejected
        self._staging = False
        self.rejected: list[Rejected] = []
        self.num_tokens = 0
        args.activation_checkpointing_kwargs = checkpointing_options(model)
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
        rejected, num_tokens = inputs.pop("rejected", ()), inputs.pop("num_tokens", 0)
        for item in rejected:
            self._reject(item)
        if self._network.training:
            self.num_tokens += num_tokens
        return super()._prepare_inputs(inputs)

    def _reject(self, item: Rejected) -> None:
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
            super()._save_checkpoint(model, trial)
        except OSError as error:
            raise InputError(
                f"The checkpoint cannot be written to {out}: {error}.",
                hint="Free some disk and continue with --resume.",
            ) from error
        finally:
            self._staging = False
        if self.args.should_save:
            (out / _STAGING / name).replace(out / name)
            shutil.rmtree(out / _STAGING)
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


def checkpoints(out: Path) -> list[Path]:
    """Return the whole checkpoints of a run, the oldest first."""
    found = [path for path in out.glob("checkpoint-*") if (path / _STATE).is_file()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
