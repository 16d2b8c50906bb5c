"""Planned against measured memory of training on a processor, by what its allocator hands out.

Run: python benchmarks/plan_memory.py [--quick]
Every case builds a middle-sized model with random weights and trains it with StageTrainer, as
`goldfish train` does, while torch's profiler follows each allocation. What the plan calls runtime
(Python and the libraries themselves) is no tensor and stands on neither side. A live encoder is
measured in float32: in bfloat16 a processor's convolution takes 25 MiB of scratch a frame, which no
GPU does and the plan leaves out.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from allocations import peak_allocated_gib
from gpu_memory import Draws, Shape, random_language_model
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM

from goldfish_cli.data.dataset import DrawOrder
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.memory import MemoryPlanner, Use
from goldfish_cli.model.vision_encoder import VisionEncoder
from goldfish_cli.profiles import Profile, load_profile
from goldfish_cli.training.plan import learning_of
from goldfish_cli.training.recipes import LoraRecipe, StageRecipe
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stages import mark_trainable
from goldfish_cli.training.trainer import StageTrainer, training_arguments

QUESTION = 64  # tokens of each further dialogue's question
STEPS = 2  # the optimizer's state is there from the second on


@dataclass(frozen=True, slots=True)
class Case:
    """One training to plan and to measure."""

    name: str
    stage: int = 3
    batch_size: int = 1
    dtype: str = "bfloat16"
    quantization: str = "none"
    checkpointing: bool = True
    stored: bool = True
    frames: int = 4
    full: bool = False
    optimizer: str = "adamw"
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    width: int = 512
    layers: int = 8
    vocabulary: int = 16_000
    context: int = 512
    text: int = 128
    dialogues: int = 1


_EVERY = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_USUAL = Case("stage 3, bfloat16")
CASES = (
    _USUAL,
    replace(_USUAL, name="stage 1, batch 4", stage=1, batch_size=4, frames=1, context=128),
    replace(_USUAL, name="stage 2", stage=2),
    replace(_USUAL, name="stage 3, batch 4", batch_size=4),
    replace(_USUAL, name="stage 3, live encoder", stored=False, dtype="float32"),
    replace(
        _USUAL,
        name="stage 2, live, 16 frames",
        stage=2,
        stored=False,
        frames=16,
        context=1152,
        dtype="float32",
    ),
    replace(_USUAL, name="stage 3, float32", dtype="float32"),
    replace(_USUAL, name="stage 3, no checkpointing", checkpointing=False),
    replace(
        _USUAL, name="stage 3, float32, no checkpointing", dtype="float32", checkpointing=False
    ),
    replace(_USUAL, name="stage 3, all linear layers", targets=_EVERY),
    replace(_USUAL, name="stage 3, four dialogues", dialogues=4),
    replace(_USUAL, name="stage 3, four dialogues, float32", dialogues=4, dtype="float32"),
    replace(_USUAL, name="stage 3, 8-bit moments", optimizer="adamw_8bit", targets=_EVERY),
    replace(_USUAL, name="stage 3, whole model", full=True),
    replace(_USUAL, name="stage 3, whole model, float32", full=True, dtype="float32"),
    replace(_USUAL, name="stage 3, nf4", quantization="nf4"),
    replace(_USUAL, name="stage 3, int8", quantization="int8"),
    replace(
        _USUAL, name="stage 3, small, long", width=256, layers=4, vocabulary=4_000, context=1024
    ),
    replace(_USUAL, name="stage 3, large vocabulary", vocabulary=64_000, layers=4),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the first four cases only")
    parser.add_argument("--parts", action="store_true", help="show the parts of each plan")
    chosen = parser.parse_args()
    print("| case | measured MiB | planned MiB | error |\n|---|---|---|---|")
    worst = 0.0
    for case in CASES[:4] if chosen.quick else CASES:
        parts, measured = planned_parts(case), measure(case)
        planned = sum(parts.values())
        error = planned / measured - 1
        worst = max(worst, abs(error))
        print(f"| {case.name} | {measured * 1024:.1f} | {planned * 1024:.1f} | {error:+.1%} |")
        if chosen.parts:
            print({name: round(gib * 1024, 1) for name, gib in parts.items()})
    print(f"\nThe largest error is {worst:.1%}.")
    return 1 if worst > 0.1 else 0


def model_config(case: Case) -> GoldfishConfig:
    """The native model's architecture at a middle size."""
    vision = {
        "hidden_size": case.width // 2,
        "intermediate_size": case.width * 2,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 224,
        "patch_size": 14,
    }
    text = LlamaConfig(
        vocab_size=case.vocabulary,
        hidden_size=case.width,
        intermediate_size=case.width * 8 // 3 // 64 * 64,
        num_hidden_layers=case.layers,
        num_attention_heads=case.width // 64,
    )
    token = case.vocabulary - 1
    return GoldfishConfig(vision, text.to_dict(), image_token_id=token, pooling_size=4)


def stage_recipe(case: Case) -> StageRecipe:
    """What is trained, and how."""
    adapters = LoraRecipe(r=64, targets=case.targets) if case.stage == 3 and not case.full else None
    return StageRecipe(
        learning_rate=1e-4,
        max_steps=STEPS,
        batch_size=case.batch_size,
        gradient_accumulation=1,
        precision=cast("Any", case.dtype),
        optimizer=cast("Any", case.optimizer),
        log_steps=1000,
        lora=adapters,
        full=case.full,
        questions_per_clip=case.dialogues,
    )


def memory_profile(case: Case) -> Profile:
    """The limits that the planner is told."""
    return load_profile(
        "cpu",
        device="cpu",
        dtype=case.dtype,
        quantization=case.quantization,
        batch_size=case.batch_size,
        max_frames=case.frames,
        max_context_tokens=case.context,
        max_text_tokens=case.text,
        activation_checkpointing=case.checkpointing,
    )


def planned_parts(case: Case) -> dict[str, float]:
    """GiB by component; the runtime is left out."""
    learning = learning_of(stage_recipe(case))
    planner = MemoryPlanner(
        model_config(case),
        learning=learning,
        stored_features=case.stored,
        dialogues=case.dialogues,
    )
    plan = planner.plan(memory_profile(case), cast("Use", str(case.stage)))
    return {name: gib for name, gib in plan.parts.items() if name != "runtime"}


def measure(case: Case) -> float:
    """GiB of tensors at the highest, from before the model is there to the end of the training."""
    with tempfile.TemporaryDirectory() as folder:
        return peak_allocated_gib(lambda: train(case, Path(folder)))


def train(case: Case, folder: Path) -> None:
    """Build the model and train it for two steps."""
    torch.manual_seed(0)
    config, limits = model_config(case), memory_profile(case)
    dtype = getattr(torch, case.dtype)
    torch.set_default_dtype(dtype)
    try:
        encoder = None if case.stored else VisionEncoder(config.vision_config)
        if case.quantization == "none":
            language_model: Any = LlamaForCausalLM(config.text_config)
        else:
            quantization = cast("Any", case.quantization)
            language_model = random_language_model(
                config.text_config, quantization, torch.device("cpu")
            )
    finally:
        torch.set_default_dtype(torch.float32)
    model = GoldfishForConditionalGeneration.from_parts(
        config, vision_encoder=encoder, language_model=language_model
    )
    recipe = stage_recipe(case)
    mark_trainable(model, recipe)
    shape = Shape(case.name, case.stage, case.frames, case.batch_size, case.context, case.text)
    data = Pictures(config, shape, None if case.stored else Path(), case.dialogues)
    args = training_arguments(
        recipe,
        folder,
        device="cpu",
        seed=0,
        evaluate=False,
        activation_checkpointing=case.checkpointing,
    )
    args.max_steps = STEPS
    StageTrainer(
        model,
        args,
        collator=data.collate,
        train_dataset=data,
        eval_dataset=None,
        order=DrawOrder(len(data), STEPS * case.batch_size),
        rate=partial(learning_rate, recipe, total=STEPS),
        encoder_chunk=limits.encoder_chunk,
        max_bad_samples=0,
        on_rejected=lambda item: None,
    ).train()


class Pictures(Draws):
    """Samples of full length whose frames are noise: decoding is no part of the plan."""

    def __init__(
        self, config: GoldfishConfig, shape: Shape, clip: Path | None, dialogues: int
    ) -> None:
        super().__init__(config, shape, clip)
        self.dialogues = dialogues

    def collate(self, draws: list[int]) -> dict[str, Any]:
        """Make a batch as the real collator's, with all dialogues behind one context."""
        batch = super().collate(draws)
        if self.dialogues == 1:
            return batch
        context, text = self.shape.context, self.shape.text
        ids, labels = [batch["input_ids"]], [batch["labels"]]
        for _ in range(self.dialogues - 1):
            more = torch.randint(5, 200, (len(draws), QUESTION + text))
            ids.append(more)
            labels.append(
                torch.cat([torch.full_like(more[:, :QUESTION], -100), more[:, QUESTION:]], 1)
            )
        first = torch.cat([torch.zeros(context), torch.ones(text)])
        others = [torch.full((QUESTION + text,), number + 2.0) for number in range(len(ids) - 1)]
        blocks = torch.cat([first, *others])
        seen = ((blocks[:, None] == blocks) | (blocks == 0)) & torch.ones(
            2 * blocks.shape
        ).tril().bool()
        places = [torch.arange(context + text)]
        places += [torch.arange(context, context + QUESTION + text)] * (self.dialogues - 1)
        return batch | {
            "input_ids": torch.cat(ids, 1),
            "labels": torch.cat(labels, 1),
            "attention_mask": seen.expand(len(draws), 1, -1, -1),
            "position_ids": torch.cat(places).expand(len(draws), -1),
        }

    def _visual(self, count: int) -> dict[str, torch.Tensor]:
        if self.clip is None:
            return super()._visual(count)
        size = self.config.image_size
        return {"pixel_values": torch.randn(count * self.shape.frames, 3, size, size)}


if __name__ == "__main__":
    sys.exit(main())
