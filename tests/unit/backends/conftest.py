"""A tiny native model on disk."""

from pathlib import Path

import pytest
import torch
from ask_parts import save_goldfish

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.profiles import Profile


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def profile() -> Profile:
    return Profile(name="test", device="cpu", dtype="float32", encoder_chunk=2)


@pytest.fixture(scope="session")
def goldfish_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_goldfish(tmp_path_factory.mktemp("goldfish"))


@pytest.fixture
def native(goldfish_folder: Path, profile: Profile) -> NativeModel:
    return NativeModel.load(str(goldfish_folder), profile)
