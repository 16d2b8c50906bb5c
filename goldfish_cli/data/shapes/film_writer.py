"""Write films of Shapes World: one video file each, subtitles beside it, the truth, questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from goldfish_cli.data.shapes.encode import BLOCK
from goldfish_cli.data.shapes.film_questions import film_questions
from goldfish_cli.data.shapes.films import Film, FilmClip, sample_film
from goldfish_cli.data.shapes.render import Painter, sample_look
from goldfish_cli.data.shapes.writer import (
    SPLITS,
    Progress,
    Split,
    claim,
    cue_record,
    event_record,
    worker_pool,
    write_bytes,
    write_json,
)
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.subtitle_writing import srt_text

_FILM, _FILM_QUESTIONS, _FILM_PIXELS = 3, 4, 5  # kinds of things drawn, as part of their seeds
FILM_ASPECT = 4 / 3


@dataclass(frozen=True, slots=True)
class FilmsPlan:
    """What to make. The same plan always makes the same films."""

    split: Split
    seed: int
    films: int
    minutes: float
    height: int = 112
    fps: int = 10


def write_films(out: Path, plan: FilmsPlan, *, workers: int = 1) -> Iterator[Progress]:
    """Make films in ``out``.

    It holds ``films/{id}.mp4`` with sidecar subtitles, ``films.jsonl`` with the truth about each
    film and ``film_questions.json`` (``video_id``, ``q``, ``a``, ``family``, ``spans``).

    Args:
        out: A new folder, or one in which the same plan was begun.
        plan: What to make.
        workers: Films drawn at a time.

    Raises:
        AnnotationError: If ``out`` holds the data of another plan.
    """
    claim(out, asdict(plan))
    folder = out / "films"
    folder.mkdir(exist_ok=True)
    records: list[dict[str, Any]] = []
    with worker_pool(workers) as pool:
        for record, reused in pool.map(partial(_make_film, folder, plan), range(plan.films)):
            records.append(record)
            yield Progress(record["id"], reused)
    asked = [
        {"video_id": record["id"], **question}
        for record in records
        for question in record.pop("questions")
    ]
    write_json(out / "film_questions.json", asked)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_bytes(out / "films.jsonl", lines.encode())


def _make_film(folder: Path, plan: FilmsPlan, index: int) -> tuple[dict[str, Any], bool]:
    seed = [plan.seed, SPLITS.index(plan.split), index]
    film = sample_film(np.random.default_rng([*seed, _FILM]), plan.minutes, aspect=FILM_ASPECT)
    questions = film_questions(film, np.random.default_rng([*seed, _FILM_QUESTIONS]))
    name = f"film-{plan.split}-{index:03d}"
    path = folder / f"{name}.mp4"
    reused = path.exists()
    if not reused:
        said = [Cue(cue.start, cue.end, cue.text) for one in film.clips for cue in one.narration]
        write_bytes(path.with_suffix(".srt"), srt_text(said).encode())
        beside = path.with_suffix(".mp4.part")
        _encode(beside, film, plan, np.random.default_rng([*seed, _FILM_PIXELS]))
        beside.replace(path)
    return {**_truth(name, film), "questions": [_question(one) for one in questions]}, reused


def _encode(path: Path, film: Film, plan: FilmsPlan, rng: np.random.Generator) -> None:
    """Write the film frame by frame; memory holds one clip's painter."""
    height = BLOCK * round(plan.height / BLOCK)
    width = BLOCK * round(height * FILM_ASPECT / BLOCK)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(
            "libx264", rate=plan.fps, options={"crf": "24", "preset": "veryfast"}
        )
        assert isinstance(stream, VideoStream)  # what libx264 makes
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1  # films are drawn side by side already
        number = 0
        for one in film.clips:
            painter = Painter(one.clip, sample_look(rng, one.clip), width, height, rng)
            while number / plan.fps < one.end - 1e-6:
                moment = number / plan.fps - one.start
                frame = av.VideoFrame.from_ndarray(painter.frame(moment), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, plan.fps)
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode())


def _truth(name: str, film: Film) -> dict[str, Any]:
    return {
        "id": name,
        "duration": round(film.duration, 3),
        "needles": film.needles,
        "rare": film.rare,
        "absent": film.absent,
        "clips": [_clip(one) for one in film.clips],
    }


def _clip(one: FilmClip) -> dict[str, Any]:
    return {
        "start": round(one.start, 3),
        "end": round(one.end, 3),
        "relation": one.clip.relation,
        "events": [event_record(event) for event in one.events],
        "narration": [cue_record(cue) for cue in one.narration],
    }


def _question(one: Any) -> dict[str, Any]:
    return {"q": one.question, "a": one.answer, "family": one.family, "spans": one.spans}
