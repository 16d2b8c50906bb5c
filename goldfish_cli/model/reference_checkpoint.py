"""MiniGPT4-Video's checkpoints: their names for our weights, both ways. Reads no file.

``eva_vit_g.pth`` names the encoder's weights, ``checkpoint_N.pth`` those that were trained: the
projector ``llama_proj`` and the LoRA matrices of ``llama_model``, named as PEFT 0.2 did.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.models.blip_2.configuration_blip_2 import Blip2VisionConfig

from goldfish_cli.errors import CheckpointError
from goldfish_cli.model.config import patches_of
from goldfish_cli.model.vision_encoder import interpolate_positions

LANGUAGE_MODEL_PREFIX = "llama_model."
PROJECTOR_NAMES = {"llama_proj.weight": "linear.weight", "llama_proj.bias": "linear.bias"}
EVA_HEAD_DIM = 88
_TOP_NAMES = {
    "cls_token": "embeddings.class_embedding",
    "pos_embed": "embeddings.position_embedding",
    "patch_embed.proj.weight": "embeddings.patch_embedding.weight",
    "patch_embed.proj.bias": "embeddings.patch_embedding.bias",
}
_BLOCK_NAMES = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.qkv": "self_attn.qkv",
    "attn.proj": "self_attn.projection",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_NEVER_USED = re.compile(r"(norm|fc_norm|head)\.(weight|bias)|.*\.rotary_emb\.inv_freq")


@dataclass(frozen=True, slots=True)
class TrainedWeights:
    """What a reference checkpoint holds."""

    projector: dict[str, Tensor]
    """Named as in ``VisualProjector``."""
    lora: dict[str, Tensor]
    """Named as PEFT saves an adapter; empty if none was trained."""
    lora_alpha: int
    """LoRA's numerator: each product of matrices is scaled by alpha / rank."""
    settings: dict[str, Any]
    """The ``model`` part of the configuration that it was trained with."""


def vision_config_of(
    state: Mapping[str, Tensor], *, num_heads: int | None = None
) -> Blip2VisionConfig:
    """Read the encoder's size off its weights; ViT-g is taken without its last block, as in BLIP-2.

    Args:
        state: Named as in ``eva_vit_g.pth``, with or without the prefix ``visual_encoder.``.
        num_heads: Attention heads, which no shape shows; ``None``: heads of 88 channels, as ViT-g.

    Raises:
        CheckpointError: If a weight that shows the size is missing, or heads cannot be told.
    """
    state = _without_prefix(state)
    for name in ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight"):
        if name not in state:
            raise CheckpointError(
                f"These are not the weights of an EVA encoder: {name} is missing."
            )
    width, _, patch, _ = state["patch_embed.proj.weight"].shape
    if num_heads is None and width % EVA_HEAD_DIM:
        raise CheckpointError(
            f"An encoder of width {width} does not show how many attention heads it has.",
            hint="Give it as a model folder with a config.json instead.",
        )
    side = int((state["pos_embed"].shape[1] - 1) ** 0.5)
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    return Blip2VisionConfig(
        hidden_size=width,
        intermediate_size=state["blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=min(depth, 39) if width == 1408 else depth,
        num_attention_heads=num_heads or width // EVA_HEAD_DIM,
        image_size=side * patch,
        patch_size=patch,
        initializer_range=0.02,
    )


def encoder_state(state: Mapping[str, Tensor], config: Blip2VisionConfig) -> dict[str, Tensor]:
    """Rename the reference's encoder weights to ``VisionEncoder``'s.

    Query and value biases become one bias with a key bias of zero between them; the position
    embedding is fitted to the configured image size; an absent output norm is the identity, as the
    reference never trains one. Blocks beyond the configured depth and a classification head are
    not used by the reference either.

    Raises:
        CheckpointError: If a weight is missing, or one is left over.
    """
    state = _without_prefix(state)
    width = config.hidden_size
    renamed = {
        "post_layernorm.weight": state.pop("ln_vision.weight", torch.ones(width)),
        "post_layernorm.bias": state.pop("ln_vision.bias", torch.zeros(width)),
    }
    for theirs, ours in _TOP_NAMES.items():
        renamed[ours] = _take(state, theirs)
    patches = patches_of(config)
    position = "embeddings.position_embedding"
    renamed[position] = interpolate_positions(renamed[position], patches)
    for block in range(config.num_hidden_layers):
        source, target = f"blocks.{block}.", f"encoder.layers.{block}."
        for theirs, ours in _BLOCK_NAMES.items():
            for kind in ("weight", "bias"):
                if (theirs, kind) != ("attn.qkv", "bias"):
                    renamed[f"{target}{ours}.{kind}"] = _take(state, f"{source}{theirs}.{kind}")
        query, value = (_take(state, f"{source}attn.{name}_bias") for name in "qv")
        bias = torch.cat([query, torch.zeros_like(query), value])
        renamed[f"{target}self_attn.qkv.bias"] = bias
    beyond = re.compile(rf"blocks\.{config.num_hidden_layers}\.")
    left = [name for name in state if not (beyond.match(name) or _NEVER_USED.fullmatch(name))]
    if left:
        raise CheckpointError(f"The encoder's weights hold {_some(left)}, which has no place.")
    return renamed


def read_trained(checkpoint: Mapping[str, Any]) -> TrainedWeights:
    """Sort the content of a reference checkpoint.

    Raises:
        CheckpointError: If it holds no model, or a weight that has no place.
    """
    state = checkpoint.get("model")
    if not isinstance(state, Mapping):
        raise CheckpointError(
            "This is not a MiniGPT4-Video checkpoint: it has no entry 'model'.",
            hint="Its files are named like video_llama_checkpoint_last.pth.",
        )
    settings = (checkpoint.get("config") or {}).get("model", {})
    projector: dict[str, Tensor] = {}
    lora: dict[str, Tensor] = {}
    left = []
    for name, tensor in state.items():
        if name in PROJECTOR_NAMES:
            projector[PROJECTOR_NAMES[name]] = tensor
        elif name.startswith(LANGUAGE_MODEL_PREFIX) and ".lora_" in name:
            lora[name.removeprefix(LANGUAGE_MODEL_PREFIX)] = tensor
        elif not _NEVER_USED.fullmatch(name) and not _is_identity_norm(name, tensor):
            left.append(name)
    missing = [name for name, ours in PROJECTOR_NAMES.items() if ours not in projector]
    if missing:
        raise CheckpointError(f"The checkpoint lacks {_some(missing)}.")
    if left:
        raise CheckpointError(f"The checkpoint holds {_some(left)}, which has no place.")
    return TrainedWeights(projector, lora, int(settings.get("lora_alpha", 16)), settings)


def write_trained(projector: Mapping[str, Tensor], lora: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name trained weights as the reference does: the ``model`` entry of its checkpoints.

    Args:
        projector: Named as in ``VisualProjector``.
        lora: Named as PEFT saves an adapter; empty if there is none.
    """
    state = {f"{LANGUAGE_MODEL_PREFIX}{name}": tensor for name, tensor in lora.items()}
    state |= {theirs: projector[ours] for theirs, ours in PROJECTOR_NAMES.items()}
    return {name: tensor.detach().cpu().float().contiguous() for name, tensor in state.items()}


def lora_targets(lora: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the layers that have an adapter, such as ``q_proj``."""
    return sorted({name.split(".lora_")[0].rsplit(".", 1)[1] for name in lora})


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("visual_encoder."): tensor for name, tensor in state.items()}


def _take(state: dict[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise CheckpointError(f"The encoder's weights lack {name}.")
    return state.pop(name)


def _is_identity_norm(name: str, tensor: Tensor) -> bool:
    values = {"ln_vision.weight": 1.0, "ln_vision.bias": 0.0}
    return name in values and bool((tensor == values[name]).all())


def _some(names: list[str]) -> str:
    shown: Iterator[str] = iter(sorted(names)[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(shown) + more
