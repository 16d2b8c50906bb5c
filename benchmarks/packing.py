"""What packing saves: padding of batches with samples of mixed length, and time to train on them.

Run: python benchmarks/packing.py [--quick] [--write docs/performance.md]
Lengths are drawn like those of VideoChatGPT's samples: most have 100 to 250 tokens, a few several
times as many. The padding is counted over many batches; the time is that of a Llama of a small size
with random weights, trained on stored features by what `goldfish train` runs, with packing and
without in turn. Both sides learn from the same samples in each step; the losses are compared.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from allocations import peak_allocated_gib
from pages import write_between
from torch.utils.data import Dataset
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.trainer_callback import TrainerCallback

from goldfish_cli.data.clips import Clip
from goldfish_cli.data.dataset import DrawOrder, Example
from goldfish_cli.model.bases import MINNOW_FOLDER
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.memory import MemoryPlanner
from goldfish_cli.model.start import load_tokenizer
from goldfish_cli.profiles import load_profile
from goldfish_cli.training.collator import Collator
from goldfish_cli.training.packing import share_rows
from goldfish_cli.training.plan import learning_of
from goldfish_cli.training.recipes import LoraRecipe, StageRecipe
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stages import mark_trainable
from goldfish_cli.training.trainer import StageTrainer, training_arguments

BATCH = 8
CONTEXT, TEXT = 1024, 160  # of the recipe seed-l4
LIMIT = CONTEXT + TEXT
COUNTED = 500  # batches whose padding is counted
FRAMES = 4
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Size:
    """Of the language model, and how long it is trained."""

    width: int
    layers: int
    image: int
    steps: int


MIDDLE = Size(512, 4, 112, 8)
SMALL = Size(64, 2, 28, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--repeats", type=int, default=2, help="the best of so many runs counts")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    size, repeats = (SMALL, 1) if chosen.quick else (MIDDLE, chosen.repeats)
    lengths = draw_lengths(COUNTED * BATCH)
    text = "\n".join(
        [
            *padding_table(lengths, (256, 512, 4096)),
            "",
            *speed_table(compare(size, repeats)),
        ]
    )
    print(text)
    if chosen.write:
        write_between(chosen.write, "packing", text)
    return 0


def draw_lengths(count: int, *, seed: int = 0) -> list[int]:
    """Draw the tokens of samples: log-normal around 160, at least 90, at most the limit."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 160 * (0.4 * torch.randn(count, generator=generator)).exp()
    return [int(length) for length in drawn.clamp(90, LIMIT)]


def padding(lengths: Sequence[int], width: int | None) -> dict[str, float]:
    """Lay batches out and count.

    Args:
        lengths: Tokens of samples, in the order of training.
        width: Of the language model; ``None`` packs nothing.

    Returns:
        ``share`` of padding, ``rows`` of a batch and ``longest`` row, the last two on average.
    """
    computed, rows, longest = 0, 0, 0
    batches = [lengths[first : first + BATCH] for first in range(0, len(lengths), BATCH)]
    for batch in batches:
        layout = [[number] for number in range(len(batch))]
        if width is not None:
            layout = share_rows(batch, LIMIT, width=width)
        most = max(sum(batch[number] for number in row) for row in layout)
        computed += most * len(layout)
        rows += len(layout)
        longest += most
    return {
        "share": 1 - sum(lengths) / computed,
        "rows": rows / len(batches),
        "longest": longest / len(batches),
    }


def padding_table(lengths: Sequence[int], widths: Sequence[int]) -> list[str]:
    """Show the padding without packing, and with it by the width of the model."""
    lines = ["| layout | padding | rows of a batch | tokens of a row |", "|---|---|---|---|"]
    names: dict[str, int | None] = {"a row each": None}
    names |= {f"packed, {width:,} wide": width for width in widths}
    for name, width in names.items():
        found = padding(lengths, width)
        lines.append(
            f"| {name} | {found['share']:.1%} | {found['rows']:.1f} | {found['longest']:.0f} |"
        )
    return lines


@dataclass(frozen=True, slots=True)
class Trained:
    """What one run shows."""

    tokens_per_second: float  # of samples, padding not counted
    losses: list[float]
    allocated_gib: float
    planned_gib: float


def compare(size: Size, repeats: int) -> dict[bool, Trained]:
    """Train with packing and without; in turn, so that a busy minute hits both.

    Raises:
        SystemExit: If the losses differ.
    """
    samples = make_samples(size)
    best: dict[bool, float] = {False: 0.0, True: 0.0}
    losses: dict[bool, list[float]] = {}
    for _ in range(repeats):
        for packing in best:
            speed, losses[packing] = train(size, samples, packing=packing)
            best[packing] = max(best[packing], speed)
    differing = [abs(a - b) for a, b in zip(losses[False], losses[True], strict=True)]
    if max(differing) > 1e-4:
        raise SystemExit(f"The losses differ by up to {max(differing)}.")
    return {
        packing: Trained(
            tokens_per_second=best[packing],
            losses=losses[packing],
            allocated_gib=peak_allocated_gib(partial(train, size, samples, packing=packing)),
            planned_gib=planned(size, packing=packing),
        )
        for packing in best
    }


def speed_table(found: dict[bool, Trained]) -> list[str]:
    """Show both runs side by side."""
    lines = ["| training | tokens/s | tensors, MiB | planned, MiB |", "|---|---|---|---|"]
    for packing, run in found.items():
        lines.append(
            f"| {'packed' if packing else 'a row each'} | {run.tokens_per_second:.0f} "
            f"| {run.allocated_gib * 1024:.0f} | {run.planned_gib * 1024:.0f} |"
        )
    faster = found[True].tokens_per_second / found[False].tokens_per_second
    most = max(abs(a - b) for a, b in zip(found[True].losses, found[False].losses, strict=True))
    return [*lines, "", f"Packed it was {faster:.2f} times as fast; losses differed by {most:.0e}."]


def model_config(size: Size, vocabulary: int) -> GoldfishConfig:
    """The native model's architecture in small; only the width of its features is used."""
    vision = {
        "hidden_size": size.width // 2,
        "intermediate_size": size.width * 2,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": size.image,
        "patch_size": 14,
    }
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=size.width,
        intermediate_size=size.width * 8 // 3 // 32 * 32,
        num_hidden_layers=size.layers,
        num_attention_heads=max(1, size.width // 64),
    )
    return GoldfishConfig(vision, text.to_dict(), image_token_id=vocabulary)


def make_examples(
    lengths: Sequence[int], config: GoldfishConfig, tokenizer: Any, *, seed: int = 0
) -> list[Example]:
    """Make samples of so many tokens: frames, a question, and an answer twice as long."""
    generator = torch.Generator().manual_seed(seed)
    shape = (FRAMES, config.tokens_per_frame, config.pooled_dim)
    words = ["red", "blue", "green", "circle", "square"]

    def text(count: int) -> str:
        chosen = torch.randint(len(words), (count,), generator=generator).tolist()
        return " ".join(words[word] for word in chosen)

    def example(number: int, count: int) -> Example:
        features = torch.randn(shape, generator=generator)
        clip = Clip(tuple(map(float, range(FRAMES))), (), features=features)
        answered = min(count * 2 // 3, TEXT - 1)  # its end is a token too
        turn = (text(count - answered), text(answered))
        return Example(str(number), clip, ("",) * FRAMES, ((turn,),))

    around = len(Collator(tokenizer, config).row(example(0, 3)).ids) - 3
    return [example(number, length - around) for number, length in enumerate(lengths)]


def stage_recipe(size: Size, *, packing: bool) -> StageRecipe:
    """Projector and adapters without dropout, which would draw by the shape of a batch."""
    return StageRecipe(
        learning_rate=1e-4,
        schedule="constant",
        max_steps=WARM_UP + size.steps,
        batch_size=BATCH,
        gradient_accumulation=1,
        precision="float32",
        log_steps=1,
        lora=LoraRecipe(r=16, dropout=0.0),
        packing=packing,
    )


def make_samples(size: Size) -> "Examples":
    """Make the samples of a run."""
    tokenizer = load_tokenizer(MINNOW_FOLDER)
    lengths = draw_lengths((WARM_UP + size.steps) * BATCH)
    return Examples(make_examples(lengths, model_config(size, len(tokenizer)), tokenizer))


def train(size: Size, samples: "Examples", *, packing: bool) -> tuple[float, list[float]]:
    """Return the tokens per second after the warm-up, and the losses."""
    tokenizer = load_tokenizer(MINNOW_FOLDER)
    config = model_config(size, len(tokenizer))
    torch.manual_seed(0)
    model = GoldfishForConditionalGeneration(config, with_vision_encoder=False)
    recipe = stage_recipe(size, packing=packing)
    mark_trainable(model, recipe)
    steps = WARM_UP + size.steps
    collator = Collator(
        tokenizer, config, max_context_tokens=CONTEXT, max_text_tokens=TEXT, packing=packing
    )
    with tempfile.TemporaryDirectory() as folder:
        args = training_arguments(
            recipe,
            Path(folder),
            device="cpu",
            seed=0,
            evaluate=False,
            activation_checkpointing=True,
        )
        args.max_steps = steps
        trainer = StageTrainer(
            model,
            args,
            collator=collator,
            train_dataset=samples,
            eval_dataset=None,
            order=DrawOrder(len(samples), len(samples)),
            rate=partial(learning_rate, recipe, total=steps),
            encoder_chunk=8,
            max_bad_samples=0,
            on_rejected=lambda item: None,
        )
        watch = Watch(trainer)
        trainer.add_callback(watch)
        trainer.train()
    return watch.tokens_per_second(), watch.losses


def planned(size: Size, *, packing: bool) -> float:
    """GiB of tensors that the planner foresees for the longest of the samples."""
    config = model_config(size, len(load_tokenizer(MINNOW_FOLDER)))
    planner = MemoryPlanner(
        config,
        learning=learning_of(stage_recipe(size, packing=packing)),
        stored_features=True,
        packing=packing,
    )
    profile = load_profile(
        "cpu",
        device="cpu",
        dtype="float32",
        batch_size=BATCH,
        max_frames=FRAMES,
        max_context_tokens=CONTEXT,
        max_text_tokens=TEXT,
        activation_checkpointing=True,
    )
    longest = max(draw_lengths((WARM_UP + size.steps) * BATCH))
    parts = planner.plan(profile, "3", longest=longest).parts
    return sum(gib for name, gib in parts.items() if name != "runtime")


class Examples(Dataset[Example]):
    """Samples that are there already: reading them is not what is timed."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._examples)

    def __getitem__(self, number: int) -> Example:
        """Return a sample."""
        return self._examples[number]


class Watch(TrainerCallback):
    """Notes the time and the tokens at the end of each step, and the losses."""

    def __init__(self, trainer: StageTrainer) -> None:
        self._trainer = trainer
        self._ends: list[tuple[float, int]] = []
        self.losses: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the processor's time: on one thread it is the work, however busy the machine."""
        self._ends.append((time.process_time(), self._trainer.num_tokens))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Note the loss."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    def tokens_per_second(self) -> float:
        """Return the median over the steps after the warm-up, by the processor's time."""
        ends = self._ends[WARM_UP - 1 :]
        return median((later[1] - now[1]) / (later[0] - now[0]) for now, later in pairwise(ends))


if __name__ == "__main__":
    sys.exit(main())
