"""Memory and speed of training at the original's sizes: ViT-g/14 and Llama-2-7B, random weights.

Run: python benchmarks/gpu_memory.py [--out FILE.jsonl] [--cap 24] [--tiny]
The language model is quantized matrix by matrix, so that its 16-bit weights never exist as a
whole; everything else is what `goldfish train` runs: StageTrainer with its loss, autocast,
checkpointing and optimizer. A live step reads its frames from a video file of 720p, as training
without stored features does. Each configuration is one line of JSON as soon as it is known.
"""

import argparse
import gc
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import av
import bitsandbytes as bnb
import numpy as np
import torch
import transformers
from torch import nn
from torch.utils.data import Dataset
from transformers.integrations.bitsandbytes import replace_with_bnb_linear
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from transformers.trainer_callback import TrainerCallback
from transformers.utils.quantization_config import BitsAndBytesConfig

from goldfish_cli.data.dataset import DrawOrder
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.model.bases import NEVER_QUANTIZED, Placement
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.memory import MemoryPlanner, Use
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.vision_encoder import VisionEncoder
from goldfish_cli.profiles import Profile, load_profile
from goldfish_cli.training.callbacks import GradientCheck
from goldfish_cli.training.plan import learning_of
from goldfish_cli.training.recipes import LoraRecipe, StageRecipe
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stages import mark_trainable
from goldfish_cli.training.trainer import StageTrainer, training_arguments

Quantization = Literal["int8", "nf4"]
GIB = 2**30
WARM_UP, MEASURED = 2, 3
CLIP_SECONDS, CLIP_RATE, CLIP_SIZE = 20, 30, (1280, 720)


@dataclass(frozen=True, slots=True)
class Shape:
    """What one step of training holds."""

    name: str
    stage: int
    frames: int
    batch_size: int
    context: int
    text: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The most GiB that a shape may take, and where the figure is from."""

    live: dict[Quantization, float]
    stored: dict[Quantization, float]


L4 = (
    Shape("stage 1, L4", 1, 1, 4, 512, 160),
    Shape("stage 2, L4", 2, 4, 1, 1024, 160),
    Shape("stage 3, L4", 3, 4, 1, 1024, 160),
)
FULL = Shape("stage 3, 45 frames", 3, 45, 1, 3600, 256)
TARGETS = {
    "stage 2, L4": Limits({"int8": 11.0, "nf4": 8.0}, {"nf4": 6.5}),
    "stage 3, L4": Limits({"int8": 11.0, "nf4": 8.0}, {"nf4": 6.5}),
    "stage 3, 45 frames": Limits({"int8": 13.0, "nf4": 10.0}, {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu_memory.jsonl"))
    parser.add_argument("--cap", type=float, default=24.0, help="GiB of the GPU that may be used")
    parser.add_argument("--tiny", action="store_true", help="small sizes on the processor: a test")
    chosen = parser.parse_args()
    device = torch.device("cpu" if chosen.tiny else "cuda")
    if device.type == "cuda":
        whole = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, chosen.cap * GIB / whole))
    bench = Bench(device, tiny=chosen.tiny)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        bench.clip = write_clip(Path(folder) / "clip.mp4", tiny=chosen.tiny)
        for row in bench.measure(Path(folder)):
            rows.append(row)
            with chosen.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    print(report(rows, machine(device)))
    return 1 if any(missed(row) for row in rows) else 0


class Bench:
    """Builds each quantized model once and trains it in every shape."""

    def __init__(self, device: torch.device, *, tiny: bool) -> None:
        self.device, self.tiny = device, tiny
        self.config = tiny_config() if tiny else GoldfishConfig()
        self.profile = load_profile("24gb", device=device.type)
        self.clip = Path()

    def measure(self, folder: Path) -> Iterator[dict[str, Any]]:
        """Yield one row for each weight format, shape and source of features."""
        formats: tuple[Quantization, ...] = ("nf4", "int8")
        for quantization in formats:
            began = time.perf_counter()
            model = self._build(quantization)
            built = time.perf_counter() - began
            print(f"{quantization}: built in {built:.0f} s", flush=True)
            for stored in (False, True):
                if stored:
                    model.vision_encoder = None
                for shape in (*L4, FULL):
                    if self.tiny:
                        shape = Shape(shape.name, shape.stage, 2, shape.batch_size, 64, 24)
                    row = asdict(shape) | {"weights": quantization, "stored_features": stored}
                    try:
                        row |= self._train(model, shape, quantization, stored, folder)
                    except torch.OutOfMemoryError as error:
                        row["error"] = str(error).splitlines()[0]
                    forget(model)
                    yield row
            del model
            forget(None)

    def _build(self, quantization: Quantization) -> GoldfishForConditionalGeneration:
        torch.manual_seed(0)
        language_model = random_language_model(self.config.text_config, quantization, self.device)
        previous = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with self.device:
                encoder = VisionEncoder(self.config.vision_config)
        finally:
            torch.set_default_dtype(previous)
        model = GoldfishForConditionalGeneration.from_parts(
            self.config, vision_encoder=encoder, language_model=language_model
        )
        model.choose_trainable(projector=False, adapter=False)
        return model

    def _train(
        self,
        model: GoldfishForConditionalGeneration,
        shape: Shape,
        quantization: Quantization,
        stored: bool,
        folder: Path,
    ) -> dict[str, Any]:
        recipe = stage_recipe(shape)
        mark_trainable(model, recipe)
        data = Draws(self.config, shape, None if stored else self.clip)
        args = training_arguments(
            recipe,
            folder,
            device=self.device.type,
            seed=0,
            evaluate=False,
            activation_checkpointing=self.profile.activation_checkpointing,
        )
        args.max_steps = WARM_UP + MEASURED
        trainer = StageTrainer(
            model,
            args,
            collator=data.collate,
            train_dataset=data,
            eval_dataset=None,
            order=DrawOrder(len(data), args.max_steps * shape.batch_size),
            rate=partial(learning_rate, recipe, total=args.max_steps),
            encoder_chunk=self.profile.encoder_chunk,
            max_bad_samples=0,
            on_rejected=lambda item: None,
        )
        stopwatch = Stopwatch(self.device)
        trainer.add_callback(stopwatch)
        trainer.add_callback(GradientCheck())  # what should learn does
        reset_peak(self.device)
        trainer.train()
        seconds = stopwatch.seconds / MEASURED
        tokens = shape.batch_size * (shape.context + shape.text)
        allocated, reserved = peak(self.device)
        plan = self._plan(shape, quantization, stored)
        return {
            "allocated_gib": round(allocated, 3),
            "reserved_gib": round(reserved, 3),
            "planned_gib": round(plan, 3),
            "error_percent": round(100 * (plan / allocated - 1), 1) if allocated else None,
            "seconds_per_step": round(seconds, 4),
            "tokens_per_second": round(tokens / seconds, 1),
            "samples_per_second": round(shape.batch_size / seconds, 3),
        }

    def _plan(self, shape: Shape, quantization: Quantization, stored: bool) -> float:
        """GiB of tensors that the planner foresees; the CUDA runtime is none."""
        profile: Profile = self.profile.model_copy(
            update={
                "quantization": quantization,
                "batch_size": shape.batch_size,
                "max_frames": shape.frames,
                "max_context_tokens": shape.context,
                "max_text_tokens": shape.text,
            }
        )
        planner = MemoryPlanner(
            self.config, learning=learning_of(stage_recipe(shape)), stored_features=stored
        )
        parts = planner.plan(
            profile, cast("Use", str(shape.stage)), longest=shape.context + shape.text
        ).parts
        return sum(gib for name, gib in parts.items() if name != "runtime")


class Draws(Dataset[int]):
    """Samples of full length: as many ids as context and text allow, the answer at the end."""

    def __init__(self, config: GoldfishConfig, shape: Shape, clip: Path | None) -> None:
        self.config, self.shape, self.clip = config, shape, clip

    def __len__(self) -> int:
        """As many as no run here uses up."""
        return 64

    def __getitem__(self, draw: int) -> int:
        """The draw itself; all is made when a batch is."""
        return draw

    def collate(self, draws: list[int]) -> dict[str, Any]:
        """Make a batch as the real collator's."""
        shape, config = self.shape, self.config
        rng = torch.Generator().manual_seed(draws[0])
        length = shape.context + shape.text
        ids = torch.randint(5, 200, (len(draws), length), generator=rng)
        ids[:, : shape.frames * config.tokens_per_frame] = config.image_token_id
        labels = ids.clone()
        labels[:, : shape.context] = -100
        batch = {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)}
        names = tuple(map(str, draws))
        told = {"num_tokens": ids.numel(), "sample_ids": names, "rejected": ()}
        return batch | self._visual(len(draws)) | told

    def _visual(self, count: int) -> dict[str, torch.Tensor]:
        config, frames = self.config, self.shape.frames
        if self.clip is None:
            size = (count * frames, config.tokens_per_frame, config.pooled_dim)
            return {"image_features": torch.randn(size)}
        plan = FramePlan("uniform", frames)
        pictures = [f.image for _ in range(count) for f in sample_frames(self.clip, plan)]
        mean, std = config.image_mean, config.image_std
        return {"pixel_values": preprocess_frames(pictures, config.image_size, mean, std)}


class Stopwatch(TrainerCallback):
    """Times the steps after the warm-up, reading of their data included."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began = 0.0
        self.seconds = float("nan")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start after the warm-up, stop at the end."""
        if state.global_step not in (WARM_UP, WARM_UP + MEASURED):
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if state.global_step == WARM_UP:
            self._began = now
        else:
            self.seconds = now - self._began


def stage_recipe(shape: Shape) -> StageRecipe:
    """The stage as the original trained it on one L4: the projector; in stage 3 LoRA too."""
    return StageRecipe(
        learning_rate=1e-4,
        max_steps=WARM_UP + MEASURED,
        batch_size=shape.batch_size,
        gradient_accumulation=1,
        precision="bfloat16",
        num_frames=shape.frames,
        log_steps=1000,
        max_text_tokens=shape.text,
        lora=LoraRecipe() if shape.stage == 3 else None,
    )


def random_language_model(
    config: LlamaConfig, quantization: Quantization, device: torch.device
) -> Any:
    """Make a Llama whose linear layers are quantized one after another, as loading does."""
    options = Placement(device, torch.bfloat16, quantization).loading_options()
    chosen: BitsAndBytesConfig = options["quantization_config"]
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(config).to(torch.bfloat16)
    replace_with_bnb_linear(
        model, modules_to_not_convert=list(NEVER_QUANTIZED), quantization_config=chosen
    )
    for module in model.modules():
        if isinstance(module, (bnb.nn.Linear4bit, bnb.nn.Linear8bitLt)):
            quantize(module, device, chosen)
        elif isinstance(module, nn.Module):
            for name, parameter in module.named_parameters(recurse=False):
                values = torch.empty(parameter.shape, dtype=torch.bfloat16, device=device)
                values = nn.init.ones_(values) if values.dim() == 1 else values.normal_(std=0.02)
                setattr(module, name, nn.Parameter(values, requires_grad=False))
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(device)
    model.is_quantized = True
    model.quantization_method = chosen.quantization_method()
    model.is_loaded_in_4bit = quantization == "nf4"
    model.is_loaded_in_8bit = quantization == "int8"
    return model


def quantize(module: Any, device: torch.device, chosen: BitsAndBytesConfig) -> None:
    """Give a layer random weights in its own format."""
    shape = (module.out_features, module.in_features)
    values = torch.empty(shape, dtype=torch.bfloat16, device=device).normal_(std=0.02)
    if isinstance(module, bnb.nn.Linear8bitLt):
        weight: Any = bnb.nn.Int8Params(values, requires_grad=False, has_fp16_weights=False)
    else:
        weight = bnb.nn.Params4bit(
            values,
            requires_grad=False,
            compress_statistics=chosen.bnb_4bit_use_double_quant,
            quant_type=chosen.bnb_4bit_quant_type,
            module=module,
        )
    module.weight = weight._quantize(device)


def forget(model: GoldfishForConditionalGeneration | None) -> None:
    """Take the adapters off, drop gradients and whatever nobody holds any more."""
    if model is not None:
        if hasattr(model.language_model, "unload"):
            model.language_model = model.language_model.unload()
        for parameter in model.parameters():
            parameter.grad = None
        model.projector.to(torch.bfloat16)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def write_clip(path: Path, *, tiny: bool) -> Path:
    """Encode a moving picture for the live steps to read."""
    width, height = (160, 90) if tiny else CLIP_SIZE
    seconds = 2 if tiny else CLIP_SECONDS
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = np.kron(ground, np.ones((8, 8, 1), dtype=np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(CLIP_RATE))
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuv420p"
        stream.options = {"preset": "veryfast"}
        for number in range(seconds * CLIP_RATE):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 4 * number, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def tiny_config() -> GoldfishConfig:
    """The same architecture in small."""
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 56,
        "patch_size": 14,
    }
    text = LlamaConfig(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
    return GoldfishConfig(vision, text.to_dict(), image_token_id=299)


def reset_peak(device: torch.device) -> None:
    """Begin to measure."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()


def peak(device: torch.device) -> tuple[float, float]:
    """GiB of tensors and GiB taken from the card, at the highest; zeros on a processor."""
    if device.type != "cuda":
        return 0.0, 0.0
    return torch.cuda.max_memory_allocated() / GIB, torch.cuda.max_memory_reserved() / GIB


def missed(row: dict[str, Any]) -> bool:
    """Whether a row misses its target."""
    limits = TARGETS.get(row["name"])
    if limits is None or not row.get("allocated_gib"):
        return "error" in row
    limit = (limits.stored if row["stored_features"] else limits.live).get(row["weights"])
    return limit is not None and row["allocated_gib"] > limit


def machine(device: torch.device) -> str:
    """What it ran on, in one line."""
    card = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    versions = f"torch {torch.__version__}, Transformers {transformers.__version__}"
    return f"{time.strftime('%Y-%m-%d')}, {card}, {versions}, bitsandbytes {bnb.__version__}"


def report(rows: list[dict[str, Any]], where: str) -> str:
    """Everything as a Markdown table."""
    lines = [
        f"{where}; GiB at the highest, samples of full length.",
        "",
        "| shape | weights | features | allocated | reserved | planned | error | tokens/s "
        "| samples/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        start = [row["name"], row["weights"], "stored" if row["stored_features"] else "live"]
        if "error" in row:
            lines.append(f"| {' | '.join(start)} | {row['error']} | | | | | |")
            continue
        error = row["error_percent"]
        cells = [
            f"{row['allocated_gib']:.2f}",
            f"{row['reserved_gib']:.2f}",
            f"{row['planned_gib']:.2f}",
            "" if error is None else f"{error:+.1f} %",
            f"{row['tokens_per_second']:.0f}",
            f"{row['samples_per_second']:.2f}",
        ]
        lines.append(f"| {' | '.join([*start, *cells])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
