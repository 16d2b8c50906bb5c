"""A model out of the house: for Transformers, for PEFT, or for MiniGPT4-Video's scripts."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from goldfish_cli.errors import ModelError
from goldfish_cli.model.checkpoint import PROJECTOR_FILE, contiguous, has_adapter
from goldfish_cli.model.folders import model_card, replacing_folder
from goldfish_cli.model.goldfish import (
    GoldfishForConditionalGeneration,
    has_quantized_weights,
)
from goldfish_cli.model.reference_checkpoint import write_trained


def export_merged(
    model: GoldfishForConditionalGeneration,
    folder: Path,
    tokenizer: Any,
    *,
    dtype: torch.dtype | None = None,
    description: str = "",
) -> None:
    """Write the whole model as one Transformers folder, the adapter merged into the weights.

    Args:
        model: Its adapter is merged and its weights are cast in place.
        folder: An earlier model there is replaced.
        tokenizer: Of the language model.
        dtype: Format of the weights; ``None`` leaves each as it is.
        description: A paragraph for the model card.

    Raises:
        ModelError: If the model is quantized, or has no vision encoder.
        CheckpointError: If ``folder`` holds something else.
    """
    if model.vision_encoder is None:
        raise ModelError("A model without its vision encoder cannot be written whole.")
    if has_quantized_weights(model):
        raise ModelError(
            "A quantized model cannot be written whole without loss.",
            hint="Load it with quantization: none.",
        )
    if has_adapter(model):
        from goldfish_cli.model.adapters import merge_lora  # PEFT costs seconds to import

        merge_lora(model)
    if dtype is not None:
        model.to(dtype=dtype)  # type: ignore[call-arg]
    with replacing_folder(folder) as new:
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)
        card = model_card(model.config, description, has_adapter=False)
        (new / "README.md").write_text(card, encoding="utf-8")


def export_adapter(model: GoldfishForConditionalGeneration, folder: Path, tokenizer: Any) -> None:
    """Write the adapter as a PEFT folder, the projector and the tokenizer beside it.

    ``peft.PeftModel.from_pretrained(language_model, folder)`` reads the adapter.

    Args:
        model: With an adapter.
        folder: New, or empty, or an earlier export.
        tokenizer: Of the language model.

    Raises:
        ModelError: If the model has no adapter.
        CheckpointError: If ``folder`` holds something else.
    """
    if not has_adapter(model):
        raise ModelError(
            "The checkpoint has no adapter: stages 1 and 2 train the projector alone.",
            hint="Use --as transformers or --as pth.",
        )
    from goldfish_cli.model.adapters import save_lora  # PEFT costs seconds to import

    with replacing_folder(folder) as new:
        save_lora(model, new)
        tokenizer.save_pretrained(new)
        save_file(contiguous(model.projector.state_dict()), new / PROJECTOR_FILE)
        card = model_card(
            model.config,
            "The LoRA adapter of a video-language model, and its projector.",
            has_adapter=True,
            askable=False,
            details='Load it with: `peft.PeftModel.from_pretrained(language_model, "THIS_FOLDER")`',
        )
        (new / "README.md").write_text(card, encoding="utf-8")


def export_reference(model: GoldfishForConditionalGeneration, path: Path) -> None:
    """Write what was trained as a ``.pth`` that MiniGPT4-Video's own scripts load.

    Args:
        model: Trained with token pooling of four, or without pooling.
        path: Replaced if it exists.

    Raises:
        ModelError: If the reference has no such pooling.
    """
    config = model.config
    if config.pooling == "mean" or (config.pooling == "concat" and config.pooling_size != 4):
        raise ModelError(
            f"MiniGPT4-Video has no pooling {config.pooling} of {config.pooling_size}.",
            hint="It joins 4 tokens, or none.",
        )
    settings: dict[str, Any] = {
        "image_size": config.image_size,
        "token_pooling": config.pooling == "concat",
        "llama_model": config.base_models.get("language_model", {}).get("name", ""),
    }
    lora: dict[str, Tensor] = {}
    if has_adapter(model):
        from goldfish_cli.model.adapters import lora_state  # PEFT costs seconds to import

        lora = lora_state(model)
        adapter = model.language_model.peft_config["default"]
        settings |= {
            "lora_r": adapter.r,
            "lora_alpha": adapter.lora_alpha,
            "lora_target_modules": sorted(adapter.target_modules),
        }
    state = write_trained(model.projector.state_dict(), lora)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    torch.save({"model": state, "config": {"model": settings}, "epoch": 0}, part)
    part.replace(path)
