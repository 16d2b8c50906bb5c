"""What PyAV can tell of a file without decoding more than its first picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av.container
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_open import choose_stream, film_streams, open_container, set_threads
from goldfish_cli.media.av_pictures import orientation
from goldfish_cli.media.av_timeline import read_timeline
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import StreamInfo, VideoInfo


def probe_with_av(path: Path, limit: TimeLimit) -> VideoInfo:
    """Read header, first picture and last packets of a file.

    Raises:
        VideoError: If the file holds no film, or not one picture of it can be decoded.
    """
    with open_container(path, limit) as container:
        stream = choose_stream(container, path)
        set_threads(stream, "SLICE")
        timeline = read_timeline(container, stream, path, limit)
        first = timeline.first_picture
        upright = orientation(first)
        width, height = first.width, first.height
        return VideoInfo(
            path=path,
            container=_container_name(container, path),
            codec=stream.codec_context.codec.canonical_name,
            width=height if upright.swap_axes else width,
            height=width if upright.swap_axes else height,
            rotation=upright.clockwise,
            frame_rate=timeline.frame_rate,
            variable_rate=timeline.variable_rate,
            start=timeline.start,
            duration=timeline.duration,
            duration_source=timeline.duration_source,
            stated_duration=timeline.stated_duration,
            num_frames=timeline.num_frames,
            audio=stream_infos(container.streams.audio, "audio"),
            subtitles=stream_infos(container.streams.subtitles, "subtitle"),
            notes=(*timeline.notes, *_oddities(container, stream, first)),
        )


@dataclass(frozen=True, slots=True)
class Description:
    """What a header says, for an engine that cannot tell."""

    container: str
    codec: str
    rotation: int
    start: float
    audio: tuple[StreamInfo, ...]
    subtitles: tuple[StreamInfo, ...]


def describe_streams(path: Path, limit: TimeLimit) -> Description:
    """Read what can be read of a header; a file that PyAV cannot open leaves it unknown."""
    try:
        info = probe_with_av(path, limit)
    except VideoError:
        limit.check()
        return Description("unknown", "unknown", 0, 0.0, (), ())
    streams = info.audio, info.subtitles
    return Description(info.container, info.codec, info.rotation, info.start, *streams)


def stated_length(path: Path, limit: TimeLimit) -> tuple[float, float]:
    """Duration and rate as FFmpeg prints them of a file, which others reckon with.

    Returns:
        Seconds in hundredths, and the frames a second that it calls ``tbr``.

    Raises:
        VideoError: If PyAV cannot open the file.
    """
    with open_container(path, limit) as container:
        stream = choose_stream(container, path)
        hundredths = ((container.duration or 0) * 100 + av.time_base // 2) // av.time_base
        return hundredths / 100, float(stream.base_rate or stream.guessed_rate or 25)


def stream_infos(
    streams: Sequence[Stream], kind: Literal["video", "audio", "subtitle"]
) -> tuple[StreamInfo, ...]:
    """Describe the streams of one kind."""
    return tuple(
        StreamInfo(
            index=stream.index,
            kind=kind,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context else "unknown",
            language=stream.language or None,
            default=bool(stream.disposition & Disposition.default),
            title=stream.metadata.get("title"),
        )
        for stream in streams
    )


def _container_name(container: av.container.InputContainer, path: Path) -> str:
    """One name out of FFmpeg's list of those that share a demuxer."""
    names = container.format.name.split(",")
    suffix = path.suffix.lower().lstrip(".")
    return suffix if suffix in names else names[0]


def _oddities(
    container: av.container.InputContainer, stream: VideoStream, first: VideoFrame
) -> list[str]:
    notes = []
    films = film_streams(container)
    if len(films) > 1:
        notes.append(
            f"The file holds {len(films)} films; stream {stream.index} "
            f"({stream.width}x{stream.height}) is used."
        )
    upright = orientation(first)
    if upright.clockwise:
        notes.append(f"Stored pictures are turned {upright.clockwise} degrees clockwise.")
    if first.interlaced_frame:
        notes.append("The film is interlaced; both fields of a picture are shown together.")
    bits = max((part.bits for part in first.format.components), default=8)
    if bits > 8:
        notes.append(f"Colours have {bits} bits, of which 8 are used.")
    aspect = stream.sample_aspect_ratio
    if aspect and abs(aspect - 1) > Fraction(1, 50):
        notes.append(f"Pixels are {aspect.numerator}:{aspect.denominator}, not square.")
    return notes
