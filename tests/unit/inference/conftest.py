"""A tiny native model and a film of two seconds with subtitles beside it."""

from pathlib import Path

import pytest
import torch
from ask_parts import save_goldfish, write_video

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.profiles import Profile

SRT = """1
00:00:00,100 --> 00:00:00,400
the code is seven

2
00:00:01,200 --> 00:00:01,800
her name is anna
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def profile() -> Profile:
    return Profile(name="test", device="cpu", dtype="float32", max_new_tokens=8)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_video(tmp_path_factory.mktemp("film") / "clip.mp4")
    path.with_suffix(".srt").write_text(SRT)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> NativeModel:
    folder = save_goldfish(tmp_path_factory.mktemp("goldfish"))
    return NativeModel.load(str(folder), profile)
