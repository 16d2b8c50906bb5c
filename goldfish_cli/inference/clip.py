"""Look at a part of a video once: its frames encoded, its subtitles found, ready for questions."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from goldfish_cli.backends.base import VideoLanguageModel
from goldfish_cli.errors import UsageError
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.subtitles import Subtitles, find_subtitles
from goldfish_cli.media.video import VideoInfo, probe
from goldfish_cli.profiles import Profile

Notify = Callable[[str], None]
"""Takes one sentence that the user should know; the library itself never prints."""

MAX_FRAME_BYTES = 512 * 2**20  # of all decoded frames together; 1080p reaches it at 86 frames


@dataclass(frozen=True, slots=True)
class Look:
    """Which part of which video to look at, and how closely."""

    video: Path
    start: float | None = None
    """Seconds; None: from the beginning."""
    end: float | None = None
    """Seconds; None: to the end."""
    num_frames: int | None = None
    """None: as many as the profile allows and the model was trained with."""
    sampling: Literal["uniform", "fps", "keyframes", "scene", "reference"] | None = None
    """None: as the profile says."""
    fps: float | None = None
    """Frames per second for the ``fps`` sampling."""
    subtitles: Literal["auto", "none", "whisper"] | Path = "auto"
    decoder: Literal["auto", "av", "decord"] = "auto"


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
        VideoError: If the file holds no video that can be read.
    """
    start = 0.0 if look.start is None else look.start
    if start < 0:
        raise UsageError(f"A start of {start:g} s is before the video.", hint="Use 0 or more.")
    if look.end is not None and look.end <= start:
        raise UsageError(
            f"The end at {look.end:g} s is not after the start at {start:g} s.",
            hint="Times are seconds, mm:ss or hh:mm:ss.",
        )
    info = probe(look.video, decoder=look.decoder)
    if start > 0 and start >= info.duration:
        raise UsageError(
            f"The start at {start:g} s is beyond the end: {look.video.name} lasts "
            f"{info.duration:.2f} s.",
            hint=f"Choose a start below {info.duration:.2f}.",
        )
    return info


def watch(
    model: VideoLanguageModel,
    look: Look,
    profile: Profile,
    *,
    info: VideoInfo | None = None,
    offline: bool = False,
    notify: Notify = lambda _: None,
) -> WatchedClip:
    """Decode and encode the frames and find the subtitles, once for all questions.

    Args:
        model: Encodes the frames.
        look: What to look at.
        profile: Says how many frames and subtitle words there may be.
        info: What ``inspect`` returned, to spare opening the file again.
        offline: Fetch no weights for speech recognition.
        notify: Hears what is odd about the file.

    Raises:
        UsageError: If the times lie outside the video.
        VideoError: If no frame can be read.
        SubtitleError: If subtitles were asked for which cannot be read or made.
    """
    began = time.perf_counter()
    info = info or inspect(look)
    plan = FramePlan(
        kind=look.sampling or profile.sampling,
        max_frames=look.num_frames or model.num_frames(profile),
        fps=look.fps,
        start=look.start,
        end=look.end,
    )
    frames = sample_frames(
        look.video,
        plan,
        info=info,
        decoder=look.decoder,
        size=_bounded_size(info.width, info.height, plan.max_frames),
    )
    encoded = model.encode(frames)
    subtitles = find_subtitles(
        look.video, look.subtitles, info=info, whisper_model=profile.whisper_model, offline=offline
    )
    for note in (*info.notes, *subtitles.notes):
        notify(note)
    return WatchedClip(look, info, encoded, subtitles, time.perf_counter() - began)


def _bounded_size(width: int, height: int, num_frames: int) -> tuple[int, int] | None:
    """Shrink frames, keeping their shape, where all of them together would not fit in memory."""
    total = width * height * 3 * num_frames
    if total <= MAX_FRAME_BYTES:
        return None  # the decoder's own pixels: the model's resampling is then the only one
    scale = math.sqrt(MAX_FRAME_BYTES / total)
    return max(1, int(width * scale)), max(1, int(height * scale))
