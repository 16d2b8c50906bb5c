"""Look at a part of a video once: its frames encoded, its subtitles found, ready for questions."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from goldfish_cli.backends.base import VideoLanguageModel
from goldfish_cli.errors import SubtitleError, UsageError
from goldfish_cli.media.sampling import FramePlan, PlanKind, sample_frames
from goldfish_cli.media.subtitles import Subtitles, find_subtitles
from goldfish_cli.media.video import Decoder, VideoInfo, probe
from goldfish_cli.profiles import Profile

Notify = Callable[[str], None]
"""Takes one sentence that the user should know; the library itself never prints."""

DEFAULT_FPS = 1.0  # for the fps sampling


@dataclass(frozen=True, slots=True)
class Look:
    """Which part of which video to look at, and how closely."""

    video: Path
    start: float | None = None
    """Seconds on the file's own clock; None: from the first frame."""
    end: float | None = None
    """Seconds on the file's own clock; None: to the end."""
    num_frames: int | None = None
    """None: as many as the profile allows and the model was trained with."""
    sampling: PlanKind | None = None
    """None: as the profile says."""
    fps: float | None = None
    """Frames a second, for the sampling ``fps``; None: 1."""
    subtitles: Literal["auto", "none", "whisper"] | Path = "auto"
    """Where to look for what is said; a path: this file."""
    decoder: Decoder = "auto"


@dataclass(frozen=True, slots=True)
class WatchedClip:
    """A part of a video after the model has seen it; any number of questions can follow."""

    look: Look
    info: VideoInfo
    encoded: Any
    """The backend's own ``EncodedVideo``."""
    subtitles: Subtitles
    """Of the whole file; only what is said during the look goes into a prompt."""
    seconds: float
    """Time that reading, listening and encoding took."""


def inspect(look: Look) -> VideoInfo:
    """Open the file and check the request against it; costs no model.

    Raises:
        UsageError: If the times are out of order or lie outside the video.
        SubtitleError: If the subtitle file that was named does not exist.
        VideoError: If the file holds no video that can be read.
    """
    start, end = look.start, look.end
    if isinstance(look.subtitles, Path) and not look.subtitles.is_file():
        raise SubtitleError(
            f"There is no subtitle file {look.subtitles}.",
            hint="--subtitles takes auto, none, whisper, or a file such as clip.srt",
        )
    if start is not None and end is not None and start >= end:
        raise UsageError(
            f"The end at {end:g} s is not after the start at {start:g} s.",
            hint="Give times as seconds, mm:ss or hh:mm:ss",
        )
    info = probe(look.video, decoder=look.decoder)
    name = look.video.name or look.video
    if start is not None and start > info.start and start >= info.end:
        raise UsageError(
            f"The start at {start:g} s is beyond the end: {name} lasts {_span(info)}.",
            hint=f"Choose a start before {info.end:.2f}",
        )
    if end is not None and end <= info.start:
        raise UsageError(
            f"The end at {end:g} s is before the first frame: {name} lasts {_span(info)}.",
            hint=f"Choose an end after {info.start:.2f}",
        )
    return info


def watch(
    model: VideoLanguageModel,
    look: Look,
    profile: Profile,
    *,
    info: VideoInfo | None = None,
    cache_dir: Path | None = None,
    offline: bool = False,
    notify: Notify = lambda _: None,
) -> WatchedClip:
    """Decode and encode the frames and find the subtitles, once for all questions.

    Args:
        model: Encodes the frames.
        look: What to look at.
        profile: Says how many frames and subtitle words there may be.
        info: What ``inspect`` returned, to spare opening the file again.
        cache_dir: Folder where transcripts are kept; ``None`` keeps none.
        offline: Fetch no weights for speech recognition.
        notify: Hears what is odd about the file or its subtitles.

    Raises:
        UsageError: If the times lie outside the video.
        VideoError: If no frame can be read.
        SubtitleError: If subtitles were asked for which cannot be read or made.
    """
    began = time.perf_counter()
    info = info or inspect(look)
    kind = look.sampling or profile.sampling
    plan = FramePlan(
        kind,
        max_frames=look.num_frames or model.num_frames(profile),
        fps=look.fps or DEFAULT_FPS if kind == "fps" else None,
        start=look.start,
        end=look.end,
    )
    notes = list(info.notes)
    subtitles = find_subtitles(
        look.video,
        look.subtitles,
        info=info,
        whisper_model=profile.whisper_model,
        device=profile.device,
        cache_dir=cache_dir,
        offline=offline,
    )
    frames = sample_frames(
        look.video,
        plan,
        info=info,
        decoder=look.decoder,
        prepare=model.shrink,
        notes=notes,
    )
    for note in (*notes, *subtitles.notes):
        notify(note)
    encoded = model.encode(frames)
    return WatchedClip(look, info, encoded, subtitles, time.perf_counter() - began)


def _span(info: VideoInfo) -> str:
    if info.start > 0.1:  # many files begin some milliseconds after zero
        return f"from {info.start:.2f} s to {info.end:.2f} s"
    return f"{info.duration:.2f} s"
