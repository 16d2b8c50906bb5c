"""Write Shapes World to disk: clips as real video files, annotations, image-text shards.

Everything follows from the seed and the split; what is already there is not made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
import webdataset
from PIL import Image

from goldfish_cli.data.shapes.encode import VideoFormat, encode_clip, sample_format
from goldfish_cli.data.shapes.language import caption, sample_questions
from goldfish_cli.data.shapes.render import Painter, sample_look
from goldfish_cli.data.shapes.world import Clip, Event, Narration, sample_clip
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.subtitle_writing import srt_text

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
_CLIP, _IMAGE, _QUESTIONS = 0, 1, 2  # kinds of things drawn, as part of their seeds
IMAGES_PER_SHARD = 1000
PLAN_FILE = "shapes.json"


@dataclass(frozen=True, slots=True)
class ShapesPlan:
    """What to make. The same plan always makes the same data."""

    split: Split
    seed: int
    clips: int
    images: int
    questions: int
    """Questions asked about each clip."""
    held_out_wordings: bool
    """Word the questions as training never does."""
    min_height: int = 112
    max_height: int = 360


@dataclass(frozen=True, slots=True)
class Progress:
    """One more clip or shard is there; ``reused`` if it had been made before."""

    item: str
    reused: bool


def write_shapes(out: Path, plan: ShapesPlan, *, workers: int = 1) -> Iterator[Progress]:
    """Make a split of Shapes World in ``out``.

    It holds ``videos/{id}.mp4`` with sidecar subtitles where something is said,
    ``images/{shard}.tar`` (WebDataset), ``captions.json`` (``image_id``, ``caption``),
    ``instructions.json`` (``video_id``, ``q``, ``a``, ``length``, ``family``) and
    ``timeline.jsonl`` with the truth about each clip.

    Args:
        out: A new folder, or one in which the same plan was begun.
        plan: What to make.
        workers: Processes that draw and encode.

    Raises:
        AnnotationError: If ``out`` holds the data of another plan.
    """
    claim(out, asdict(plan))
    videos, images = out / "videos", out / "images"
    videos.mkdir(exist_ok=True)
    images.mkdir(exist_ok=True)
    records: list[dict[str, Any]] = []
    with worker_pool(workers) as pool:
        for record, reused in pool.map(partial(_make_clip, videos, plan), range(plan.clips)):
            records.append(record)
            yield Progress(record["id"], reused)
        for name, reused in pool.map(partial(_make_shard, images, plan), range(num_shards(plan))):
            yield Progress(name, reused)
    write_json(out / "captions.json", [_caption_item(record) for record in records])
    write_json(
        out / "instructions.json", [item for record in records for item in _questions(record)]
    )
    lines = (json.dumps({k: v for k, v in r.items() if k != "questions"}) for r in records)
    write_bytes(out / "timeline.jsonl", "".join(line + "\n" for line in lines).encode())


class _InProcess(Executor):
    """Runs things right here, one after another, for ``workers=1``."""

    def map(
        self, fn: Any, *iterables: Any, timeout: float | None = None, chunksize: int = 1
    ) -> Any:
        return map(fn, *iterables)


def worker_pool(workers: int) -> Executor:
    """Processes that end with this one; with one worker, none: the work is done right here."""
    if workers == 1:
        return _InProcess()
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_end_with_parent
    )


def _end_with_parent() -> None:
    """Let a worker end when who started it is gone: killed, it cannot tell its workers to stop."""
    parent = parent_process()
    assert parent is not None  # only workers come here

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def num_shards(plan: ShapesPlan) -> int:
    """How many tars the pictures fill."""
    return -(-plan.images // IMAGES_PER_SHARD)


def clip_rng(plan: ShapesPlan, index: int) -> np.random.Generator:
    """The generator of one clip; its split is part of the seed, so no two splits share a clip."""
    return np.random.default_rng([plan.seed, SPLITS.index(plan.split), _CLIP, index])


def _make_clip(folder: Path, plan: ShapesPlan, index: int) -> tuple[dict[str, Any], bool]:
    """Draw one clip and write its files; the record tells all about it."""
    rng = clip_rng(plan, index)
    clip = sample_clip(rng)
    asking = np.random.default_rng([plan.seed, SPLITS.index(plan.split), _QUESTIONS, index])
    questions = sample_questions(clip, asking, plan.questions, held_out=plan.held_out_wordings)
    form = sample_format(rng, clip, min_height=plan.min_height, max_height=plan.max_height)
    name = f"{plan.split}-{index:06d}"
    path = folder / f"{name}.mp4"
    reused = path.exists()
    if not reused:
        if clip.narration and not form.embedded_subtitles:
            said = [Cue(cue.start, cue.end, cue.text) for cue in clip.narration]
            write_bytes(path.with_suffix(".srt"), srt_text(said).encode())
        look = sample_look(rng, clip)
        painter = Painter(clip, look, form.width, form.height, rng)
        partial_path = path.with_suffix(".mp4.part")
        encode_clip(partial_path, painter, form)
        partial_path.replace(path)
    return _record(name, clip, form, [asdict(item) for item in questions]), reused


def _record(
    name: str, clip: Clip, form: VideoFormat, questions: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "id": name,
        "caption": caption(clip),
        "relation": clip.relation,
        "duration": round(clip.duration, 3),
        "events": [event_record(event) for event in clip.events],
        "narration": [cue_record(cue) for cue in clip.narration],
        "video": asdict(form),
        "questions": questions,
    }


def event_record(event: Event) -> dict[str, Any]:
    """An event as the truth tells it."""
    return {
        "start": round(event.start, 3),
        "end": round(event.end, 3),
        "colour": event.colour,
        "shape": event.shape,
        "action": event.action,
    }


def cue_record(cue: Narration) -> dict[str, Any]:
    """A cue as the truth tells it."""
    return {"start": round(cue.start, 3), "end": round(cue.end, 3), "text": cue.text}


def _caption_item(record: dict[str, Any]) -> dict[str, str]:
    return {"image_id": record["id"], "caption": record["caption"]}


def _questions(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in record["questions"]:
        yield {
            "video_id": record["id"],
            "q": item["question"],
            "a": item["answer"],
            "length": record["duration"],
            "family": item["family"],
        }


def _make_shard(folder: Path, plan: ShapesPlan, shard: int) -> tuple[str, bool]:
    """Write one WebDataset tar of single frames and what they show."""
    name = f"{shard:05d}.tar"
    path = folder / name
    if path.exists():
        return name, True
    partial_path = path.with_suffix(".tar.part")
    first = shard * IMAGES_PER_SHARD
    with (
        partial_path.open("wb") as file,
        webdataset.TarWriter(file, mtime=0.0, user="", group="") as tar,
    ):
        for index in range(first, min(first + IMAGES_PER_SHARD, plan.images)):
            picture, text = _draw_image(plan, index)
            buffer = BytesIO()
            Image.fromarray(picture).save(buffer, "JPEG", quality=88)
            tar.write(
                {"__key__": f"{index:08d}", "jpg": buffer.getvalue(), "json": {"caption": text}}
            )
    partial_path.replace(path)
    return name, False


def _draw_image(plan: ShapesPlan, index: int) -> tuple[np.ndarray, str]:
    """One moment of a clip of its own, at which something is to be seen, and its caption."""
    rng = np.random.default_rng([plan.seed, SPLITS.index(plan.split), _IMAGE, index])
    shown: list[str] = []
    while not shown:
        clip = sample_clip(rng, narration=0.0)
        moment = float(rng.uniform(0, clip.duration))
        shown = [f"a {event.name}" for event in clip.events if event.state(moment)]
    height = int(rng.integers(plan.min_height, plan.max_height + 1))
    painter = Painter(clip, sample_look(rng, clip), round(height * clip.aspect), height, rng)
    text = " and ".join(shown)
    return painter.frame(moment), f"{text[0].upper()}{text[1:]}."


def claim(out: Path, wanted: dict[str, Any]) -> None:
    """Write a plan into a new folder, or see that it is the one already there.

    Raises:
        AnnotationError: If the folder holds something else.
    """
    path = out / PLAN_FILE
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != wanted:
            keys = {*found, *wanted}
            changed = ", ".join(sorted(k for k in keys if found.get(k) != wanted.get(k)))
            raise AnnotationError(
                f"{out} holds Shapes World made with another {changed}.",
                hint="Name a new folder with --out, or repeat the earlier settings.",
            )
        return
    if out.exists() and any(out.iterdir()):
        raise AnnotationError(
            f"{out} is not empty and holds no Shapes World.", hint="Name a new folder with --out."
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, wanted)


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that the file is whole or not there."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)


def read_timeline(out: Path) -> Sequence[dict[str, Any]]:
    """The truth about each clip of a folder that ``write_shapes`` made."""
    lines = (out / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
