"""Score answers about Shapes World: exact match by family, with the frames and without."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.backends.base import GenerationSettings, Turn
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.canonical import normalise
from goldfish_cli.media.alignment import align_cues
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.subtitles import find_subtitles
from goldfish_cli.media.video import probe

ORDER = ("colour", "shape", "action", "direction", "who", "existence", "first", "last", "order",
         "describe", "count", "narration", "unanswerable")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scored:
    """One question with what was answered."""

    video: str
    family: str
    question: str
    reference: str
    prediction: str

    @property
    def right(self) -> bool:
        """Whether the answer is the canonical one: lower case, no article, no final stop."""
        return normalise(self.prediction) == normalise(self.reference)


def answer_shapes(
    model: NativeModel,
    folder: Path,
    *,
    num_frames: int,
    blind: bool = False,
    limit: int | None = None,
) -> Iterator[Scored]:
    """Answer the questions of a folder that ``goldfish prep shapes`` made, clip after clip.

    Args:
        model: Who answers, greedily.
        folder: Holds ``instructions.json`` and ``videos/``.
        num_frames: Frames looked at in each clip, evenly spread.
        blind: Show no frames, only subtitles: what can be guessed from the question alone.
        limit: The first so many clips; ``None`` for all.

    Raises:
        AnnotationError: If there are no instructions in ``folder``, or a video is missing.
    """
    settings = GenerationSettings(max_new_tokens=64)
    videos = MediaFolder(folder / "videos")
    for video, items in list(_by_video(folder).items())[:limit]:
        path, _ = videos.find(video)
        if path is None:
            raise AnnotationError(f"{folder} holds no video of the name {video}.")
        info = probe(path)
        plan = FramePlan("uniform", num_frames)
        frames = sample_frames(path, plan, info=info)
        times = [frame.time for frame in frames]
        cues = find_subtitles(path, "auto", info=info).cues
        captions = align_cues(cues, times)
        if blind:
            frames, captions = [], []
        encoded = model.encode(frames)
        for item in items:
            turns = [Turn(item["q"])]
            text = "".join(model.stream(encoded, captions, turns, settings)).strip()
            yield Scored(video, item["family"], item["q"], item["a"], text)


def _by_video(folder: Path) -> dict[str, list[dict[str, str]]]:
    path = folder / "instructions.json"
    if not path.is_file():
        raise AnnotationError(
            f"{folder} holds no instructions.json.", hint="Make it with: goldfish prep shapes"
        )
    grouped: dict[str, list[dict[str, str]]] = {}
    for item in json.loads(path.read_text(encoding="utf-8")):
        grouped.setdefault(item["video_id"], []).append(item)
    return grouped


def accuracy(scored: Iterable[Scored]) -> dict[str, tuple[float, int]]:
    """Exact match and number of questions by family, in a fixed order."""
    tally: dict[str, list[bool]] = {family: [] for family in ORDER}
    for one in scored:
        tally.setdefault(one.family, []).append(one.right)
    return {family: (_mean(right), len(right)) for family, right in tally.items() if right}


def _mean(right: list[bool]) -> float:
    return sum(right) / len(right) if right else math.nan
