"""Copy the streams of a video into an mp4, bit by bit: nothing is decoded, nothing is lost."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_open import BESIDE_THE_FILM, open_container
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video import frame_times, probe, read_frames
from goldfish_cli.media.video_info import VideoInfo

MP4_CONTAINERS = frozenset({"mov", "mp4", "m4a", "3gp", "3g2", "mj2"})  # one demuxer reads them
_TOLERANCE = 0.0015  # seconds: Matroska counts in milliseconds


class StreamCopyError(VideoError):
    """A video whose streams an mp4 cannot hold as they are."""


def mp4_obstacle(path: Path, *, timeout_s: float = 60.0) -> str:
    """Tell from its header what of a video an mp4 could not hold; ``""``: nothing.

    Raises:
        VideoError: If it cannot be opened.
    """
    with open_container(path, TimeLimit(timeout_s, path)) as container:
        return _obstacle(container)


def copy_to_mp4(source: Path, target: Path, *, timeout_s: float = 600.0) -> tuple[str, ...]:
    """Write the film, its sound and its subtitles into a new mp4, and compare it with the source.

    Args:
        source: A video of any container.
        target: The new file; removed again if anything fails.
        timeout_s: Seconds after which to give up.

    Returns:
        What was left out: cover pictures, fonts, data streams.

    Raises:
        StreamCopyError: If mp4 cannot hold a stream, or the result differs: in the number or times
            of its pictures, its size, rotation or sound, or in one of three pictures.
        VideoError: If the source cannot be read.
        OSError: If the target cannot be written.
    """
    limit = TimeLimit(timeout_s, source)
    try:
        with open_container(source, limit) as container:
            if obstacle := _obstacle(container):
                raise StreamCopyError(f"{source.name} does not fit into mp4: {obstacle}.")
            left_out = _copy_packets(container, target, limit)
        _compare(source, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return left_out


def _obstacle(container: InputContainer) -> str:
    for stream in _wanted_streams(container):
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if name not in _codecs_of_mp4():
            return f"mp4 does not hold {name}"
        if stream.metadata.get("alpha_mode") == "1":
            return "mp4 does not hold its transparency"
    return ""


@lru_cache(maxsize=1)
def _codecs_of_mp4() -> frozenset[str]:
    """The codecs that this build of FFmpeg writes into an mp4."""
    with TemporaryDirectory() as folder, av.open(str(Path(folder) / "a.mp4"), "w") as container:
        return frozenset(container.supported_codecs)


def _wanted_streams(container: InputContainer) -> list[Stream]:
    kinds = ("video", "audio", "subtitle")
    return [
        stream
        for stream in container.streams
        if stream.type in kinds and not stream.disposition & BESIDE_THE_FILM
    ]


def _copy_packets(container: InputContainer, target: Path, limit: TimeLimit) -> tuple[str, ...]:
    wanted = _wanted_streams(container)
    left_out = sorted({str(s.type) for s in container.streams if s not in wanted})
    # bitexact: neither time nor version of FFmpeg, so the same source gives the same bytes.
    with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        copies = {}
        for stream in wanted:
            copy = output.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(stream.metadata)
            copy.disposition = Disposition(stream.disposition)
            copies[stream.index] = copy
        try:
            for packet in container.demux(wanted):
                limit.check()
                if packet.size and not packet.is_corrupt:
                    packet.stream = copies[packet.stream_index]
                    output.mux(packet)
        except (av.error.FFmpegError, ValueError) as error:
            limit.check()
            if isinstance(error, OSError):  # the disk is at fault, not the streams
                raise
            raise StreamCopyError(f"{target.name} cannot be written as mp4: {error}.") from error
    return tuple(left_out)


def _compare(source: Path, target: Path) -> None:
    """Hold the copy against its source.

    Raises:
        StreamCopyError: If it differs.
    """
    before, after = _features(probe(source)), _features(probe(target))
    if before != after:
        raise StreamCopyError(f"As mp4 {source.name} would be {after}, not {before}.")
    was, now = frame_times(source), frame_times(target)
    if len(was) != len(now):
        raise StreamCopyError(f"As mp4 {source.name} would have {len(now)} of {len(was)} pictures.")
    shift = max(abs(a - b) for a, b in zip(was, now, strict=True))
    if shift > _TOLERANCE:
        raise StreamCopyError(f"As mp4 the pictures of {source.name} would shift by {shift:.3f} s.")
    for time in (was[0], was[len(was) // 2], was[-1]):
        picture, copied = (read_frames(path, [time])[0].image for path in (source, target))
        if not np.array_equal(picture, copied):
            raise StreamCopyError(f"As mp4 {source.name} would look different at {time:.3f} s.")


def _features(info: VideoInfo) -> dict[str, object]:
    return {
        "codec": info.codec,
        "size": (info.width, info.height),
        "rotation": info.rotation,
        "sound": len(info.audio),
        "subtitles": len(info.subtitles),
    }
