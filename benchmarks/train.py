"""Training from stored features against a plain loop built the reference's way; and pooling.

Run: python benchmarks/train.py [--quick] [--write docs/performance.md] [--picture docs/pooling.png]
The peer is a loop of its own, as MiniGPT4-Video trains: the encoder runs in each step, every sample
is padded to the limits of context and text, and the logits of all positions are made in float32.
Ours is what `goldfish train` runs: StageTrainer on stored features. Weights, samples, adapters,
optimizer and number format are the same on both sides; before anything is timed, the losses of both
over three steps must agree to 1e-4 in float32. Both checkpoint activations, except in the rows that
say so: what ours saves elsewhere leaves room to keep them.

The sizes keep the proportions of ViT-g/14 and Llama-2-7B: an encoder of 0.15 times the language
model's parameters (so that a frame costs as much as 38 tokens), four visual tokens to one, a
vocabulary of 8 times the width. Contexts and texts are those of the recipe `seed-l4` (512, then
1,024 tokens; text 160); real lengths are drawn like those of LAION's captions, Condensed Movies'
descriptions and VideoChatGPT's answers. Frames come decoded: the peer's decoding is not counted.

Each side has processes of its own with one thread. Times are the processor's: on one thread they
are the work, however busy the machine. Memory is told twice: tensors by the allocator, and the peak
of the process (VmHWM), of which what it had with all libraries loaded is taken off.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from allocations import peak_allocated_gib
from pages import write_between
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.trainer_callback import TrainerCallback

from goldfish_cli.data.dataset import DrawOrder
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.machine import peak_memory_gib
from goldfish_cli.training.collator import Row, length_multiple, pad_lines
from goldfish_cli.training.recipes import LoraRecipe, StageRecipe
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stages import mark_trainable
from goldfish_cli.training.trainer import StageTrainer, training_arguments

REPOSITORY = Path(__file__).parents[1]
WARM_UP = 2
RATE = 1e-4
SIDES = ("ours", "peer")


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage trains on, and its limits."""

    number: int
    frames: int
    batch_size: int
    context: int
    text: int
    prompt: tuple[int, int]  # tokens around the frames, from and to
    answer: tuple[int, int]
    epochs: int  # of the recipe; over them the cost of encoding once is spread
    pooling: str = "concat"
    questions: int = 1  # about one clip, behind one copy of its frames; the peer repeats them
    checkpointing: bool = True  # ours; the peer always does, as the reference

    @property
    def name(self) -> str:
        """Say which stage, and what is special about it."""
        special = f", {self.questions} questions a clip" if self.questions > 1 else ""
        kept = "" if self.checkpointing else ", activations kept"
        return f"{self.number}{special}{kept}"


STAGES = {
    1: Stage(1, 1, 4, 512, 160, (18, 26), (8, 32), 1),
    2: Stage(2, 4, 1, 1024, 160, (40, 60), (15, 60), 1),
    3: Stage(3, 4, 1, 1024, 160, (40, 80), (20, 140), 5),
}
FOUR_QUESTIONS = replace(STAGES[3], questions=4)  # VideoChatGPT has seven about a clip
COMPARED = [
    *STAGES.values(),
    replace(STAGES[3], checkpointing=False),
    FOUR_QUESTIONS,
    replace(FOUR_QUESTIONS, checkpointing=False),
]


@dataclass(frozen=True, slots=True)
class Size:
    """Of the two parts."""

    width: int
    layers: int
    vision_width: int
    vision_layers: int
    image: int
    steps: int


MIDDLE = Size(512, 8, 256, 5, 224, 8)
SMALL = Size(64, 2, 32, 2, 56, 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument("--picture", type=Path, help="draw what pooling saves")
    parser.add_argument("--side", choices=[*SIDES, "prepare"], help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        found = work(chosen.side, Task(**json.loads(chosen.task)), memory=chosen.memory)
        print(json.dumps(found))
        return 0
    size = SMALL if chosen.quick else MIDDLE
    repeats = 1 if chosen.quick else chosen.repeats
    stages = [STAGES[3]] if chosen.quick else COMPARED
    counts = (4,) if chosen.quick else (4, 8, 16)
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(stage, size, Path(folder), repeats) for stage in stages]
        pooled = [pooling_row(frames, size, Path(folder), repeats) for frames in counts]
    text = "\n".join([*speed_table(rows), "", *pooling_table(pooled)])
    print(text)
    if chosen.write:
        write_between(chosen.write, "train", text)
    if chosen.picture:
        draw_pooling(pooled, chosen.picture)
    return 0 if chosen.quick or all(map(reached, rows)) else 1


def reached(row: dict[str, Any]) -> bool:
    """Whether a row meets both targets: 5 times the samples a second in half the memory."""
    return row["faster"] >= 5 and row["memory"] <= 0.5 and row["process"] <= 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does."""

    stage: dict[str, Any]
    size: dict[str, Any]
    features: str
    dtype: str = "bfloat16"

    def parts(self) -> tuple[Stage, Size]:
        """Return stage and size, as they were before they became JSON."""
        stage = Stage(**{k: tuple(v) if isinstance(v, list) else v for k, v in self.stage.items()})
        return stage, Size(**self.size)


def compare(stage: Stage, size: Size, folder: Path, repeats: int) -> dict[str, Any]:
    """Train both sides, each in processes of its own.

    Raises:
        SystemExit: If they do not learn the same.
    """
    task = Task(asdict(stage), asdict(size), str(folder / f"{stage.name}.safetensors"))
    prepared = run("prepare", task)
    if prepared["difference"] > 1e-4:
        raise SystemExit(f"Stage {stage.name}: losses differ by {prepared['difference']}.")
    best: dict[str, dict[str, float]] = {}
    for repeat in range(repeats):
        for side in SIDES:  # in turn, so that a busy minute hits both
            found = run(side, task, *(["--memory"] if repeat == 0 else []))
            old = best.setdefault(side, found)
            if found["samples_per_second"] > old["samples_per_second"]:
                best[side] = old | found
    ours, peer = best["ours"], best["peer"]
    once = prepared["seconds_per_clip"] / stage.questions

    def faster(seconds: float) -> float:
        return 1 / (1 / ours["samples_per_second"] + seconds) / peer["samples_per_second"]

    return {
        "stage": stage.name,
        "ours": ours,
        "peer": peer,
        "difference": prepared["difference"],
        "faster": faster(0),
        "with_encoding": faster(once / stage.epochs),
        "one_epoch": faster(once),
        "memory": ours["allocated_gib"] / peer["allocated_gib"],
        "process": ours["own_gib"] / peer["own_gib"],
    }


def pooling_row(frames: int, size: Size, folder: Path, repeats: int) -> dict[str, Any]:
    """Train stage 3 with and without pooling, our way."""
    row: dict[str, Any] = {"frames": frames}
    for pooling in ("concat", "none"):
        stage = replace(STAGES[3], frames=frames, context=frames * 256 + 128, pooling=pooling)
        name = f"{frames}-{pooling}.safetensors"
        task = Task(asdict(stage), asdict(size), str(folder / name))
        run("prepare", task)
        runs = [run("ours", task, "--memory")]
        runs += [run("ours", task) for _ in range(repeats - 1)]
        row[pooling] = runs[0] | max(runs, key=lambda found: found["samples_per_second"])
    return row


def run(side: str, task: Task, *words: str) -> dict[str, float]:
    """Do one part in a fresh process with one thread."""
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, "--task", json.dumps(asdict(task)), *words],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return cast("dict[str, float]", json.loads(done.stdout.splitlines()[-1]))


def work(side: str, task: Task, *, memory: bool = False) -> dict[str, float]:
    """Do one part in this process; with its memory too, in a second and shorter run."""
    if side == "prepare":
        return prepare(task)
    train = {"ours": train_ours, "peer": train_peer}[side]
    load_libraries(task)
    loaded = peak_memory_gib()
    losses, watch = train(task)
    peak = peak_memory_gib()
    found = watch.result() | {"peak_gib": peak, "own_gib": peak - loaded, "first_loss": losses[0]}
    if memory:
        found["allocated_gib"] = peak_allocated_gib(partial(train, shorter(task)))
    return found


def load_libraries(task: Task) -> None:
    """Train both sides in small, which imports what comes late on either."""
    least = task.stage | {"frames": 1, "context": 128}
    with tempfile.TemporaryDirectory() as folder:
        difference(replace(task, stage=least, size=asdict(SMALL), features=f"{folder}/small"))


def shorter(task: Task) -> Task:
    """The same work for as many steps as show its memory."""
    return replace(task, size=task.size | {"steps": 1})


def make_model(task: Task, *, with_encoder: bool) -> GoldfishForConditionalGeneration:
    """The same random weights each time; what does not learn in the number format of the task."""
    stage, size = task.parts()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vocabulary = 8 * size.width
    vision = {
        "hidden_size": size.vision_width,
        "intermediate_size": size.vision_width * 4,
        "num_hidden_layers": size.vision_layers,
        "num_attention_heads": max(1, size.vision_width // 64),
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
    config = GoldfishConfig(
        vision, text.to_dict(), image_token_id=vocabulary - 1, pooling=cast("Any", stage.pooling)
    )
    torch.set_default_dtype(getattr(torch, task.dtype))  # never whole in float32, as loading is
    try:
        model = GoldfishForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(torch.float32)
    if not with_encoder:
        model.vision_encoder = None
    torch.manual_seed(1)  # so that adapters begin alike on both sides
    mark_trainable(model, recipe_of(stage, size))
    return model


def recipe_of(stage: Stage, size: Size, dtype: str = "bfloat16") -> StageRecipe:
    """What both sides train: the projector, in stage 3 LoRA of the original's rank too."""
    return StageRecipe(
        learning_rate=RATE,
        schedule="constant",
        max_steps=WARM_UP + size.steps,
        batch_size=stage.batch_size,
        gradient_accumulation=1,
        max_grad_norm=0,
        weight_decay=0.0,
        precision=cast("Any", dtype),
        log_steps=1,
        lora=LoraRecipe(dropout=0.0) if stage.number == 3 else None,
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """Token ids, and where the answer begins; its frames are those of a clip."""

    ids: list[int]
    answer: int
    visual: int  # tokens of the frames, which come first


def make_samples(task: Task) -> list[list[Sample]]:
    """Draw the clips of a run, each with its samples: frames, then the question, the answer."""
    stage, size = task.parts()
    model_tokens = (size.image // 14) ** 2 // (4 if stage.pooling == "concat" else 1)
    draw = torch.Generator().manual_seed(7)

    def between(bounds: tuple[int, int]) -> int:
        return int(torch.randint(bounds[0], bounds[1] + 1, (1,), generator=draw))

    def sample() -> Sample:
        prompt, answer = between(stage.prompt), between(stage.answer)
        words = torch.randint(5, 8 * size.width - 1, (prompt + answer,), generator=draw).tolist()
        visual = [8 * size.width - 1] * (stage.frames * model_tokens)
        return Sample([*visual, *words], len(visual) + prompt, len(visual))

    clips = (WARM_UP + size.steps) * stage.batch_size
    return [[sample() for _ in range(stage.questions)] for _ in range(clips)]


def pictures(task: Task, number: int) -> Tensor:
    """Return the frames of a sample, decoded and scaled."""
    stage, size = task.parts()
    draw = torch.Generator().manual_seed(1000 + number)
    return torch.randn(stage.frames, 3, size.image, size.image, generator=draw)


def prepare(task: Task) -> dict[str, float]:
    """Fill the feature store, every clip once, and see that both sides learn the same from it."""
    model = make_model(task, with_encoder=True)
    samples = make_samples(task)
    began = time.process_time()
    kept = {
        str(number): model.encode_frames(pictures(task, number)).to(torch.float16)
        for number in range(len(samples))
    }
    seconds = time.process_time() - began
    save_file(kept, task.features)
    return {
        "seconds_per_clip": seconds / len(samples),
        "difference": difference(replace(task, dtype="float32")),
    }


def difference(task: Task) -> float:
    """Train both sides for three steps and return how far their losses come apart at most."""
    stage, _ = task.parts()
    short = replace(shorter(task), features=f"{task.features}.{task.dtype}")
    model = make_model(short, with_encoder=True)
    clips = len(make_samples(short))
    kept = {str(number): model.encode_frames(pictures(short, number)) for number in range(clips)}
    save_file(kept, short.features)
    ours, _ = train_ours(short)
    # Ours learns from all questions about a clip at once: so must the peer, to be compared.
    at_once = replace(short, stage=short.stage | {"batch_size": stage.batch_size * stage.questions})
    peer, _ = train_peer(at_once)
    return max(abs(a - b) for a, b in zip(ours, peer, strict=True))


def train_ours(task: Task) -> tuple[list[float], "Watch"]:
    """Train as `goldfish train` does from stored features; the losses, and the times."""
    stage, size = task.parts()
    model = make_model(task, with_encoder=False)
    recipe = recipe_of(stage, size, task.dtype)
    watch = Watch(stage.batch_size * stage.questions)
    with tempfile.TemporaryDirectory() as folder:
        args = training_arguments(
            recipe,
            Path(folder),
            device="cpu",
            seed=0,
            evaluate=False,
            activation_checkpointing=stage.checkpointing,
        )
        args.max_steps = WARM_UP + size.steps
        samples = make_samples(task)
        trainer = StageTrainer(
            model,
            args,
            collator=partial(collate, load_file(task.features)),
            train_dataset=Numbered(samples),
            eval_dataset=None,
            order=InOrder(len(samples), len(samples), shuffle=False),
            rate=partial(learning_rate, recipe, total=args.max_steps),
            encoder_chunk=8,
            max_bad_samples=0,
            on_rejected=lambda item: None,
        )
        trainer.add_callback(watch)
        trainer.train()
    return watch.losses, watch


class InOrder(DrawOrder):
    """Goes through the samples as they come, as the peer does."""


class Numbered(Dataset[tuple[int, list[Sample]]]):
    """Clips with their numbers, by which features are found."""

    def __init__(self, samples: Sequence[list[Sample]]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        """Count the clips."""
        return len(self._samples)

    def __getitem__(self, number: int) -> tuple[int, list[Sample]]:
        """Return the samples of a clip."""
        return number, self._samples[number]


def collate(
    features: dict[str, Tensor], batch: Sequence[tuple[int, list[Sample]]]
) -> dict[str, Any]:
    """Pad a batch to little more than its own longest row, as `goldfish train` does."""
    rows = [row_of(samples) for _, samples in batch]
    return {
        **pad_lines([[row] for row in rows], multiple=length_multiple("cpu")),
        "image_features": torch.cat([features[str(number)] for number, _ in batch]).float(),
        "num_tokens": sum(len(row.ids) for row in rows),
        "sample_ids": tuple(str(number) for number, _ in batch),
        "rejected": (),
    }


def row_of(samples: Sequence[Sample]) -> Row:
    """Lay the samples of a clip behind one copy of its frames."""
    shared = samples[0].visual
    row = Row(samples[0].ids[:shared], [-100] * shared, [*range(shared)], [0] * shared, ())
    for number, sample in enumerate(samples, start=1 if len(samples) > 1 else 0):
        words = sample.ids[shared:]
        silent = sample.answer - shared
        row.ids.extend(words)
        row.labels.extend([-100] * silent + words[silent:])
        row.positions.extend(range(shared, shared + len(words)))
        row.blocks.extend([number] * len(words))
    return row


def pad(samples: Sequence[Sample], length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, labels and mask, padded on the right to ``length``."""
    ids = torch.zeros(len(samples), length, dtype=torch.long)
    labels = torch.full((len(samples), length), -100)
    mask = torch.zeros(len(samples), length, dtype=torch.long)
    for row, sample in enumerate(samples):
        count = len(sample.ids)
        ids[row, :count] = torch.tensor(sample.ids)
        labels[row, sample.answer : count] = ids[row, sample.answer : count]
        mask[row, :count] = 1
    return ids, labels, mask


class Watch(TrainerCallback):
    """Notes the processor's time at the end of each step, and the losses."""

    def __init__(self, samples_per_step: int) -> None:
        self._samples = samples_per_step
        self.ends: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the time."""
        self.ends.append(time.process_time())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Note the loss."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    def result(self) -> dict[str, float]:
        """Return the figures of the steps after the warm-up."""
        seconds = median(later - now for now, later in pairwise(self.ends[WARM_UP - 1 :]))
        return {"samples_per_second": self._samples / seconds, "seconds_per_step": seconds}


def train_peer(task: Task) -> tuple[list[float], Watch]:
    """Train by a plain loop: encoder in the step, padded to the limit, all logits in float32."""
    stage, size = task.parts()
    model = make_model(task, with_encoder=True)
    language_model: Any = model.language_model
    language_model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    encoder = cast("nn.Module", model.vision_encoder).eval()
    dtype = getattr(torch, task.dtype)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.0, fused=True)
    clips, watch = make_samples(task), Watch(stage.batch_size)
    samples = [(number, sample) for number, group in enumerate(clips) for sample in group]
    for step in range(WARM_UP + size.steps):
        batch = samples[step * stage.batch_size : (step + 1) * stage.batch_size]
        numbers = [number for number, _ in batch]
        limit = 1 + stage.context + stage.text
        ids, labels, mask = pad([sample for _, sample in batch], limit)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            with torch.no_grad():
                frames = torch.cat([pictures(task, number) for number in numbers]).to(dtype)
                hidden = encoder(frames)
            joined = hidden
            if stage.pooling == "concat":
                joined = hidden.unflatten(1, (-1, 4)).flatten(2)
            visual = model.projector(joined.float()).flatten(0, 1)
            words = language_model.get_input_embeddings()(ids)
            at = (ids == model.config.image_token_id).unsqueeze(-1)
            embedded = words.float().masked_scatter(at, visual.float()).to(words.dtype)
            logits = language_model(
                inputs_embeds=embedded, attention_mask=mask, use_cache=False
            ).logits.float()
            loss = functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
            )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        watch.losses.append(float(loss.detach()))
        watch.ends.append(time.process_time())
    return watch.losses, watch


def speed_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Both sides as a table."""
    lines = [
        "| stage | samples/s | plain loop | faster | with encoding, once for all epochs "
        "| for one epoch | tensors, MiB | plain loop | share | process, MiB | plain loop | share |",
        "|" + "---|" * 12,
    ]
    for row in rows:
        ours, peer = row["ours"], row["peer"]
        own = " | ".join(
            f"{side['own_gib'] * 1024:.0f} ({side['peak_gib'] * 1024:.0f})" for side in (ours, peer)
        )
        lines.append(
            f"| {row['stage']} | {ours['samples_per_second']:.2f} "
            f"| {peer['samples_per_second']:.2f} | {row['faster']:.1f}x "
            f"| {row['with_encoding']:.1f}x | {row['one_epoch']:.1f}x "
            f"| {ours['allocated_gib'] * 1024:.0f} | {peer['allocated_gib'] * 1024:.0f} "
            f"| {row['memory']:.0%} | {own} | {row['process']:.0%} |"
        )
    most = max(row["difference"] for row in rows)
    return [
        *lines,
        "",
        "Process: its peak less what it had with all libraries loaded; in brackets the whole peak. "
        f"In float32 the losses of both sides differed by at most {most:.0e} over three steps.",
    ]


def pooling_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What joining four visual tokens saves, as a table."""
    lines = [
        "| frames | visual tokens | without pooling | step, s | without | memory, MiB | without |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        some, many = row["concat"], row["none"]
        tokens = row["frames"] * 256
        lines.append(
            f"| {row['frames']} | {tokens // 4} | {tokens} | {some['seconds_per_step']:.2f} "
            f"| {many['seconds_per_step']:.2f} | {some['allocated_gib'] * 1024:.0f} "
            f"| {many['allocated_gib'] * 1024:.0f} |"
        )
    return lines


def draw_pooling(rows: Sequence[dict[str, Any]], picture: Path) -> None:
    """Draw time and memory of a step over the frames; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    frames = [row["frames"] for row in rows]
    panels = (("seconds a step", "seconds_per_step", 1), ("memory, MiB", "allocated_gib", 1024))
    for number, (title, key, factor) in enumerate(panels, start=1):
        panel = figure.add_subplot(1, 2, number)
        for pooling, colour, name in (
            ("none", "#b5533c", "256 tokens a frame"),
            ("concat", "#1f4e79", "64, four joined to one"),
        ):
            values = [row[pooling][key] * factor for row in rows]
            panel.plot(frames, values, marker="o", color=colour, label=name)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("frames")
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.savefig(picture, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
