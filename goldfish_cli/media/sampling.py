"""Decide which frames of a video to look at, and fetch them; how is not known here.

A plan is a value: it can be printed, stored, hashed and carried out again with the same result.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from goldfish_cli.errors import UsageError, VideoError
from goldfish_cli.media.reference_sampling import reference_times
from goldfish_cli.media.scenes import shot_times
from goldfish_cli.media.video import Decoder, Frame, Image, VideoInfo, probe, read_frames

PlanKind = Literal["uniform", "fps", "keyframes", "scene", "reference"]


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Which frames to look at. See ``docs/formats.md`` for what each kind costs."""

    kind: PlanKind
    """``uniform``: the middle of each of ``max_frames`` equal shares. ``fps``: a steady rate.
    ``keyframes``: as uniform, each moved back to the keyframe before it, which is cheapest.
    ``scene``: shared out among the shots. ``reference``: as MiniGPT4-Video samples."""
    max_frames: int
    fps: float | None = None
    """Frames a second, for ``fps``; a lower rate is taken where that gives too many."""
    start: float | None = None
    """Look only from here, in seconds on the file's own clock; ``None`` is its first frame."""
    end: float | None = None
    """Look only up to here; ``None`` is the end."""

    def __post_init__(self) -> None:
        """Refuse plans that show nothing."""
        if self.max_frames < 1:
            raise UsageError(
                f"A plan of {self.max_frames} frames shows nothing.", hint="Ask for at least 1."
            )
        if self.kind == "fps" and not (self.fps and self.fps > 0):
            raise UsageError(f"The plan fps needs a rate, not {self.fps}.", hint="Try fps=1.")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(
                f"The part from {self.start:g} s to {self.end:g} s is empty.",
                hint="Let the start lie before the end.",
            )

    def __str__(self) -> str:
        """One line, such as ``uniform, 45 frames, from 10 s to 20 s``."""
        words = [self.kind, f"{self.max_frames} frames"]
        if self.kind == "fps":
            words.append(f"{self.fps:g} a second")
        if self.start is not None or self.end is not None:
            start = "the start" if self.start is None else f"{self.start:g} s"
            end = "the end" if self.end is None else f"{self.end:g} s"
            words.append(f"from {start} to {end}")
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON can hold it; ``FramePlan(**plan.to_dict())`` is the same plan."""
        return asdict(self)


def sample_frames(
    path: Path,
    plan: FramePlan,
    *,
    info: VideoInfo | None = None,
    decoder: Decoder = "auto",
    size: tuple[int, int] | None = None,
    prepare: Callable[[Image], Image] | None = None,
    timeout_s: float = 120.0,
    notes: list[str] | None = None,
) -> list[Frame]:
    """Carry out a plan.

    Args:
        path: A file, or a folder of frames.
        plan: Which frames.
        info: What ``probe`` said, if it was asked already.
        decoder: Which engine to use.
        size: Width and height to scale to; ``None`` keeps the full picture.
        prepare: Applied to each picture as it comes, so that only what it returns is held.
        timeout_s: Seconds after which to give up; a scene plan may take as long to find the shots.
        notes: Receives what went wrong and was worked around.

    Returns:
        At most ``plan.max_frames`` different frames, ascending in time, at least one.

    Raises:
        VideoError: If the video cannot be read, or lies wholly outside the plan's part.
    """
    info = info or probe(path, decoder=decoder, timeout_s=timeout_s)
    start, end = _part(plan, info)
    times = _times(path, plan, info, start, end, decoder, timeout_s)
    frames = read_frames(
        path,
        times,
        decoder=decoder,
        size=size,
        only_keyframes=plan.kind == "keyframes",
        prepare=prepare,
        timeout_s=timeout_s,
        notes=notes,
    )
    return _different(frames)


def uniform_times(start: float, end: float, count: int) -> list[float]:
    """The middle of each of ``count`` equal shares, so the end is seen as well as the start."""
    share = (end - start) / count
    return [start + (i + 0.5) * share for i in range(count)]


def fps_times(start: float, end: float, fps: float, max_frames: int) -> list[float]:
    """Every 1/fps seconds from ``start``; fewer, spread to the end, if that is too many."""
    count = max(1, int((end - start) * fps + 1e-6))
    if count > max_frames:
        return uniform_times(start, end, max_frames)
    return [start + i / fps for i in range(count)]


def _times(
    path: Path,
    plan: FramePlan,
    info: VideoInfo,
    start: float,
    end: float,
    decoder: Decoder,
    timeout_s: float,
) -> Sequence[float]:
    if plan.kind == "fps" and plan.fps is not None:
        return fps_times(start, end, plan.fps, plan.max_frames)
    if plan.kind == "reference":
        return reference_times(path, info, start, end, plan.max_frames, decoder, timeout_s)
    if plan.kind == "scene":
        return shot_times(path, info, start, end, plan.max_frames, decoder, timeout_s)
    return uniform_times(start, end, plan.max_frames)


def _part(plan: FramePlan, info: VideoInfo) -> tuple[float, float]:
    """The part of the film that the plan looks at, cut to what there is."""
    start = info.start if plan.start is None else max(plan.start, info.start)
    end = info.end if plan.end is None else min(plan.end, info.end)
    if start > info.end or end < info.start or start > end:
        raise VideoError(
            f"{info.path.name} runs from {info.start:.2f} s to {info.end:.2f} s; "
            f"nothing of it lies in the part asked for ({plan}).",
            hint="Choose a start and an end within the film.",
        )
    return start, end


def _different(frames: Sequence[Frame]) -> list[Frame]:
    """Each frame once, where a video has fewer than were asked for."""
    kept: list[Frame] = []
    for frame in frames:
        if not kept or frame.time != kept[-1].time:
            kept.append(frame)
    return kept
