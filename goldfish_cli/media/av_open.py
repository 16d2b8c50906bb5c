"""Open a file with PyAV and find its film: refuse what is no video, choose among streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import av
import av.container
import av.error
from av.stream import Disposition
from av.video.stream import VideoStream

from goldfish_cli.errors import VideoError
from goldfish_cli.media.engine import DecodeError
from goldfish_cli.media.time_limit import TimeLimit

Threading = Literal["SLICE", "AUTO"]

# Demuxers that make pictures of plain text, or that follow the addresses written in a file.
NOT_VIDEO = frozenset({"tty", "concat", "hls", "dash", "sdp", "rtsp", "imf", "lavfi"})
# Of animations each picture builds on the canvas left by all before it, whatever the flags say; an
# MPEG program stream gives times to few pictures, and the others' differ after a seek.
ONLY_IN_ORDER = frozenset({"gif", "apng", "mpeg"})
MAX_PIXELS = 8192 * 8192  # one such picture takes 200 MB as RGB
# Streams whose pictures stand beside the film: cover art, previews of chapters.
BESIDE_THE_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@contextmanager
def open_container(path: Path, limit: TimeLimit) -> Iterator[av.container.InputContainer]:
    """Open ``path`` for reading and close it again.

    Raises:
        VideoError: If PyAV cannot make sense of the file.
    """
    # An absolute path cannot be taken for a URL ("a:b.mp4") or an option ("-x.mp4").
    source = str(path.absolute())
    seconds = max(0.01, limit.remaining)
    try:
        container = av.open(
            source,
            "r",
            metadata_errors="ignore",
            timeout=(seconds, seconds),
            options={"protocol_whitelist": "file"},
        )
    except (av.error.FFmpegError, ValueError) as error:
        limit.check()
        raise unreadable(path, error) from error
    try:
        if NOT_VIDEO & set(container.format.name.split(",")):
            raise VideoError(
                f"{path.name} is text or a playlist, not a video.",
                hint="Give the video file itself.",
            )
        yield container
    finally:
        container.close()


def unreadable(path: Path, error: Exception) -> DecodeError:
    """The error for a file that is not understood."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DecodeError(
        f"{path.name} cannot be read as a video: {reason.strip().rstrip('.').lower()}.",
        hint="It may be damaged, incomplete or of another type; try whether a player opens it.",
    )


def can_seek(container: av.container.InputContainer) -> bool:
    """Whether a seek finds the same pictures at the same times as reading in order does."""
    return not ONLY_IN_ORDER & set(container.format.name.split(","))


def no_picture(path: Path) -> DecodeError:
    """The error for a film of which not one picture comes out."""
    return DecodeError(
        f"Not one picture of {path.name} can be decoded.",
        hint="The file may be damaged, or its codec unknown to this build of FFmpeg.",
    )


def film_streams(container: av.container.InputContainer) -> list[VideoStream]:
    """The video streams that are films, not pictures beside one."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & BESIDE_THE_FILM
    ]


def choose_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    """The default video stream; the largest where none or several are marked so.

    Raises:
        VideoError: If there is none, or only such as no memory should be spent on.
    """
    films = film_streams(container)
    if not films:
        kinds = sorted({str(stream.type) for stream in container.streams})
        content = f" (only {', '.join(kinds)})" if kinds else ""
        raise VideoError(
            f"{path.name} has no video stream{content}.", hint="Give a file with moving pictures."
        )
    films = [film for film in films if (film.width or 0) * (film.height or 0) <= MAX_PIXELS]
    if not films:
        raise VideoError(
            f"The pictures of {path.name} are too large to decode safely.",
            hint=f"Scale it down; the limit is {MAX_PIXELS // 10**6} million pixels a picture.",
        )
    default = [stream for stream in films if stream.disposition & Disposition.default]
    return max(default or films, key=lambda stream: (stream.width or 0) * (stream.height or 0))


def set_threads(stream: VideoStream, threading: Threading) -> None:
    """Choose how a picture is shared among cores, before the first is decoded.

    ``SLICE`` has no delay, so nothing is decoded in vain around a seek; ``AUTO`` runs several
    pictures at once and is faster where nearly all of them are wanted.
    """
    stream.thread_type = threading
