"""Configurations and weights of tiny models, for all tests of this folder."""

import zlib
from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.reference_checkpoint import encoder_state, vision_config_of
from goldfish_cli.model.vision_encoder import VisionEncoder

VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 16,
    "patch_size": 4,
    "initializer_range": 0.2,
}
TEXT = {
    "model_type": "llama",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 264,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
    "initializer_range": 0.2,
}
IMAGE_TOKEN_ID = 264  # one past the vocabulary: never looked up


def tiny_config(**changes: object) -> GoldfishConfig:
    fields: dict[str, object] = {"image_token_id": IMAGE_TOKEN_ID, "num_frames": 3} | changes
    return GoldfishConfig(dict(VISION), dict(TEXT), **fields)  # type: ignore[arg-type]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and the three special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def value_of(name: str, shape: Sequence[int], scale: float = 0.3) -> Tensor:
    """Make a weight that only its name and shape decide: the same on any machine."""
    phase = zlib.crc32(name.encode()) % 1000
    steps = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    values = torch.sin(steps * 1.7 + phase) * scale + (1.0 if "norm" in name else 0.0)
    return values.reshape(tuple(shape)).float()


def fill_by_name(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(value_of(name, parameter.shape))


def reference_encoder(
    weights: Mapping[str, Tensor], *, heads: int, image_size: int | None = None
) -> VisionEncoder:
    """Build an encoder from weights that are named as in the reference."""
    config = vision_config_of(weights, num_heads=heads)
    if image_size is not None:
        config.image_size = image_size
    encoder = VisionEncoder(config)
    encoder.load_state_dict(encoder_state(weights, config))
    return encoder.eval()
