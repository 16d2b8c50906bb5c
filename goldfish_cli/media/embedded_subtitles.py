"""Read a text subtitle stream out of a video file, without decoding a picture.

Cue times are the packets' own time stamps, on the clock of the video stream.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import av.error
from av.stream import Disposition
from av.subtitles.subtitle import AssSubtitle

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_open import open_container
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.media.subtitle_files import mend_cues
from goldfish_cli.media.subtitle_text import strip_ass_markup
from goldfish_cli.media.time_limit import TimeLimit

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream

    from goldfish_cli.media.video_info import VideoInfo

MAX_CUES = 100_000  # some sixty hours of talk


def read_embedded_subtitles(video: Path, info: VideoInfo, *, timeout_s: float = 120.0) -> Subtitles:
    """Read the first text stream that holds captions.

    Complete streams come before forced ones (foreign parts only), then the default stream, then
    English, then the order in the file. Subtitles stored as pictures cannot be read, which a note
    says. Matroska has no index of subtitles, so the whole file passes by.

    Args:
        video: The file.
        info: What ``probe`` says of it; without subtitle streams the file is not opened.
        timeout_s: After so many seconds what has been read is returned, with a note.
    """
    if not info.subtitles:
        return Subtitles()
    limit = TimeLimit(timeout_s, video)
    notes: list[str] = []
    try:
        with open_container(video, limit) as container:
            for stream in sorted(container.streams.subtitles, key=_preference):
                if not _is_text(stream):
                    notes.append(f"stream {stream.index} holds subtitles as pictures: not readable")
                    continue
                cues, repairs = _read_stream(container, stream, info, limit)
                notes.extend(f"stream {stream.index}: {repair}" for repair in repairs)
                if cues:
                    return Subtitles(
                        tuple(cues), f"stream {stream.index}", stream.language, tuple(notes)
                    )
                notes.append(f"stream {stream.index} holds no captions")
                container.seek(0)
    except VideoError as error:  # the pictures may be readable all the same, by another decoder
        notes.append(f"embedded subtitles cannot be read: {error}")
    return Subtitles(notes=tuple(notes))


def _preference(stream: SubtitleStream) -> tuple[bool, bool, bool, bool, int]:
    return (
        bool(stream.disposition & Disposition.forced),
        bool(stream.disposition & Disposition.hearing_impaired),
        not stream.disposition & Disposition.default,
        stream.language not in ("en", "eng"),
        stream.index,
    )


def _is_text(stream: SubtitleStream) -> bool:
    return stream.codec_context is not None and stream.codec_context.codec.text_sub


def _read_stream(
    container: InputContainer, stream: SubtitleStream, info: VideoInfo, limit: TimeLimit
) -> tuple[list[Cue], list[str]]:
    cues: list[Cue] = []
    stopped: list[str] = []
    damaged = 0
    try:
        for packet in container.demux(stream):
            try:
                cues.extend(_cues_of(packet))
            except av.error.FFmpegError:
                damaged += 1
            if limit.remaining == 0 or len(cues) >= MAX_CUES:
                stopped.append(f"reading stopped after {len(cues)} captions")
                break
    except av.error.FFmpegError as error:
        stopped.append(f"reading stopped after {len(cues)} captions: {error.strerror}")
    mended, repairs = mend_cues(cues, earliest=info.start)
    if damaged:
        repairs.append(f"{damaged} damaged captions left out")
    return mended, repairs + stopped


def _cues_of(packet: Packet[SubtitleStream]) -> list[Cue]:
    """Decode one packet: FFmpeg gives every text format as ASS."""
    if packet.pts is None or packet.time_base is None or not packet.size:
        return []
    start = float(packet.pts * packet.time_base)
    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    texts = [
        strip_ass_markup(subtitle.dialogue.decode("utf-8", errors="replace"))
        for subtitle in packet.decode()
        if isinstance(subtitle, AssSubtitle)
    ]
    return [Cue(start, end, text) for text in texts]
