"""A CLIP model of a few thousand random weights, saved as its library saves it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

WORDS = (
    "a", "the", "where", "is", "what", "does", "who", "red", "green", "blue", "circle", "square",
    "star", "hat", "dog", "moves",
)  # fmt: skip
DIM = 12


def save_clip(folder: Path, *, seed: int = 0) -> Path:
    """Save a model of pictures of 28 pixels and a vocabulary of a few words."""
    torch.manual_seed(seed)
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: number for number, word in enumerate([*special, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=16, **names).save_pretrained(
        folder
    )
    tower = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.4,
    }
    text = {
        **tower,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 16,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    vision = {**tower, "image_size": 28, "patch_size": 14}
    CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM)
    ).save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    ).save_pretrained(folder)
    return folder
