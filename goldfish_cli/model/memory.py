"""Estimate the memory that asking or training takes from a configuration: no weight is loaded.

Parameters are counted on the real modules, built on the meta device. What autograd keeps is
arithmetic over Llama-like blocks, and agrees with what PyTorch keeps for those; for other language
models it is a fair guess.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig

from goldfish_cli.model.answer_loss import LOSS_ROWS
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.devices import SMALL_MODEL_BYTES
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.machine import gpu_memory_gib, main_memory_gib
from goldfish_cli.profiles import Profile

Use = Literal["ask", "1", "2", "3"]

_GIB = 2**30
_FLOAT_BYTES = 4  # trained weights, their gradients, norms and losses stay float32
_ADAM_BYTES = 8  # two float32 moments for each parameter
_SMALLEST_8BIT_TENSOR = 4096  # elements; bitsandbytes keeps the moments of smaller ones in float32
_8BIT_BLOCK = 256  # moments that share one float32 scale
_LOSS_BYTES = 8  # float32 logits, whose gradient takes the place of their softmax
_BACKWARD_BYTES = 16  # of each hidden value, while a block's gradient is computed
_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # 4 bits; a byte for 64 of them; a float for 256 bytes
_INT8_ROW_BYTES = 4  # one float32 scale for each output row
_QUESTION_TOKENS = 64  # of each further dialogue about the same frames, generously
_STAGE_1_PROMPT_TOKENS = 64  # around the picture, generously: "Describe this image in detail."
_GPU_RUNTIME_GIB = 0.8  # CUDA context and cuBLAS workspaces
_CPU_RUNTIME_GIB = 0.7  # Python, torch and Transformers themselves
_GPU_HOST_GIB = 3.5  # what torch, CUDA's libraries and bitsandbytes keep in main memory
_WORKER_GIB, _PREFETCHED = 0.5, 2  # a process that loads data, and the batches it is ahead
_WEIGHTS = ("vision encoder", "language model", "projector", "adapters")
_FRAGMENTATION = 0.04  # share of the rest that the allocator cannot hand out


@dataclass(frozen=True, slots=True)
class Learning:
    """What learns beside the projector, and what the optimizer keeps of it."""

    lora_rank: int | None = 64
    """Rank of the adapters; ``None`` without."""
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    """Names of the linear layers that get one."""
    full: bool = False
    """Whether the whole language model learns."""
    eight_bit_optimizer: bool = False
    """Whether the optimizer keeps a byte of each of its two moments, not a float."""


_PROJECTOR_ONLY = Learning(lora_rank=None)


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
        learning: What learns beside the projector; ``None``: adapters of rank 64 on the query and
            value projections, in stage 3.
        stored_features: Train from the feature store, with no vision encoder in memory.
        dialogues: Dialogues about one clip that share a sequence in training.
        packing: Several samples of a batch may share a row in training. That takes no more tokens,
            but longer rows, and a mask that says who sees whom.
    """

    def __init__(
        self,
        config: GoldfishConfig,
        *,
        learning: Learning | None = None,
        stored_features: bool = False,
        dialogues: int = 1,
        packing: bool = False,
    ) -> None:
        with torch.device("meta"):
            model = GoldfishForConditionalGeneration(config)
        head = model.get_output_embeddings()
        linear = {
            name: module
            for name, module in model.language_model.named_modules()
            if isinstance(module, nn.Linear) and module is not head
        }
        wanted = learning or Learning()
        adapted = [linear[n] for n in linear if n.rpartition(".")[2] in wanted.lora_targets]
        rank = wanted.lora_rank or 0
        self.config = config
        self.learning = learning
        self.dialogues = dialogues
        self.packing = packing
        self.num_adapters = len(adapted)
        self.adapter_inputs = sum(module.in_features for module in adapted)
        whole_vision = _num_parameters(model.vision_encoder)
        self.num_vision = 0 if stored_features else whole_vision
        self.num_projector = _num_parameters(model.projector)
        self._adapter_sizes = [
            rank * side for m in adapted for side in (m.in_features, m.out_features)
        ]
        self._projector_sizes = [weight.numel() for weight in model.projector.parameters()]
        self._text_sizes = [weight.numel() for weight in model.language_model.parameters()]
        self.num_adapter = sum(self._adapter_sizes)
        self.num_quantizable = sum(module.weight.numel() for module in linear.values())
        self.num_rows = sum(module.out_features for module in linear.values())
        self.num_largest = max((module.weight.numel() for module in linear.values()), default=0)
        self.num_other = _num_parameters(model.language_model) - self.num_quantizable

        adapters = self.num_adapter if learning and learning.lora_rank else 0
        self.num_parameters = whole_vision + self.num_projector + self.num_text + adapters
        self._stored_bytes = (self.num_parameters - adapters) * _stored_width(config)

    def without_encoder(self) -> "MemoryPlanner":
        """Return a planner of the same model that trains from stored features."""
        return MemoryPlanner(
            self.config,
            learning=self.learning,
            stored_features=True,
            dialogues=self.dialogues,
            packing=self.packing,
        )

    @property
    def num_text(self) -> int:
        """Parameters of the language model."""
        return self.num_quantizable + self.num_other

    def plan(self, profile: Profile, use: Use = "ask", *, longest: int | None = None) -> MemoryPlan:
        """Estimate the peak of asking a question (``ask``) or of training stage 1, 2 or 3.

        Args:
            profile: The limits; training fills them, except that stage 1 has a short prompt.
            use: What is done.
            longest: Tokens of the longest sample; ``None``: as many as the profile lets through.
        """
        learning = self._learning(use)
        parts = self._weights(profile, learning) | (
            self._answering(profile)
            if use == "ask"
            else self._training(profile, use, learning, longest)
        )
        parts["encoder workspace"] = self._encoder_workspace(profile, use)
        on_gpu = _is_on_gpu(profile)
        gib = {name: size / _GIB for name, size in parts.items() if size}
        runtime = _GPU_RUNTIME_GIB if on_gpu else _CPU_RUNTIME_GIB
        gib["runtime"] = runtime + _FRAGMENTATION * sum(gib.values())
        machine = gpu_memory_gib() if on_gpu else main_memory_gib()
        return MemoryPlan(gib, profile.memory_gib or machine)

    def rows_that_fit(self, profile: Profile) -> int:
        """Say how many answers there is memory for at the same time, each with its whole prompt."""
        plan = self.plan(profile)
        if plan.budget is None:
            return 1
        left = (plan.budget - plan.total) * _GIB
        return 1 + max(0, int(left // self._answering(profile)["KV cache"]))

    def plan_host(self, profile: Profile, device: MemoryPlan, *, workers: int) -> MemoryPlan:
        """Estimate the main memory that a training takes beside its device.

        Weights are mapped from their files and go to a GPU one matrix at a time; what stays in main
        memory are the libraries, a matrix on its way, and the processes that load data. Features in
        a store are mapped too, and no part of it. Where a processor quantizes, the C library keeps
        up to as much as was read, which training then uses before it asks for more.

        Args:
            profile: The limits.
            device: The plan of the device; on a processor it is that of main memory too.
            workers: Processes that load data.
        """
        frames = profile.batch_size * (profile.max_frames or self.config.num_frames)
        pixels = _PREFETCHED * frames * _FLOAT_BYTES * 3 * self.config.image_size**2
        loading = {"data workers": workers * (_WORKER_GIB + pixels / _GIB)}
        if not _is_on_gpu(profile):
            held = sum(gib for name, gib in device.parts.items() if name != "runtime")
            weights = sum(device.parts.get(name, 0.0) for name in _WEIGHTS)
            read = 0.0 if profile.quantization == "none" else self._stored_bytes / _GIB
            loading["kept after loading"] = max(0.0, weights + read - held)
            return MemoryPlan(_taking(device.parts | loading), main_memory_gib())
        parts = {
            "runtime": _GPU_HOST_GIB,
            "weights on their way": 2 * _FLOAT_BYTES * self.num_largest / _GIB,
        }
        return MemoryPlan(_taking(parts | loading), main_memory_gib())

    def num_learning(self, use: Use) -> int:
        """Count the parameters that learn in a stage."""
        return sum(self._learning_sizes(use))

    def optimizer_bytes(self, use: Use) -> float:
        """Bytes of the optimizer's two moments of all that learns in a stage."""
        sizes = self._learning_sizes(use)
        if not self._learning(use).eight_bit_optimizer:
            return _ADAM_BYTES * sum(sizes)
        small = sum(size for size in sizes if size < _SMALLEST_8BIT_TENSOR)
        large = [size for size in sizes if size >= _SMALLEST_8BIT_TENSOR]
        scales = sum(ceil(size / _8BIT_BLOCK) for size in large)
        return _ADAM_BYTES * small + 2 * (sum(large) + _FLOAT_BYTES * scales)

    def _learning_sizes(self, use: Use) -> list[int]:
        """Count the elements of each tensor that learns."""
        learning = self._learning(use)
        adapters = self._adapter_sizes if learning.lora_rank else []
        return self._projector_sizes + adapters + (self._text_sizes if learning.full else [])

    def _learning(self, use: Use) -> Learning:
        usual = _PROJECTOR_ONLY if use in ("1", "2") else Learning()
        return self.learning or usual

    def _weights(self, profile: Profile, learning: Learning) -> dict[str, float]:
        width = self._bytes_per_weight(profile)
        quantized = {
            "none": width * self.num_quantizable,
            "int8": self.num_quantizable + _INT8_ROW_BYTES * self.num_rows,
            "nf4": _NF4_BYTES * self.num_quantizable,
        }[profile.quantization]
        text = quantized + width * self.num_other
        return {
            "vision encoder": width * self.num_vision,
            "language model": _FLOAT_BYTES * self.num_text if learning.full else text,
            "projector": _FLOAT_BYTES * self.num_projector,
            "adapters": _FLOAT_BYTES * self.num_adapter if learning.lora_rank else 0,
        }

    def _training(
        self, profile: Profile, use: Use, learning: Learning, longest: int | None
    ) -> dict[str, float]:
        trained = self.num_learning(use)
        longest = longest or self._longest(profile, use)
        tokens = profile.batch_size * longest
        answers = profile.batch_size * self.dialogues * profile.max_text_tokens
        answer_tokens = min(answers, LOSS_ROWS)
        text = self.config.text_config
        width = self._bytes_per_weight(profile)
        block = tokens * (
            self._saved_per_token(profile, learning) + _BACKWARD_BYTES * text.hidden_size
        )
        logits = answer_tokens * text.vocab_size * (2 * width + _LOSS_BYTES)
        if profile.activation_checkpointing:  # each block's input, and one block at a time
            saved = tokens * width * text.hidden_size * text.num_hidden_layers + block
            logits = max(0.0, logits - block)  # they are gone before a block is computed again
        else:
            one_less = tokens * self._saved_per_token(profile, learning)
            saved = block + one_less * (text.num_hidden_layers - 1)
        return {
            "gradients": _FLOAT_BYTES * trained,
            "optimizer": self.optimizer_bytes(use),
            "activations": saved + self._dequantized(profile),
            "logits": logits,
            "attention mask": self._mask(profile, tokens, longest),
        }

    def _mask(self, profile: Profile, tokens: int, longest: int) -> float:
        """Bytes that say of each pair of tokens in a row whether one sees the other.

        A batch that is padded needs it as well. Attention turns the byte into a number that it adds
        to the scores, and keeps that in each block for the backward pass.
        """
        row = longest
        if self.packing:
            row = max(longest, min(tokens, profile.max_context_tokens + profile.max_text_tokens))
        elif self.dialogues == profile.batch_size == 1:
            return 0.0
        layers = self.config.text_config.num_hidden_layers
        copies = 1 if profile.activation_checkpointing else layers
        return tokens * row * (1 + self._bytes_per_weight(profile) * copies)

    def _longest(self, profile: Profile, use: Use) -> int:
        """Tokens of a sequence that fills the limits."""
        context = profile.max_context_tokens
        if use == "1":
            context = min(context, self.config.tokens_per_frame + _STAGE_1_PROMPT_TOKENS)
        more = (self.dialogues - 1) * (_QUESTION_TOKENS + profile.max_text_tokens)
        return context + profile.max_text_tokens + more

    def _answering(self, profile: Profile) -> dict[str, float]:
        text = self.config.text_config
        width = self._bytes_per_weight(profile)
        prompt = profile.max_context_tokens
        working = prompt * width * (4 * text.hidden_size + 3 * _intermediate_size(text))
        cache_per_token = 2 * width * _key_value_width(text) * text.num_hidden_layers
        return {
            "activations": working + self._dequantized(profile),
            "logits": text.vocab_size * (width + _FLOAT_BYTES),
            "KV cache": cache_per_token * (prompt + profile.max_new_tokens),
        }

    def _saved_per_token(self, profile: Profile, learning: Learning) -> float:
        """Bytes that autograd keeps of one token in one block of a Llama.

        Frozen linear layers keep nothing. Two norms keep their input in float32; attention keeps
        query, key, value, output and one float a head; the gated MLP three intermediate values.
        An adapter keeps its input before and after dropout in float32, and its inner value;
        a quantized block one more copy of its input for each of those.
        """
        text = self.config.text_config
        width, hidden = self._bytes_per_weight(profile), text.hidden_size
        norms = 2 * _FLOAT_BYTES * (hidden + 1)
        attention = 2 * width * (hidden + _key_value_width(text))
        attention += _FLOAT_BYTES * text.num_attention_heads
        mlp = 3 * width * _intermediate_size(text)
        adapters = 0.0
        if learning.lora_rank:
            copies = 2 * _FLOAT_BYTES + (0 if profile.quantization == "none" else width)
            inner = _FLOAT_BYTES * learning.lora_rank * self.num_adapters
            adapters = (copies * self.adapter_inputs + inner) / text.num_hidden_layers
        return norms + attention + mlp + adapters

    def _bytes_per_weight(self, profile: Profile) -> int:
        """Bytes of a weight that is not quantized, as ``choose_dtype`` would load it."""
        if profile.dtype == "auto" and not _is_on_gpu(profile):
            return 4 if self._stored_bytes < SMALL_MODEL_BYTES else 2
        return 4 if profile.dtype == "float32" else 2

    def _dequantized(self, profile: Profile) -> float:
        """Bytes of the largest matrix, unpacked for a moment to compute with it."""
        if profile.quantization == "none":
            return 0.0
        return self._bytes_per_weight(profile) * self.num_largest

    def _encoder_workspace(self, profile: Profile, use: Use) -> float:
        if not self.num_vision:
            return 0.0
        vision, width = self.config.vision_config, self._bytes_per_weight(profile)
        patches = self.config.patches_per_frame
        frames = profile.max_frames or self.config.num_frames
        frames = profile.batch_size * (1 if use == "1" else frames) if use != "ask" else frames
        pixels = _FLOAT_BYTES * 3 * self.config.image_size**2
        features = width * self.config.tokens_per_frame * self.config.pooled_dim
        block = width * (patches + 1) * 2 * (vision.hidden_size + vision.intermediate_size)
        return frames * (pixels + features) + min(frames, profile.encoder_chunk) * block


def _taking(parts: dict[str, float]) -> dict[str, float]:
    """Leave out what takes nothing."""
    return {name: gib for name, gib in parts.items() if gib}


def _num_parameters(module: nn.Module | None) -> int:
    if module is None:
        return 0
    return sum(parameter.numel() for parameter in module.parameters())


def _stored_width(config: GoldfishConfig) -> int:
    """Bytes of a weight in the model's files; Transformers keeps the format as a name or a type."""
    dtype = config.dtype or config.text_config.dtype or torch.float32
    return (getattr(torch, dtype) if isinstance(dtype, str) else dtype).itemsize


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
