"""minnow from nothing, step by step: each takes the files of the steps before from one folder."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.models.blip_2.configuration_blip_2 import Blip2VisionConfig
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

from goldfish_cli.model.config import IMAGENET_MEAN, IMAGENET_STD, GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.vision_encoder import VisionEncoder
from goldfish_cli.training.minnow.encoder import pretrain_encoder
from goldfish_cli.training.minnow.language_model import pretrain_language_model
from goldfish_cli.training.minnow.optimizer import Span
from goldfish_cli.training.minnow.tokenizer import train_tokenizer

IMAGE_SIZE, PATCH_SIZE = 128, 16
POOLING_SIZE = (IMAGE_SIZE // PATCH_SIZE) ** 2
"""All patches become one token, so that motion is a comparison of neighbours in the prompt."""
NUM_FRAMES = 32
VISION_WIDTH, TEXT_WIDTH = 128, 192
HEAD_WIDTH = 32
KEEP_EVERY = 500
"""Steps of pre-training between two looks at the weights."""
TRAINING_CLIPS, TRAINING_IMAGES, QUESTIONS = 5_000, 5_000, 36
TRAINING_HEIGHTS = (112, 256)
SEED = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Effort:
    """How large a model and how much pre-training a machine allows in the time."""

    device: torch.device
    vision_layers: int
    text_layers: int
    encoder_steps: int
    encoder_batch: int
    """Frames in a step."""
    language_steps: int
    language_batch: int
    """Storyboards in a step."""
    encoder_workers: int
    language_workers: int
    """Processes that draw for each of the two, which run side by side."""


def effort() -> Effort:
    """Choose by the machine: a GPU takes as much as its cores can draw for it."""
    if not torch.cuda.is_available():
        return Effort(torch.device("cpu"), 4, 6, 12_000, 32, 8_000, 8, 1, 1)
    cores = max(2, (os.cpu_count() or 2) - 2)
    drawing = max(1, cores * 4 // 7), max(1, cores * 3 // 7)
    return Effort(torch.device("cuda"), 6, 8, 6_000, 256, 12_000, 64, *drawing)


def make_tokenizer(work: Path) -> None:
    """Learn the tokenizer."""
    train_tokenizer(SEED).save_pretrained(work / "tokenizer")


def make_encoder(work: Path, seconds: float | None = None) -> None:
    """Pre-train the vision encoder on single frames, for ``seconds`` at most."""
    torch.manual_seed(SEED)
    chosen = effort()
    encoder = VisionEncoder(vision_config(chosen.vision_layers))
    for parameter in encoder.parameters():
        if parameter.ndim in (2, 4):  # linear layers, and the patches' filters
            nn.init.xavier_uniform_(parameter.data.flatten(1))
    nn.init.normal_(encoder.embeddings.position_embedding, std=0.1)
    again = _begin_with(encoder, work / "encoder.start.pt")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    pretrain_encoder(
        encoder,
        seed=SEED + again,
        span=Span(chosen.encoder_steps, seconds),
        device=chosen.device,
        workers=chosen.encoder_workers,
        batch_size=chosen.encoder_batch,
        learning_rate=1e-3 if again else 2e-3,
        size=IMAGE_SIZE,
        patch=PATCH_SIZE,
        width=VISION_WIDTH,
        mean=mean,
        std=std,
        report=_logger(work / "encoder.jsonl", encoder),
    )
    _keep(encoder, work / "encoder.pt")


def make_language_model(work: Path, seconds: float | None = None) -> None:
    """Pre-train the language model on storyboards, for ``seconds`` at most."""
    torch.manual_seed(SEED)
    chosen = effort()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    model = LlamaForCausalLM(text_config(tokenizer, chosen.text_layers))
    again = _begin_with(model, work / "language_model.start.pt")
    pretrain_language_model(
        model,
        tokenizer,
        seed=SEED + again,
        span=Span(chosen.language_steps, seconds),
        device=chosen.device,
        workers=chosen.language_workers,
        batch_size=chosen.language_batch,
        learning_rate=1.25e-3 if again else 2.5e-3,
        num_frames=NUM_FRAMES,
        report=_logger(work / "language_model.jsonl", model),
    )
    _keep(model, work / "language_model.pt")


def make_base(work: Path) -> None:
    """Join both with a fresh projector, as EVA-CLIP and Llama-2-Chat are joined before stage 1."""
    torch.manual_seed(SEED)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    seeing, reading = (
        torch.load(work / f"{part}.pt", weights_only=True) for part in ("encoder", "language_model")
    )
    shapes = vision_config(_num_layers(seeing)), text_config(tokenizer, _num_layers(reading))
    encoder, language_model = VisionEncoder(shapes[0]), LlamaForCausalLM(shapes[1])
    encoder.load_state_dict(seeing)
    language_model.load_state_dict(reading)
    config = GoldfishConfig(
        vision_config=shapes[0],
        text_config=shapes[1],
        pooling="concat",
        pooling_size=POOLING_SIZE,
        image_token_id=tokenizer.convert_tokens_to_ids("<ImageHere>"),
        num_frames=NUM_FRAMES,
    )
    model = GoldfishForConditionalGeneration.from_parts(
        config, vision_encoder=encoder, language_model=language_model
    )
    model.save_pretrained(work / "base")
    tokenizer.save_pretrained(work / "base")


def make_data(work: Path) -> None:
    """Draw the clips, pictures and questions of the three stages."""
    low, high = TRAINING_HEIGHTS
    _goldfish(
        *f"prep shapes --out {work / 'train'} --split train --seed {SEED}".split(),
        *f"--clips {TRAINING_CLIPS} --images {TRAINING_IMAGES} --questions {QUESTIONS}".split(),
        *f"--min-height {low} --max-height {high}".split(),
    )


def make_stages(work: Path) -> None:
    """Train stages 1, 2 and 3 with the same command that trains any other model."""
    data = work / "train"
    _goldfish(
        *f"train all --recipe minnow --from {work / 'base'} --out {work / 'runs'}".split(),
        *f"--data {data / 'images'} --data {data / 'captions.json'}".split(),
        *f"--data {data / 'instructions.json'} --videos {data / 'videos'}".split(),
        *f"--features {work / 'features'} --profile tiny --seed {SEED} --resume".split(),
    )


def make_asset(work: Path, folder: Path) -> None:
    """Merge the adapter into the weights and put the result where the package looks for it."""
    last = work / "runs" / "stage3_video_instruct_final"
    _goldfish("model", "export", str(last), str(folder), "--dtype", "bfloat16", "--force")
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_models"] = {}  # all is merged: nobody needs to find this machine's folders
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_CARD, encoding="utf-8")


_CARD = """---
library_name: goldfish-video
license: apache-2.0
pipeline_tag: video-text-to-text
---
# minnow

A tiny video language model that knows Shapes World only: 32 frames of 128 pixels, one visual token
each. Made from nothing by `make minnow`; docs/minnow.md tells how, and how good it is.

Ask it with: `goldfish ask VIDEO QUESTION`
"""

STEPS: dict[str, tuple[Callable[..., None], str]] = {
    "tokenizer": (make_tokenizer, "tokenizer"),
    "encoder": (make_encoder, "encoder.pt"),
    "language-model": (make_language_model, "language_model.pt"),
    "data": (make_data, "train/timeline.jsonl"),
    "base": (make_base, "base/tokenizer.json"),
    "stages": (make_stages, "runs/stage3_video_instruct_final/README.md"),
}
"""Each step by name: what does it, and the file that shows it is done.

The two pre-trainings also take ``seconds``: how long they may last.
"""


def vision_config(layers: int) -> Blip2VisionConfig:
    """The encoder's shape: EVA-CLIP ViT-g/14 in small."""
    config = Blip2VisionConfig(
        hidden_size=VISION_WIDTH,
        intermediate_size=4 * VISION_WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=VISION_WIDTH // HEAD_WIDTH,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        hidden_act="gelu",
        layer_norm_eps=1e-6,
        qkv_bias=True,
        initializer_range=0.02,
    )
    config._attn_implementation = "eager"  # twice as fast as SDPA's backward pass on a CPU
    return config


def text_config(tokenizer: PreTrainedTokenizerFast, layers: int) -> LlamaConfig:
    """The language model's shape: Llama-2 in small."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=TEXT_WIDTH * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=TEXT_WIDTH // HEAD_WIDTH,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config._attn_implementation = "eager"
    return config


def _logger(path: Path, model: nn.Module) -> Callable[[dict[str, float]], None]:
    """Write each report as a line of JSON and say it; keep the weights now and then.

    What is kept, beside the log as ``.part.pt``, is to look into, not to continue from.
    """
    path.unlink(missing_ok=True)

    def report(values: dict[str, float]) -> None:
        line = json.dumps({key: round(value, 5) for key, value in values.items()})
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        log.info("%s %s", path.stem, line)
        if values["step"] % KEEP_EVERY == 0:
            _keep(model, path.with_suffix(".part.pt"))

    return report


def _begin_with(model: nn.Module, path: Path) -> bool:
    """Take the weights of an earlier pre-training if some lie at ``path``; say whether they did.

    Going on takes half the learning rate and other data.
    """
    if not path.exists():
        return False
    model.load_state_dict(torch.load(path, weights_only=True))
    log.info("going on from %s", path)
    return True


def _keep(model: nn.Module, path: Path) -> None:
    """Save weights in main memory's reach, whichever device they were learnt on."""
    torch.save({name: value.cpu() for name, value in model.state_dict().items()}, path)


def _num_layers(state: Mapping[str, Tensor]) -> int:
    """Count a model's layers by the names of its weights."""
    return len({name.split("layers.")[1].split(".")[0] for name in state if "layers." in name})


def _goldfish(*arguments: str) -> None:
    """Run the command line as a user would."""
    log.info("goldfish %s", " ".join(arguments))
    subprocess.run([sys.executable, "-m", "goldfish_cli.cli", *arguments], check=True)
