"""A tiny seeded model with a byte tokenizer, and tiny clips, for the tests of training."""

from pathlib import Path

import pytest
import torch

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.profiles import Profile, load_profile


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer():
    """One id a byte, after pad, bos and eos."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {text: i for i, text in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


@pytest.fixture(scope="session")
def config(tokenizer) -> GoldfishConfig:
    return GoldfishConfig(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "initializer_range": 0.5,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
            "initializer_range": 0.2,
        },
        pooling_size=4,
        image_token_id=len(tokenizer),
        num_frames=3,
    )


@pytest.fixture(scope="session")
def base(tmp_path_factory, config, tokenizer) -> Path:
    """A base model: encoder and language model as if pre-trained, and a fresh projector."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "base"
    GoldfishForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def model(base) -> GoldfishForConditionalGeneration:
    return GoldfishForConditionalGeneration.from_pretrained(base).eval()


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile(
        "tiny", device="cpu", dtype="float32", threads=1, batch_size=2, gradient_accumulation=1
    )


COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 30, 220),
    "grey": (90, 90, 90),
}


def write_clip(path: Path, colours: list[str], fps: int = 4, size: int = 32) -> None:
    """Write a video that shows each colour for half a second."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for colour in colours:
            pixels = np.full((size, size, 3), COLOURS[colour], np.uint8)
            for _ in range(fps // 2):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder with images.tar, captions.json, instructions.json and videos/."""
    import io
    import itertools
    import json

    import webdataset
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    with webdataset.TarWriter(str(folder / "images.tar")) as tar:
        for number, (name, rgb) in enumerate(COLOURS.items()):
            buffer = io.BytesIO()
            Image.new("RGB", (40, 30), rgb).save(buffer, "PNG")
            caption = {"caption": f"All {name}."}
            tar.write({"__key__": f"{number:05d}", "png": buffer.getvalue(), "json": caption})
    videos = folder / "videos"
    videos.mkdir()
    captions, instructions = [], []
    for first, last in itertools.permutations(["red", "green", "blue"], 2):
        name = f"{first}-{last}"
        write_clip(videos / f"{name}.mp4", [first, last])
        captions.append({"image_id": name, "caption": f"First {first}, then {last}."})
        for question, answer in (("What comes first?", first), ("What comes last?", last)):
            instructions.append({"video_id": name, "q": question, "a": answer, "length": 1})
    cue = "1\n00:00:00,000 --> 00:00:00,400\nthe code is seven\n"
    (videos / "red-blue.srt").write_text(cue)
    (folder / "captions.json").write_text(json.dumps(captions))
    (folder / "instructions.json").write_text(json.dumps(instructions))
    return folder
