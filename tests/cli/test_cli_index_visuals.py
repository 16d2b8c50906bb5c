"""``goldfish index --visual`` and ``--features``, and what ``longask`` makes of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_parts import DIM, save_clip
from film_parts import FilmFolder, draw_film
from typer.testing import CliRunner, Result

from goldfish_cli.cli import app
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.visual_models import VisualModel


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> FilmFolder:
    return draw_film(tmp_path_factory.mktemp("films"), minutes=0.5)


def goldfish(*words: object) -> Result:
    torch.set_num_threads(1)
    return CliRunner().invoke(app, [*map(str, words)], prog_name="goldfish")


@pytest.fixture
def clip_folder(tmp_path: Path) -> Path:
    return save_clip(tmp_path / "clip")


def test_the_index_remembers_its_visual_model(
    drawn: FilmFolder, clip_folder: Path, tmp_path: Path
) -> None:
    where = ("--profile", "cpu", "--index", tmp_path / "index")
    done = goldfish("index", drawn.video, *where, "--visual", clip_folder)
    assert done.exit_code == 0, done.stderr
    again = json.loads(goldfish("index", "--json", drawn.video, *where).stdout)
    assert again["reused"] == again["clips"]
    with IndexStore.read(tmp_path / "index") as store:
        (film,) = store.films()
        assert film.settings["visual"] == str(clip_folder)
        assert store.visuals(film.id)[1].shape == (again["clips"], DIM)
    back = json.loads(goldfish("index", "--json", drawn.video, *where, "--visual", "own").stdout)
    assert back["reused"] == back["clips"]
    with IndexStore.read(tmp_path / "index") as store:
        assert store.films()[0].settings["visual"] == "own"
        assert store.visuals(film.id)[1].shape[1] != DIM


def test_a_clip_is_found_by_its_looks_and_without_the_model_by_words(
    drawn: FilmFolder, clip_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    where = ("--profile", "cpu", "--index", folder)
    question = "What does the dog wear?"
    assert goldfish("index", drawn.video, *where, "--visual", clip_folder).exit_code == 0
    with IndexStore.create_or_open(folder, wait_s=0) as store:
        (film,) = store.films()
        wanted = VisualModel(str(clip_folder)).encode_text(question)
        for number, _ in enumerate(store.clips(film.id)):
            store.put_visual(
                film.id, number, (wanted if number == 2 else -wanted).astype(np.float16)
            )
    steps = json.loads(goldfish("longask", "--json", question, *where).stdout)["steps"]
    assert next(one for one in steps if one["state"] == "look")["detail"].startswith("clip 2:")
    shutil.rmtree(clip_folder)
    done = goldfish("longask", "--json", question, *where)
    assert done.exit_code == 0
    assert "pictures are not searched" in done.stderr
    assert not [one for one in json.loads(done.stdout)["steps"] if one["state"] == "look"]
    refused = goldfish("index", drawn.video, *where)
    assert refused.exit_code == 5
    assert refused.stderr.splitlines()[-1].startswith("hint:")


def test_features_are_kept_where_they_are_wanted(drawn: FilmFolder, tmp_path: Path) -> None:
    where = ("--profile", "cpu", "--index", tmp_path / "index")
    kept = tmp_path / "features"
    assert goldfish("index", drawn.video, *where, "--features", kept).exit_code == 0
    assert list(kept.glob("*.safetensors"))
    server = "openai:model@http://127.0.0.1:9"
    refused = goldfish("index", drawn.video, *where, "--features", kept, "--model", server)
    assert refused.exit_code == 2
    assert "--features keeps what a Goldfish model's encoder gives" in refused.stderr
