"""Estimate the memory that asking or training takes from a configuration: no weight is loaded.

Parameters are counted on the real modules, built on the meta device. What autograd keeps is
arithmetic over Llama-like blocks, and agrees with what PyTorch keeps for those; for other language
models it is a fair guess.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.machine import gpu_memory_gib, main_memory_gib
from goldfish_cli.profiles import Profile

Use = Literal["ask", "1", "2", "3"]

_GIB = 2**30
_LORA_TARGETS = ("q_proj", "v_proj")
_FLOAT_BYTES = 4  # trained weights, their gradients, norms and losses stay float32
_ADAM_BYTES = 8  # two float32 moments for each parameter
_LOSS_BYTES = 12  # float32 logits, their softmax, its gradient
_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # 4 bits; a byte for 64 of them; a float for 256 bytes
_INT8_ROW_BYTES = 4  # one float32 scale for each output row
_STAGE_1_PROMPT_TOKENS = 64  # around the picture, generously: "Describe this image in detail."
_GPU_RUNTIME_GIB = 0.8  # CUDA context and cuBLAS workspaces
_CPU_RUNTIME_GIB = 0.7  # Python, torch and Transformers themselves
_FRAGMENTATION = 0.04  # share of the rest that the allocator cannot hand out


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What one use of a model takes, part by part, against what there is."""

    parts: dict[str, float]
    """GiB by component; a component that takes nothing is left out."""
    budget: float | None
    """GiB that the profile or the machine offers; ``None`` where neither tells."""

    @property
    def total(self) -> float:
        """GiB at the moment when most is held."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether the total stays within the budget; an unknown budget is taken as enough."""
        return self.budget is None or self.total <= self.budget


class MemoryPlanner:
    """Counts a model once, then estimates what it takes under any profile.

    Args:
        config: Sizes of the model; ``GoldfishConfig()`` is ViT-g/14 with Llama-2-7B.
        lora_rank: Rank of the adapters on the query and value projections.
        stored_features: Train from the feature store, with no vision encoder in memory.
    """

    def __init__(
        self, config: GoldfishConfig, *, lora_rank: int = 64, stored_features: bool = False
    ) -> None:
        with torch.device("meta"):
            model = GoldfishForConditionalGeneration(
                config, with_vision_encoder=not stored_features
            )
        head = model.get_output_embeddings()
        linear = {
            name: module
            for name, module in model.language_model.named_modules()
            if isinstance(module, nn.Linear) and module is not head
        }
        adapted = [linear[name] for name in linear if name.rpartition(".")[2] in _LORA_TARGETS]
        self.config = config
        self.lora_rank = lora_rank
        self.num_adapters = len(adapted)
        self.num_vision = _num_parameters(model.vision_encoder)
        self.num_projector = _num_parameters(model.projector)
        self.num_adapter = lora_rank * sum(m.in_features + m.out_features for m in adapted)
        self.num_quantizable = sum(module.weight.numel() for module in linear.values())
        self.num_rows = sum(module.out_features for module in linear.values())
        self.num_largest = max((module.weight.numel() for module in linear.values()), default=0)
        self.num_other = _num_parameters(model.language_model) - self.num_quantizable

    def without_encoder(self) -> "MemoryPlanner":
        """Return a planner of the same model that trains from stored features."""
        return MemoryPlanner(self.config, lora_rank=self.lora_rank, stored_features=True)

    def plan(self, profile: Profile, use: Use = "ask") -> MemoryPlan:
        """Estimate the peak of asking a question (``ask``) or of training stage 1, 2 or 3.

        The projector trains in every stage, adapters in stage 3.
        """
        parts = self._weights(profile) | (
            self._answering(profile) if use == "ask" else self._training(profile, use)
        )
        parts["encoder workspace"] = self._encoder_workspace(profile, use)
        on_gpu = _is_on_gpu(profile)
        gib = {name: size / _GIB for name, size in parts.items() if size}
        runtime = _GPU_RUNTIME_GIB if on_gpu else _CPU_RUNTIME_GIB
        gib["runtime"] = runtime + _FRAGMENTATION * sum(gib.values())
        machine = gpu_memory_gib() if on_gpu else main_memory_gib()
        return MemoryPlan(gib, profile.memory_gib or machine)

    def _weights(self, profile: Profile) -> dict[str, float]:
        width = _bytes_per_weight(profile)
        quantized = {
            "none": width * self.num_quantizable,
            "int8": self.num_quantizable + _INT8_ROW_BYTES * self.num_rows,
            "nf4": _NF4_BYTES * self.num_quantizable,
        }[profile.quantization]
        return {
            "vision encoder": width * self.num_vision,
            "language model": quantized + width * self.num_other,
            "projector": _FLOAT_BYTES * self.num_projector,
            "adapters": _FLOAT_BYTES * self.num_adapter,
        }

    def _training(self, profile: Profile, use: Use) -> dict[str, float]:
        trained = self.num_projector + (self.num_adapter if use == "3" else 0)
        if use == "1":
            context = self.config.tokens_per_frame + _STAGE_1_PROMPT_TOKENS
        else:
            context = profile.max_context_tokens
        tokens = profile.batch_size * (context + profile.max_text_tokens)
        answer_tokens = profile.batch_size * profile.max_text_tokens
        text = self.config.text_config
        width = _bytes_per_weight(profile)
        block = tokens * self._saved_per_token(profile, adapted=use == "3")
        if profile.activation_checkpointing:  # each block's input, and one block at a time
            saved = tokens * width * text.hidden_size * text.num_hidden_layers + block
        else:
            saved = block * text.num_hidden_layers
        return {
            "gradients": _FLOAT_BYTES * trained,
            "optimizer": _ADAM_BYTES * trained,
            "activations": saved + self._dequantized(profile),
            "logits": answer_tokens * text.vocab_size * (2 * width + _LOSS_BYTES),
        }

    def _answering(self, profile: Profile) -> dict[str, float]:
        text = self.config.text_config
        width = _bytes_per_weight(profile)
        prompt = profile.max_context_tokens
        working = prompt * width * (4 * text.hidden_size + 3 * _intermediate_size(text))
        cache_per_token = 2 * width * _key_value_width(text) * text.num_hidden_layers
        return {
            "activations": working + self._dequantized(profile),
            "logits": text.vocab_size * (width + _FLOAT_BYTES),
            "KV cache": cache_per_token * (prompt + profile.max_new_tokens),
        }

    def _saved_per_token(self, profile: Profile, *, adapted: bool) -> float:
        """Bytes that autograd keeps of one token in one block of a Llama.

        Frozen linear layers keep nothing. Two norms keep their input in float32; attention keeps
        query, key, value, output and one float a head; the gated MLP three intermediate values.
        An adapter keeps its input before and after dropout in float32, and its inner value;
        a quantized block one more copy of its input for each of those.
        """
        text = self.config.text_config
        width, hidden = _bytes_per_weight(profile), text.hidden_size
        norms = 2 * _FLOAT_BYTES * (hidden + 1)
        attention = 2 * width * (hidden + _key_value_width(text))
        attention += _FLOAT_BYTES * text.num_attention_heads
        mlp = 3 * width * _intermediate_size(text)
        adapters = 0.0
        if adapted:
            adapters_per_block = self.num_adapters / text.num_hidden_layers
            copies = 2 * _FLOAT_BYTES + (0 if profile.quantization == "none" else width)
            adapters = adapters_per_block * (copies * hidden + _FLOAT_BYTES * self.lora_rank)
        return norms + attention + mlp + adapters

    def _dequantized(self, profile: Profile) -> float:
        """Bytes of the largest matrix, unpacked for a moment to compute with it."""
        if profile.quantization == "none":
            return 0.0
        return _bytes_per_weight(profile) * self.num_largest

    def _encoder_workspace(self, profile: Profile, use: Use) -> float:
        if not self.num_vision:
            return 0.0
        vision, width = self.config.vision_config, _bytes_per_weight(profile)
        patches = self.config.patches_per_frame
        frames = profile.max_frames or self.config.num_frames
        frames = profile.batch_size * (1 if use == "1" else frames) if use != "ask" else frames
        pixels = _FLOAT_BYTES * 3 * self.config.image_size**2
        features = width * self.config.tokens_per_frame * self.config.pooled_dim
        block = width * (patches + 1) * 2 * (vision.hidden_size + vision.intermediate_size)
        return frames * (pixels + features) + min(frames, profile.encoder_chunk) * block


def _num_parameters(module: nn.Module | None) -> int:
    if module is None:
        return 0
    return sum(parameter.numel() for parameter in module.parameters())


def _bytes_per_weight(profile: Profile) -> int:
    return 4 if profile.dtype == "float32" else 2


def _is_on_gpu(profile: Profile) -> bool:
    if profile.device == "auto":  # a budget of its own means somebody's GPU, not this machine
        return profile.memory_gib is not None or gpu_memory_gib() is not None
    return profile.device != "cpu"


def _intermediate_size(text: PreTrainedConfig) -> int:
    hidden: int = text.hidden_size
    return getattr(text, "intermediate_size", None) or 4 * hidden


def _key_value_width(text: PreTrainedConfig) -> int:
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    head_width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    width: int = heads * head_width
    return width
