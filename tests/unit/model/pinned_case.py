"""One small model whose every weight is a formula, and all that it computes.

``pinned.json`` holds the results; ``python tests/unit/model/pinned_case.py`` writes it anew, and a
person reads the difference. They were written by code that agrees with MiniGPT4-Video's tensors.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from model_parts import IMAGE_TOKEN_ID, TEXT, byte_tokenizer, fill_by_name, value_of
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from goldfish_cli.model.loader import load_model
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.prompt_styles import STYLES, lay_out, render
from goldfish_cli.model.prompts import encode_prompt
from goldfish_cli.profiles import Profile

PINNED = Path(__file__).with_name("pinned.json")
WIDTH, MLP, PATCHES = 88, 96, 4
CAPTIONS = ["", "hello there"]
TURNS = [("What is seen?", "A cat.")]


def encoder_weights() -> dict[str, Tensor]:
    """Return two blocks of one head, named as in ``eva_vit_g.pth``."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + PATCHES, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": (WIDTH,),
    }
    for block in range(2):
        for name, shape in {
            "norm1.weight": (WIDTH,),
            "norm1.bias": (WIDTH,),
            "norm2.weight": (WIDTH,),
            "norm2.bias": (WIDTH,),
            "attn.q_bias": (WIDTH,),
            "attn.v_bias": (WIDTH,),
            "attn.qkv.weight": (3 * WIDTH, WIDTH),
            "attn.proj.weight": (WIDTH, WIDTH),
            "attn.proj.bias": (WIDTH,),
            "mlp.fc1.weight": (MLP, WIDTH),
            "mlp.fc1.bias": (MLP,),
            "mlp.fc2.weight": (WIDTH, MLP),
            "mlp.fc2.bias": (WIDTH,),
        }.items():
            shapes[f"blocks.{block}.{name}"] = shape
    return {name: value_of(name, shape, scale=0.1) for name, shape in shapes.items()}


def checkpoint() -> dict[str, Any]:
    """Return a reference checkpoint: projector and adapter of rank 2."""
    shapes = {"llama_proj.weight": (16, 4 * WIDTH), "llama_proj.bias": (16,)}
    for layer in range(2):
        for name in ("q_proj", "v_proj"):
            stem = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{name}"
            shapes[f"{stem}.lora_A.weight"] = (2, 16)
            shapes[f"{stem}.lora_B.weight"] = (16, 2)
    model = {name: value_of(name, shape, scale=0.1) for name, shape in shapes.items()}
    settings = {"lora_r": 2, "lora_alpha": 1, "image_size": 42, "token_pooling": False}
    model["llama_proj.weight"] = model["llama_proj.weight"][:, :WIDTH].contiguous()
    return {"model": model, "config": {"model": settings}, "epoch": 0}


def frames() -> list[np.ndarray]:
    """Return two pictures of different size."""
    grids = [np.indices((height, width, 3)) for height, width in ((30, 50), (42, 42))]
    return [((7 * y + 3 * x + 80 * c) % 256).astype(np.uint8) for y, x, c in grids]


@torch.no_grad()
def compute() -> dict[str, Any]:
    """Run everything once: files, import, pixels, features, prompt, logits, loss, answer."""
    with TemporaryDirectory() as folder:
        model_folder, path = Path(folder) / "llm", Path(folder) / "checkpoint_0.pth"
        language_model = LlamaForCausalLM(LlamaConfig(**TEXT))
        fill_by_name(language_model)
        language_model.save_pretrained(model_folder)
        byte_tokenizer().save_pretrained(model_folder)
        torch.save(encoder_weights(), Path(folder) / "eva_vit_g.pth")
        torch.save(checkpoint(), path)
        loaded = load_model(
            str(path),
            Profile(name="pinned", device="cpu", dtype="float32"),
            bases={"language_model": str(model_folder)},
            offline=True,
        )
    model, config = loaded.model, loaded.config
    pixels = preprocess_frames(frames(), 42, config.image_mean, config.image_std)
    features = model.encode_frames(pixels, chunk=1)
    sizes = {"tokens_per_frame": config.tokens_per_frame, "image_token_id": IMAGE_TOKEN_ID}
    prompt = encode_prompt(loaded.tokenizer, CAPTIONS, TURNS, style=loaded.style, **sizes)
    ids, labels = torch.tensor([prompt.ids]), torch.tensor([prompt.labels])
    asked = encode_prompt(loaded.tokenizer, CAPTIONS, TURNS[0][0], style=loaded.style, **sizes)
    answers = {
        f"answer, penalty {penalty}": model.generate(
            torch.tensor([asked.ids]),
            image_features=features,
            max_new_tokens=16,
            do_sample=False,
            repetition_penalty=penalty,
            eos_token_id=None,
        )[0].tolist()
        for penalty in (1.0, 1.5)
    }
    prompts = {
        f"prompt, {name}": render(lay_out(CAPTIONS, TURNS, style=style))
        for name, style in STYLES.items()
    }
    return {
        **prompts,
        "ids": prompt.ids,
        "pixels": some(pixels),
        "features": some(features),
        "projected": some(model.projector(features)),
        "embeddings": some(model.embed(ids, image_features=features)),
        "logits": some(model(ids, image_features=features).logits),
        "loss": model(ids, image_features=features, labels=labels).loss.item(),
        **answers,
    }


def some(tensor: Tensor) -> list[float]:
    """Take 40 values spread over a tensor, and its mean magnitude."""
    flat = tensor.flatten()
    places = torch.linspace(0, flat.numel() - 1, 40).long()
    return [round(value, 6) for value in [*flat[places].tolist(), flat.abs().mean().item()]]


if __name__ == "__main__":
    PINNED.write_text(json.dumps(compute(), indent=1) + "\n")
