"""Questions about a film through its index, and what is said of the evidence."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from film_parts import FilmFolder, draw_film, index_with

from goldfish_cli.backends.base import GenerationSettings
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.evaluation.benchmarks.films import FILMS
from goldfish_cli.evaluation.evidence import faults, retrieval
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.judges.offline import OfflineJudge
from goldfish_cli.evaluation.long import NOT_INDEXED, LongRunner, LongSources
from goldfish_cli.evaluation.predictions import Condition, Prediction
from goldfish_cli.evaluation.runner import Asking
from goldfish_cli.evaluation.scoring import Deciding, Scored, score_all
from goldfish_cli.evaluation.showing import Viewing
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.profiles import load_profile

Made = dict[tuple[str, Condition], Prediction]


@pytest.fixture(scope="module")
def minnow() -> NativeModel:
    torch.set_num_threads(1)
    return NativeModel.load("minnow", load_profile("cpu", threads=1), offline=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> FilmFolder:
    return draw_film(tmp_path_factory.mktemp("films"), minutes=1.0)


@pytest.fixture(scope="module")
def index(film: FilmFolder, minnow: NativeModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "index"
    with IndexStore.create_or_open(folder, wait_s=0) as store:
        index_with(store, minnow, film.video)
    return folder


@pytest.fixture(scope="module")
def items(film: FilmFolder) -> list[EvalItem]:
    return FILMS.read([film.folder])


@pytest.fixture
def asking(minnow: NativeModel, film: FilmFolder) -> Asking:
    profile = load_profile("cpu", threads=1)
    videos = MediaFolder(film.folder / "films")
    return Asking(minnow, FILMS, videos, Viewing(), profile, GenerationSettings(64))


def ask(
    asking: Asking,
    index: Path,
    items: list[EvalItem],
    conditions: tuple[Condition, ...] = ("full",),
    known: Made | None = None,
) -> tuple[Made, int]:
    """The predictions, and how many of them were there before."""
    with IndexStore.read(index) as store:
        runner = LongRunner(asking, LongSources(store, None))
        done = [one for part in runner.run(items, conditions, known or {}) for one in part]
    made = {(one.prediction.id, one.prediction.condition): one.prediction for one in done}
    return made, sum(one.reused for one in done)


def score(items: list[EvalItem], made: Made) -> list[Scored]:
    return list(score_all(items, made, Deciding(FILMS, OfflineJudge())))


def test_questions_are_answered_through_the_index_with_evidence(
    asking: Asking, index: Path, items: list[EvalItem]
) -> None:
    made, _ = ask(asking, index, items)
    scored = score(items, made)
    assert len(scored) == len(items)
    assert sum(one.right or False for one in scored) >= 0.7 * len(items)
    found = retrieval(scored)
    assert found is not None
    assert found.n == sum(bool(item.moments) for item in items)
    assert found.recall["1"] <= found.recall["5"] <= found.recall["10"]
    assert found.recall["10"] > 0.5
    assert found.cited is not None and found.cited > 0.5


def test_what_was_answered_from_the_same_index_is_not_asked_again(
    asking: Asking, index: Path, items: list[EvalItem], tmp_path: Path
) -> None:
    made, _ = ask(asking, index, items[:4])
    assert ask(asking, index, items[:4], known=made) == (made, 4)
    other = Path(shutil.copytree(index, tmp_path / "index"))
    with IndexStore.create_or_open(other, wait_s=0) as store:
        (film,) = store.films()
        clip = store.clips(film.id)[0]
        store.put_clip(film.id, replace(clip, summary="A dog barks."))
    assert ask(asking, other, items[:4], known=made)[1] == 0


def test_a_planted_retrieval_fault_is_retrievals(
    asking: Asking, index: Path, items: list[EvalItem], tmp_path: Path
) -> None:
    needles = [item for item in items if item.category == "needle"]
    made, _ = ask(asking, index, needles)
    right = [one.item for one in score(needles, made) if one.right]
    assert right
    broken = Path(shutil.copytree(index, tmp_path / "index"))
    with IndexStore.create_or_open(broken, wait_s=0) as store:
        (film,) = store.films()
        for clip in store.clips(film.id):
            if any(
                clip.start < end and clip.end > start for i in right for start, end in i.moments
            ):
                store.put_clip(film.id, replace(clip, summary="", cues=()))
    found = faults(score(right, ask(asking, broken, right)[0]))
    assert found is not None
    assert found.retrieval > 0.7
    assert found.judge == 0.0
    assert found.reader + found.retrieval <= 1.0
    alone, _ = ask(asking, broken, right, ("moment",))
    assert {condition for _, condition in alone} == {"moment"}  # needs no index


def test_a_film_that_is_not_indexed_is_named(
    asking: Asking, items: list[EvalItem], tmp_path: Path
) -> None:
    with IndexStore.create_or_open(tmp_path / "empty", wait_s=0):
        pass
    made, _ = ask(asking, tmp_path / "empty", items[:2])
    assert {one.problem for one in made.values()} == {NOT_INDEXED}


def test_another_film_is_asked_only_if_there_is_one(
    asking: Asking, index: Path, items: list[EvalItem]
) -> None:
    assert ask(asking, index, items[:2], ("other video",)) == ({}, 0)
