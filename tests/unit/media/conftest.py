"""Clock videos: grey frames, each as bright as its number tells, so a frame shows its own time."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import pytest

STEP = 3  # brightness from one frame to the next: codecs and colour conversion may be one off
CODECS = {".webm": "libvpx-vp9", ".gif": "gif", ".avi": "mpeg4", ".mpg": "mpeg2video"}


class MakeClock(Protocol):
    """Writes a clock video; frame ``i`` has brightness ``STEP * i`` and a white top left corner."""

    def __call__(
        self,
        path: Path,
        *,
        codec: str | None = None,
        num_frames: int = 75,
        fps: int = 25,
        times: Sequence[float] | None = None,
        size: tuple[int, int] = (64, 48),
        pix_fmt: str = "yuv420p",
        gop: int = 12,
        rotate: int | None = None,
        mirror: bool = False,
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        flags: int = 0,
    ) -> Path: ...


def clock_picture(number: int, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    image = np.full((height, width, 3), STEP * number % 256, dtype=np.uint8)
    image[: height // 4, : width // 4] = 255
    return image


def frame_number(image: np.ndarray) -> int:
    """The number of a clock's frame, from its middle."""
    height, width = image.shape[:2]
    middle = image[height // 2 :: 2, width // 2 :: 2] if min(height, width) > 3 else image
    return round(float(middle.mean()) / STEP)


def write_clock(
    path: Path,
    *,
    codec: str | None = None,
    num_frames: int = 75,
    fps: int = 25,
    times: Sequence[float] | None = None,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    rotate: int | None = None,
    mirror: bool = False,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    flags: int = 0,
) -> Path:
    codec = codec or CODECS.get(path.suffix, "libx264")
    fast: dict[str, Any] = {
        "libx264": {"preset": "ultrafast", "bf": "2", "crf": "8", "x264-params": "threads=1"},
        "libx265": {"preset": "ultrafast", "crf": "10", "x265-params": "log-level=none:pools=none"},
        "libsvtav1": {"preset": "12", "crf": "20", "svtav1-params": "lp=1"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "0"},
    }.get(codec, {"qscale": "2"} if codec != "gif" else {})
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options={**fast, **(options or {})})
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if codec == "gif" else pix_fmt
        stream.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, fps)
        stream.codec_context.flags |= flags
        if rotate is not None or mirror:
            stream.set_display_rotation(rotate or 0, hflip=mirror)
        for i in range(len(times) if times else num_frames):
            frame = av.VideoFrame.from_ndarray(clock_picture(i, size), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts = round(times[i] * 1000) if times else i
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def make_clock() -> MakeClock:
    return write_clock


@pytest.fixture(scope="session")
def number_of() -> Callable[[np.ndarray], int]:
    return frame_number


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s at 25 frames a second: frame ``i`` is shown at ``i / 25``."""
    return write_clock(tmp_path_factory.mktemp("clock") / "clock.mp4")
