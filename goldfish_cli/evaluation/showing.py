"""What a model is shown of a video: all of it, or what a control leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from goldfish_cli.backends.base import KeepsFeatures, VideoLanguageModel
from goldfish_cli.data.features import FeatureRecord, FeatureStore, feature_key
from goldfish_cli.errors import SubtitleError, UsageError, VideoError
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.predictions import Condition
from goldfish_cli.inference.clip import DEFAULT_FPS, Look, Notify, WatchedClip, inspect
from goldfish_cli.media.sampling import FramePlan, PlanKind, sample_frames
from goldfish_cli.media.subtitles import Subtitles, find_subtitles
from goldfish_cli.media.video import Frame, VideoInfo, media_hash
from goldfish_cli.profiles import Profile

_GREY = 128  # of 255; encoders were trained on pictures whose mean lies near it


@dataclass(frozen=True, slots=True)
class Viewing:
    """How closely a model looks, the same for all questions of a run."""

    num_frames: int | None = None
    """``None``: as many as the profile allows and the model was trained with."""
    sampling: PlanKind | None = None
    """``None``: as the profile says."""
    fps: float | None = None
    subtitles: Literal["auto", "none", "whisper"] | Path = "auto"
    """A path: the folder of the subtitle files."""


class Screen:
    """Shows one video, or one part of it, to a model; opened once for all conditions.

    Args:
        model: Who looks.
        path: The video.
        span: The part that is shown, in seconds from the first frame; ``None``: all.
        viewing: How closely.
        profile: Limits the prompts.
        cue_file: The video's subtitles; ``None``: as ``viewing`` says.
        features: Where the encoder's output of whole videos and moments is kept; ``None``: nowhere.
        cache_dir: Folder where transcripts are kept.
        offline: Fetch no weights for speech recognition.
        notify: Hears what is odd about the file.

    Raises:
        VideoError: If the file cannot be read, or the part lies outside it.
        SubtitleError: If subtitles were asked for which cannot be read or made.
    """

    def __init__(
        self,
        model: VideoLanguageModel,
        path: Path,
        span: tuple[float | None, float | None] | None,
        *,
        viewing: Viewing,
        profile: Profile,
        cue_file: Path | None = None,
        features: FeatureStore | None = None,
        cache_dir: Path | None = None,
        offline: bool = False,
        notify: Notify = lambda _: None,
    ) -> None:
        self._model = model
        self._viewing = viewing
        self._profile = profile
        self._notify = notify
        self._features = features
        self._info = inspect(Look(path))
        self.path = path
        self.media = content_hash(path)
        start, end = span or (None, None)
        source: Literal["auto", "none", "whisper"] | Path = cue_file or (
            "none" if isinstance(viewing.subtitles, Path) else viewing.subtitles
        )
        self.look = Look(
            path,
            start=self._clock(start),
            end=self._clock(end),
            num_frames=viewing.num_frames,
            subtitles=source,
        )
        self._own: list[Frame] = []
        try:
            inspect(self.look)
        except UsageError as error:  # the annotations' times, nobody's options
            raise VideoError(
                str(error), hint="Check that this is the annotations' video"
            ) from error
        self.subtitles: Subtitles = find_subtitles(
            path,
            source,
            info=self._info,
            whisper_model=profile.whisper_model,
            device=profile.device,
            cache_dir=cache_dir,
            offline=offline,
        )

    @property
    def duration(self) -> float:
        """Of the whole video, in seconds."""
        return self._info.duration

    @property
    def plan(self) -> FramePlan:
        """The frames that are looked at."""
        return self._plan(self.look.start, self.look.end)

    @property
    def can_be_heard(self) -> bool:
        """Whether anything is said in the part that is shown."""
        start, end = self.look.start, self.look.end
        return any(
            (start is None or cue.end > start) and (end is None or cue.start < end)
            for cue in self.subtitles.cues
        )

    def facts(self, condition: Condition) -> list[object]:
        """Everything about the video that an answer depends on, as plain values."""
        cues = [asdict(cue) for cue in self.subtitles.cues] if condition != "blind" else []
        seen = [] if condition == "blind" else [self.media, str(self.plan)]
        if self._features is not None and condition in ("full", "moment"):
            seen.append(f"features of {self._features.dtype}")
        return [*seen, hashlib.sha256(json.dumps(cues).encode()).hexdigest()]

    def show(self, condition: Condition, other: Path | None = None) -> WatchedClip:
        """Let the model see what a condition leaves.

        Args:
            condition: ``full`` and ``moment`` show what the span says.
            other: The video whose pictures are shown instead, for ``other video``.

        Raises:
            VideoError: If no frame can be read.
        """
        subtitles = self.subtitles if condition != "blind" else Subtitles()
        look = self.look
        if condition == "blind":
            return WatchedClip(look, self._info, self._model.encode(()), subtitles, 0.0)
        if condition in ("full", "moment"):
            return WatchedClip(look, self._info, self._encoded(), subtitles, 0.0)
        frames = self._shown()
        if condition == "subtitles":
            grey = np.full_like(frames[0].image, _GREY)
            frames = [Frame(frame.time, grey) for frame in frames]
        elif condition == "other video" and other is not None:
            others = self._frames(other, inspect(Look(other)), self._plan(None, None))
            times = [frame.time for frame in frames]
            frames = [
                Frame(time, others[place * len(others) // len(times)].image)
                for place, time in enumerate(times)
            ]
        return WatchedClip(look, self._info, self._model.encode(frames), subtitles, 0.0)

    def _encoded(self) -> Any:
        """The video after the encoder: from the store if it is there, and as it is stored."""
        model, store = self._model, self._features
        if store is None or not isinstance(model, KeepsFeatures):
            return model.encode(self._shown())
        key = feature_key(self.media, repr(self.plan), model.encoder_identity())
        if key not in store:
            video = model.encode(self._shown())
            cues = tuple((cue.start, cue.end, cue.text) for cue in self.subtitles.cues)
            record = FeatureRecord(tuple(video.times), self._info.start, cues)
            store.add(key, model.features_of(video), record)
        return model.restore(store.record(key).times, store.features(key))

    def _shown(self) -> list[Frame]:
        """The video's own frames, decoded once."""
        self._own = self._own or self._frames(self.path, self._info, self.plan)
        return self._own

    def _frames(self, path: Path, info: VideoInfo, plan: FramePlan) -> list[Frame]:
        notes: list[str] = []
        frames = sample_frames(path, plan, info=info, prepare=self._model.shrink, notes=notes)
        for note in dict.fromkeys(notes):
            self._notify(f"{path.name}: {note}")
        return list(frames)

    def _plan(self, start: float | None, end: float | None) -> FramePlan:
        viewing = self._viewing
        kind = viewing.sampling or self._profile.sampling
        return FramePlan(
            kind,
            viewing.num_frames or self._model.num_frames(self._profile),
            fps=viewing.fps or DEFAULT_FPS if kind == "fps" else None,
            start=start,
            end=end,
        )

    def _clock(self, seconds: float | None) -> float | None:
        """The file's own clock, of seconds that annotations count from the first frame."""
        return None if seconds is None else self._info.start + seconds


def span_of(item: EvalItem, *, only_moment: bool) -> tuple[float | None, float | None] | None:
    """The part of its video that a question is put to: all of it, or its own moment."""
    return (item.start, item.end) if only_moment else None


@cache
def content_hash(path: Path) -> str:
    """Hash a video once, however many parts of it are shown: a film takes seconds."""
    return media_hash(path)


def readable_paths(paths: Sequence[Path]) -> list[Path]:
    """Those of some videos that open."""
    found = []
    for path in paths:
        try:
            inspect(Look(path))
        except (VideoError, SubtitleError):
            continue
        found.append(path)
    return found
