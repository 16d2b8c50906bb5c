"""Thumbnails: small, of the right moment, and silent about broken files."""

from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from goldfish_cli.evaluation.report.thumbnail import SIZE, thumbnail


@pytest.fixture(scope="module")
def brightening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of 640 x 480, from black to nearly white; its clock begins at 5 s."""
    path = tmp_path_factory.mktemp("video") / "brightening.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(30):
            grey = np.full((480, 640, 3), 8 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = number + 50
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def brightness(jpeg: bytes | None) -> float:
    assert jpeg is not None
    return float(np.asarray(Image.open(BytesIO(jpeg))).mean())


@pytest.mark.parametrize(
    ("at", "frame"),
    [(0.0, 0), (2.05, 20), (None, 15), (float("nan"), 15), (-4.0, 0), (1e9, 29)],
)
def test_a_thumbnail_shows_the_moment_counted_from_the_first_frame(
    brightening: Path, at: float | None, frame: int
) -> None:
    assert brightness(thumbnail(brightening, at)) == pytest.approx(8 * frame, abs=10)


def test_a_thumbnail_is_small_and_keeps_its_shape(brightening: Path) -> None:
    jpeg = thumbnail(brightening, None)
    assert jpeg is not None
    assert len(jpeg) < 20_000
    picture = Image.open(BytesIO(jpeg))
    assert picture.width <= SIZE[0]
    assert picture.width / picture.height == pytest.approx(640 / 480, rel=0.02)


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42" + bytes(99)])
def test_a_broken_file_gives_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    assert thumbnail(path, 1.0) is None


@pytest.mark.parametrize("name", ["gone.mp4", "null\0byte", "x" * 5_000, ""])
def test_a_path_that_leads_nowhere_gives_nothing(tmp_path: Path, name: str) -> None:
    assert thumbnail(tmp_path / name, None) is None
