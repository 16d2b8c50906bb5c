"""Small real videos, and folders of them, for the tests of ``goldfish prep``."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.subtitles.subtitle import SubtitleSet

CODECS = {".mkv": "libx264", ".webm": "libvpx", ".gif": "gif"}


def write_clip(path: Path, *, seed: int = 0, num_frames: int = 8, subtitles: bool = False) -> Path:
    """Write a video of noise; clips of different seeds look different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    kind = "matroska" if path.suffix == ".mkv" else None
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(CODECS.get(path.suffix, "mpeg4"), rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb8" if path.suffix == ".gif" else "yuv420p"
        captions = _add_captions(container) if subtitles else []
        for _ in range(num_frames):
            pixels = noise.integers(0, 256, (32, 32, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(captions)
        container.mux(stream.encode())
    return path


def _add_captions(container: Any) -> list[Any]:
    """Add a stream of text, and return what it says."""
    stream = container.add_stream("subrip")
    stream.codec_context.time_base = Fraction(1, 1000)
    stream.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n[Events]\n"
    words = SubtitleSet.create(b"0,0,Default,,0,0,0,,hello", 0, 500)
    packet = stream.codec_context.encode_subtitle(words)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = 0
    packet.duration = 500
    return [packet]


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of each file of a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_rows(path: Path, rows: list[Any]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_rows(path: Path) -> list[Any]:
    """Read JSON or JSON lines; nothing where there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)  # type: ignore[no-any-return]
    return [json.loads(line) for line in text.split("\n") if line]
