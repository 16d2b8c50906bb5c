"""A film of Shapes World, drawn and indexed once for all tests that look at one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from film_parts import FilmFolder, draw_film, index_with

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.profiles import load_profile


@pytest.fixture(scope="session")
def minnow() -> NativeModel:
    torch.set_num_threads(1)
    return NativeModel.load("minnow", load_profile("cpu", threads=1), offline=True)


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> FilmFolder:
    """One minute of Shapes World, with the truth about it."""
    return draw_film(tmp_path_factory.mktemp("films"), minutes=1.0)


@pytest.fixture(scope="session")
def indexed(
    film_folder: FilmFolder, minnow: NativeModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an index that holds the film."""
    folder = tmp_path_factory.mktemp("index")
    with IndexStore.create_or_open(folder, wait_s=0) as store:
        index_with(store, minnow, film_folder.video)
    return folder


@pytest.fixture
def reader(indexed: Path) -> Iterator[IndexStore]:
    with IndexStore.read(indexed) as store:
        yield store
