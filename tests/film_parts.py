"""A film of Shapes World for tests, and what puts it into an index."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfish_cli.backends.base import VideoLanguageModel, drain
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.features import FeatureStore
from goldfish_cli.data.shapes.film_writer import FilmsPlan, write_films
from goldfish_cli.longvideo.indexer import IndexedFilm, IndexPlan, index_film
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.visual_models import VisualModel
from goldfish_cli.media.cutting import Cutting
from goldfish_cli.profiles import load_profile


@dataclass(frozen=True)
class FilmFolder:
    """What ``goldfish prep shapes --films 1`` wrote."""

    folder: Path
    video: Path
    truth: dict[str, Any]
    questions: list[dict[str, Any]]


def draw_film(folder: Path, *, minutes: float, seed: int = 3) -> FilmFolder:
    list(write_films(folder, FilmsPlan("test", seed, 1, minutes)))
    truth = json.loads((folder / "films.jsonl").read_text().splitlines()[0])
    questions = json.loads((folder / "film_questions.json").read_text())
    return FilmFolder(folder, folder / "films" / f"{truth['id']}.mp4", truth, questions)


def plan_for(model: NativeModel | None, **changes: Any) -> IndexPlan:
    profile = load_profile("cpu", threads=1)
    frames = model.num_frames(profile) if model else 1
    settings = {"cutting": Cutting(None), "num_frames": frames, "prompt": "Describe the video."}
    return IndexPlan(**(settings | changes))


def index_with(
    store: IndexStore,
    model: NativeModel | None,
    path: Path,
    *,
    pictures: VisualModel | None = None,
    features: FeatureStore | None = None,
    writer: VideoLanguageModel | None = None,
    **changes: Any,
) -> IndexedFilm:
    profile = load_profile("cpu", threads=1)
    plan = plan_for(model, **changes)
    return drain(
        index_film(
            store, model, path, plan, profile, pictures=pictures, features=features, writer=writer
        )
    )
