"""What the tests of asking share: tiny models with seeded random weights, frames and films."""

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from goldfish_cli.media.video import Frame
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration

T = TypeVar("T")


def byte_tokenizer(*special: str) -> PreTrainedTokenizerFast:
    """One token a byte, then ``<s> </s> <pad>``, then the special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(special),
    )


def save_goldfish(folder: Path, *, num_frames: int = 4, **text: Any) -> Path:
    """Save a Goldfish model of a few thousand weights: 4 visual tokens a frame of 16 pixels."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "image_size": 16,
        "patch_size": 4,
        "initializer_range": 0.4,
    }
    language = {
        "model_type": "llama",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": 260,
        "bos_token_id": 256,
        "eos_token_id": 257,
        "pad_token_id": 258,
        "initializer_range": 0.4,
    } | text
    config = GoldfishConfig(vision, language, image_token_id=260, num_frames=num_frames)
    GoldfishForConditionalGeneration(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def make_frames(*times: float, size: tuple[int, int] = (48, 32), seed: int = 0) -> list[Frame]:
    """Noise at given times."""
    noise = np.random.default_rng(seed)
    width, height = size
    return [
        Frame(time, noise.integers(0, 256, (height, width, 3), dtype=np.uint8)) for time in times
    ]


def write_video(
    path: Path, *, seconds: float = 2.0, fps: int = 10, size: tuple[int, int] = (64, 48)
) -> Path:
    """Write an h264 film, or what the suffix asks for, whose frames differ."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number in range(round(seconds * fps)):
            image = np.full((size[1], size[0], 3), 40 + 8 * (number % 25), dtype=np.uint8)
            image[: size[1] // 2, : 1 + number % size[0]] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path, *, seconds: float = 1.0) -> Path:
    """Write a WAV file: sound, and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        silence = np.zeros((1, round(16000 * seconds)), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def hear(stream: Generator[str, None, T]) -> tuple[list[str], T]:
    """Return the pieces that a stream yields, and what it returns."""
    pieces: list[str] = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as stop:
            return pieces, stop.value
