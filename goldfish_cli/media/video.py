"""Open a video: ``probe`` says what it is, ``read_frames`` and ``iter_frames`` give its frames.

A video is any file that PyAV or decord can decode, an image, an animated image, or a folder of
frames. Times are presentation times in seconds on the file's own clock: a film whose clock begins
at 5 s has its first frame at 5.0. Frames are upright RGB. What is odd about a file stands in
``VideoInfo.notes``; what goes wrong later, while frames are read, is appended to the list that a
caller may pass as ``notes``. Nothing here reads without a time limit, or holds more than the frames
asked for.
"""

import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from typing import Literal, TypeVar

from goldfish_cli.errors import VideoError
from goldfish_cli.media.engine import DecodeError, Engine
from goldfish_cli.media.engine_av import AvEngine
from goldfish_cli.media.engine_decord import DecordEngine
from goldfish_cli.media.identity import media_hash
from goldfish_cli.media.stills import StillsEngine, is_still
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import Frame, Image, Look, StreamInfo, VideoInfo

__all__ = [
    "Decoder",
    "Frame",
    "Image",
    "StreamInfo",
    "VideoInfo",
    "frame_times",
    "iter_frames",
    "media_hash",
    "probe",
    "read_frames",
]

FRAMES_A_LOOK = 4
"""From so many frames between two looks on, one just before will do: it is near enough."""

Decoder = Literal["auto", "av", "decord"]
"""``auto``: PyAV, then decord where PyAV cannot read the file, which is noted."""

ResultT = TypeVar("ResultT")


def probe(path: Path, *, decoder: Decoder = "auto", timeout_s: float = 60.0) -> VideoInfo:
    """Find out what a video is, reading its header, its first picture and its last packets.

    Args:
        path: A file, or a folder of frames.
        decoder: Which engine to use.
        timeout_s: Seconds after which to give up.

    Raises:
        VideoError: If it is missing, empty, damaged, or holds no pictures.
    """
    _check_readable(path)
    limit = TimeLimit(timeout_s, path)
    notes: list[str] = []
    info = _with_engines(path, decoder, limit, notes, lambda engine: engine.probe(path, limit))
    return replace(info, notes=(*notes, *info.notes)) if notes else info


def read_frames(
    path: Path,
    times: Sequence[float],
    *,
    decoder: Decoder = "auto",
    size: tuple[int, int] | None = None,
    only_keyframes: bool = False,
    prepare: Callable[[Image], Image] | None = None,
    timeout_s: float = 120.0,
    notes: list[str] | None = None,
) -> list[Frame]:
    """Fetch the frame on screen at each of some times.

    The first frame stands for times before it, the last for times after the end.

    Args:
        path: A file, or a folder of frames.
        times: Seconds on the file's own clock, in any order.
        decoder: Which engine to use.
        size: Width and height to scale to; ``None`` keeps the full picture.
        only_keyframes: Give the last keyframe before each time instead: several times cheaper.
        prepare: Applied to each picture as it comes, so that only what it returns is held: a
            model's own resizing, say. The full pictures of 45 frames of 4K would take 1.1 GB.
        timeout_s: Seconds after which to give up, all frames together.
        notes: Receives what went wrong and was worked around.

    Returns:
        One frame for each time, in the order asked; ``Frame.time`` is the frame's own.

    Raises:
        VideoError: If no frame can be read, or time runs out.
        ValueError: If a time is not finite, or the size not positive.
    """
    _check_request(times, size)
    _check_readable(path)
    notes = [] if notes is None else notes
    limit = TimeLimit(timeout_s, path)
    order = sorted(range(len(times)), key=lambda i: times[i])

    def read(engine: Engine) -> list[Frame]:
        found: list[str] = []
        frames = engine.frames_at(
            path,
            [times[i] for i in order],
            size=size,
            only_keyframes=only_keyframes,
            dense=False,
            limit=limit,
            notes=found,
        )
        if prepare is not None:
            frames = _prepared(frames, prepare)
        in_order = dict(zip(order, frames, strict=True))
        notes.extend(found)
        return [in_order[i] for i in range(len(times))]

    return _with_engines(path, decoder, limit, notes, read) if times else []


def iter_frames(
    path: Path,
    *,
    fps: float,
    start: float | None = None,
    end: float | None = None,
    decoder: Decoder = "auto",
    size: tuple[int, int] | None = None,
    timeout_s: float = 60.0,
    info: VideoInfo | None = None,
    notes: list[str] | None = None,
) -> Iterator[Frame]:
    """Walk through a video at a steady rate: the frame on screen at ``start``, then each 1/fps s.

    Where the video has fewer frames than are asked for, they repeat.

    Args:
        path: A file, or a folder of frames.
        fps: Frames a second.
        start: First time, in seconds on the file's own clock; ``None`` is its first frame.
        end: Time to stop before; ``None`` is the end of the film.
        decoder: Which engine to use.
        size: Width and height to scale to; ``None`` keeps the full picture.
        timeout_s: Seconds that any one frame may take; what the caller does between is not counted.
        info: What ``probe`` said, if it was asked already.
        notes: Receives what went wrong and was worked around.

    Raises:
        VideoError: If no frame can be read, or time runs out.
        ValueError: If the rate or the size is not positive.
    """
    if not (isfinite(fps) and fps > 0):
        raise ValueError(f"fps is {fps}; it must be positive.")
    info = info or probe(path, decoder=decoder, timeout_s=timeout_s)
    first = info.start if start is None else max(start, info.start)
    stop = info.end if end is None else min(end, info.end)
    times = [first + i / fps for i in range(max(1, ceil((stop - first) * fps - 1e-6)))]
    _check_request(times, size)
    limit = TimeLimit(timeout_s, path)
    notes = [] if notes is None else notes
    dense = info.frame_rate is None or fps * 3 > info.frame_rate

    def begin(engine: Engine) -> tuple[Frame | None, Iterator[Frame]]:
        frames = engine.frames_at(
            path,
            times,
            size=size,
            only_keyframes=False,
            dense=dense,
            limit=limit,
            notes=notes,
        )
        return next(frames, None), frames

    frame, frames = _with_engines(path, decoder, limit, notes, begin)
    while frame is not None:
        yield frame
        limit.restart()
        frame = next(frames, None)


def iter_looks(
    path: Path,
    *,
    fps: float,
    width: int,
    decoder: Decoder = "auto",
    timeout_s: float = 60.0,
    info: VideoInfo | None = None,
    notes: list[str] | None = None,
) -> Iterator[Look]:
    """Walk through a whole video at about ``fps`` looks a second, as cheaply as it can be done.

    Each picture comes once. Of a film of many frames a second it need not be the very one on screen
    at a multiple of 1/fps seconds, but one just before; it tells its own time.

    Args:
        path: A file, or a folder of frames.
        fps: Looks a second.
        width: Of the small pictures, in pixels, at most.
        decoder: Which engine to use.
        timeout_s: Seconds that any one look may take; what the caller does between is not counted.
        info: What ``probe`` said, if it was asked already.
        notes: Receives what went wrong and was worked around.

    Raises:
        VideoError: If no frame can be read, or time runs out.
    """
    info = info or probe(path, decoder=decoder, timeout_s=timeout_s)
    times = [info.start + i / fps for i in range(max(1, ceil(info.duration * fps - 1e-6)))]
    loosely = info.frame_rate is not None and info.frame_rate >= FRAMES_A_LOOK * fps
    limit = TimeLimit(timeout_s, path)
    notes = [] if notes is None else notes

    def begin(engine: Engine) -> tuple[Look | None, Iterator[Look]]:
        if isinstance(engine, AvEngine):
            looks = engine.looks_at(
                path, times, width=width, loosely=loosely, limit=limit, notes=notes
            )
        else:
            frames = engine.frames_at(
                path,
                times,
                size=None,
                only_keyframes=False,
                dense=True,
                limit=limit,
                notes=notes,
            )
            looks = _as_looks(frames)
        return next(looks, None), looks

    look, looks = _with_engines(path, decoder, limit, notes, begin)
    while look is not None:
        yield look
        limit.restart()
        look = next(looks, None)


def _as_looks(frames: Iterator[Frame]) -> Iterator[Look]:
    time = None
    for frame in frames:
        if frame.time != time:
            yield Look(frame.time, frame.image, partial(_image_of, frame))
        time = frame.time


def _image_of(frame: Frame) -> Image:
    return frame.image


def frame_times(path: Path, *, decoder: Decoder = "auto", timeout_s: float = 120.0) -> list[float]:
    """Presentation times of all frames, ascending, from the packets alone.

    Raises:
        VideoError: If the file cannot be read, or gives its frames no times.
    """
    _check_readable(path)
    limit = TimeLimit(timeout_s, path)
    return _with_engines(path, decoder, limit, [], lambda engine: engine.frame_times(path, limit))


def _prepared(frames: Iterator[Frame], prepare: Callable[[Image], Image]) -> Iterator[Frame]:
    """Each frame with its picture prepared; a frame that repeats is prepared once."""
    before: Frame | None = None
    after: Frame | None = None
    for frame in frames:
        if after is None or frame is not before:
            before, after = frame, replace(frame, image=prepare(frame.image))
        yield after


def _with_engines(
    path: Path,
    decoder: Decoder,
    limit: TimeLimit,
    notes: list[str],
    work: Callable[[Engine], ResultT],
) -> ResultT:
    """Do the work with the first engine that can."""
    first, *others = _engines(path, decoder)
    try:
        return work(first)
    except DecodeError as error:
        for engine in others:
            limit.check()
            try:
                result = work(engine)
            except VideoError:
                continue  # the first engine's reason is the one to report
            notes.append(f"Read with {engine.name}, since {first.name} could not ({error}).")
            return result
        raise


def _engines(path: Path, decoder: Decoder) -> list[Engine]:
    if is_still(path):
        return [StillsEngine()]
    if decoder == "av":
        return [AvEngine()]
    if decoder == "decord":
        return [DecordEngine()]
    return [AvEngine(), DecordEngine()]


def _check_readable(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise VideoError(
            f"{path} cannot be opened: {(error.strerror or str(error)).lower()}.",
            hint="Check the path; a name with spaces needs quotes.",
        ) from error
    except ValueError as error:  # a null byte in the name
        raise VideoError(f"{path!r} is no file name.", hint="Check the path.") from error
    if stat.S_ISDIR(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            f"{path} is not a regular file.", hint="Save the stream to a file, then give that."
        )
    if status.st_size == 0:
        raise VideoError(f"{path.name} is empty.", hint="The download or copy may have failed.")


def _check_request(times: Sequence[float], size: tuple[int, int] | None) -> None:
    if not all(isfinite(time) for time in times):
        raise ValueError("Times must be finite numbers of seconds.")
    if size is not None and min(size) < 1:
        raise ValueError(f"A size of {size[0]}x{size[1]} has no pixels.")
