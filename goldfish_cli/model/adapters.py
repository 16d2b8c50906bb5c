"""LoRA on the language model, through PEFT: add, save, load with every key checked, merge.

Importing this costs seconds, so only work that needs an adapter does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.model.goldfish import (
    GoldfishForConditionalGeneration,
    has_quantized_weights,
)
from goldfish_cli.model.quiet import silent_transformers

with silent_transformers():  # bitsandbytes, which PEFT imports, tells of kernels it can do without
    from peft import LoraConfig, PeftModel, get_peft_model
    from peft.tuners.lora import LoraLayer
    from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

REFERENCE_TARGETS = ("q_proj", "v_proj")
WEIGHTS_FILE = "adapter_model.safetensors"


def add_lora(
    model: GoldfishForConditionalGeneration,
    *,
    r: int = 64,
    alpha: int = 16,
    dropout: float = 0.05,
    targets: Sequence[str] = REFERENCE_TARGETS,
) -> None:
    """Put new, trainable LoRA matrices on the language model and freeze the rest of it.

    Args:
        model: Changed in place.
        r: Rank (arXiv:2106.09685).
        alpha: The product of the matrices is scaled by ``alpha / r``.
        dropout: Before the first matrix, in training.
        targets: Names of the linear layers that get one.

    Raises:
        ModelError: If the model has an adapter already, or no layer of such a name.
    """
    config = LoraConfig(
        r=r,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(targets),
        bias="none",
        task_type="CAUSAL_LM",
    )
    _wrap(model, config)


def load_lora(model: GoldfishForConditionalGeneration, folder: Path) -> None:
    """Put a saved PEFT adapter on the language model, for use or further training.

    Raises:
        CheckpointError: If a key is missing or left over, or the adapter changes nothing.
    """
    file = folder / WEIGHTS_FILE
    if not (folder / "adapter_config.json").is_file() or not file.is_file():
        raise CheckpointError(f"{folder} is not a PEFT adapter.")
    config = LoraConfig.from_pretrained(str(folder))
    config.inference_mode = False
    config.base_model_name_or_path = model.language_model.name_or_path  # it may have moved
    try:
        state = load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The adapter {file} cannot be read: {error}.", hint="Copy it again; it is not whole"
        ) from error
    _wrap(model, config)
    set_lora(model, state, source=str(folder))


def set_lora(
    model: GoldfishForConditionalGeneration, state: Mapping[str, Tensor], *, source: str
) -> None:
    """Copy LoRA weights into a model that has an adapter.

    Args:
        model: Changed in place.
        state: Named as PEFT saves an adapter.
        source: Where they come from, for messages.

    Raises:
        CheckpointError: If names or shapes do not fit, or the adapter changes nothing.
    """
    wanted = lora_state(model)
    missing, extra = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    hint = "It was trained on another language model, or is not whole."
    if missing:
        raise CheckpointError(f"The adapter {source} lacks {missing[0]}.", hint=hint)
    if extra:
        raise CheckpointError(
            f"The adapter {source} holds {extra[0]}, which has no place.", hint=hint
        )
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"The adapter {source} has {name} as {list(tensor.shape)}, "
                f"the language model takes {list(wanted[name].shape)}.",
                hint=hint,
            )
    if not any(bool(tensor.any()) for name, tensor in state.items() if "lora_B" in name):
        raise CheckpointError(
            f"The adapter {source} changes nothing: every lora_B is zero.",
            hint="It was saved before it was trained, or was not loaded where it was trained.",
        )
    set_peft_model_state_dict(model.language_model, dict(state))


def lora_state(model: GoldfishForConditionalGeneration) -> dict[str, Tensor]:
    """Return the adapter's weights, named as PEFT saves them.

    Raises:
        ModelError: If the model has no adapter.
    """
    if not isinstance(model.language_model, PeftModel):
        raise ModelError("The model has no adapter.")
    return get_peft_model_state_dict(model.language_model, save_embedding_layers=False)


def save_lora(model: GoldfishForConditionalGeneration, folder: Path) -> None:
    """Write the adapter as a folder that PEFT reads.

    Raises:
        ModelError: If the model has no adapter.
    """
    lora_state(model)
    model.language_model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card; ours stands above


def merge_lora(model: GoldfishForConditionalGeneration) -> None:
    """Add the adapter to the weights and take it off; the model answers as before, faster.

    Raises:
        ModelError: If there is no adapter, or the weights are quantized.
    """
    lora_state(model)
    if has_quantized_weights(model):
        raise ModelError(
            "An adapter cannot be merged into quantized weights without loss.",
            hint="Load the model with quantization: none.",
        )
    with torch.no_grad():
        for module in model.language_model.modules():
            if isinstance(module, LoraLayer):
                layer: Any = module
                weight = layer.get_base_layer().weight
                added = weight.float() + layer.get_delta_weight("default").float()
                weight.copy_(added)  # rounded once, however narrow the weights are
    model.language_model = model.language_model.unload()


def _wrap(model: GoldfishForConditionalGeneration, config: LoraConfig) -> None:
    if isinstance(model.language_model, PeftModel):
        raise ModelError("The model has an adapter already.", hint="Merge it first.")
    try:
        with silent_transformers():
            model.language_model = get_peft_model(model.language_model, config)
    except ValueError as error:  # PEFT's word for target modules that are not there
        raise ModelError(f"No adapter fits this language model: {error}") from error
