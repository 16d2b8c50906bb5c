"""Turn a drawn clip into a video file, in the codecs, sizes and rates that real files come in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from goldfish_cli.data.shapes.render import Painter
from goldfish_cli.data.shapes.world import Clip

CODECS = {"libx264": 0.6, "mpeg4": 0.2, "libx265": 0.1, "libvpx-vp9": 0.1}
"""Encoders and how often each is used; all of them fit an mp4."""


BLOCK = 16
"""Sizes are multiples of it: what codecs work in. (x264 still varies a few bytes between runs.)"""
_SUBTITLE_STYLE = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n"
    b"[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize\r\n"
    b"Style: Default,Arial,16\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Text\r\n"
)
"""FFmpeg's text encoder wants an ASS header before it opens."""


RATES = {8: 0.2, 10: 0.2, 12: 0.2, 15: 0.15, 20: 0.1, 24: 0.05, 25: 0.05, 30: 0.05}
"""Frames a second and how often each is used."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """The container's side of a clip."""

    width: int
    height: int
    fps: int
    codec: str
    quality: int
    """The encoder's quantiser: higher is coarser."""
    keyframe_every: int
    embedded_subtitles: bool


def sample_format(
    rng: np.random.Generator, clip: Clip, *, min_height: int, max_height: int
) -> VideoFormat:
    """Draw a size, rate and codec; a multiple of ``BLOCK`` must lie within the heights."""
    height = BLOCK * int(rng.integers(-(-min_height // BLOCK), max_height // BLOCK + 1))
    codec = str(rng.choice(list(CODECS), p=list(CODECS.values())))
    coarse = {"libx264": (16, 36), "libx265": (16, 34), "libvpx-vp9": (20, 48), "mpeg4": (2, 14)}
    return VideoFormat(
        width=BLOCK * round(height * clip.aspect / BLOCK),
        height=height,
        fps=int(rng.choice(list(RATES), p=list(RATES.values()))),
        codec=codec,
        quality=int(rng.integers(*coarse[codec])),
        keyframe_every=int(rng.choice((12, 30, 60, 250))),
        embedded_subtitles=bool(clip.narration) and bool(rng.random() < 0.3),
    )


def encode_clip(path: Path, painter: Painter, form: VideoFormat) -> None:
    """Write the clip that ``painter`` draws, with its narration as a text stream if so asked."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(form.codec, rate=form.fps, options=_options(form))
        if not isinstance(stream, VideoStream):
            raise ValueError(f"{form.codec} encodes no video.")
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuv420p"
        stream.gop_size = form.keyframe_every
        stream.thread_count = 1  # clips are drawn side by side already
        texts = container.add_stream("mov_text") if form.embedded_subtitles else None
        if texts:
            texts.codec_context.subtitle_header = _SUBTITLE_STYLE
        for index in range(max(1, round(painter.clip.duration * form.fps))):
            frame = av.VideoFrame.from_ndarray(painter.frame(index / form.fps), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, form.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for cue in painter.clip.narration if texts else ():
            raw = cue.text.encode()
            packet = av.Packet(len(raw).to_bytes(2, "big") + raw)
            packet.stream = texts  # type: ignore[assignment]  # PyAV's stub knows only other kinds
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = round(cue.start * 1000)
            packet.duration = round((cue.end - cue.start) * 1000)
            container.mux(packet)


def _options(form: VideoFormat) -> dict[str, str]:
    quality = str(form.quality)
    if form.codec == "mpeg4":
        return {"qmin": quality, "qmax": quality}
    if form.codec == "libvpx-vp9":
        return {"crf": quality, "b": "0", "deadline": "realtime", "cpu-used": "8"}
    options = {"crf": quality, "preset": "ultrafast" if form.codec == "libx265" else "veryfast"}
    if form.codec == "libx265":
        options["x265-params"] = "log-level=none:pools=1:frame-threads=1"
    return options
