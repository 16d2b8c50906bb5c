"""A tiny native model, three short videos, one of them with subtitles, and questions about them."""

from pathlib import Path

import pytest
import torch
from ask_parts import save_goldfish, write_video

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.profiles import Profile

SRT = """1
00:00:00,100 --> 00:00:00,900
the code is seven
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def profile() -> Profile:
    return Profile(name="test", device="cpu", dtype="float32", max_new_tokens=6)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> NativeModel:
    return NativeModel.load(str(save_goldfish(tmp_path_factory.mktemp("goldfish"))), profile)


@pytest.fixture(scope="session")
def video_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "one.mp4", seconds=2.0)
    write_video(folder / "two.mp4", seconds=3.0, size=(48, 64))
    write_video(folder / "three.mp4", seconds=1.0)
    (folder / "one.srt").write_text(SRT)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder
