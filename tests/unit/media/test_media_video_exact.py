"""Skipping and seeking give the very pixels that reading in order gives."""

import random
from bisect import bisect_right
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.media.packet_window import PacketWindow
from goldfish_cli.media.video import read_frames

KINDS = {
    "h264 in mp4": ("a.mp4", "libx264", {"bf": "4", "refs": "4", "preset": "medium"}),
    "h264 in mkv, open groups": ("a.mkv", "libx264", {"bf": "3", "x264-params": "open-gop=1"}),
    "h264 in ts": ("a.ts", "libx264", {"bf": "3"}),
    "h264, refreshed in columns": ("b.mp4", "libx264", {"x264-params": "intra-refresh=1"}),
    "hevc in mp4": ("c.mp4", "libx265", {"x265-params": "log-level=none:pools=none:bframes=4"}),
    "hevc in layers": (
        "d.mkv",
        "libx265",
        {"x265-params": "log-level=none:pools=none:temporal-layers=3:b-pyramid=1:bframes=7"},
    ),
    "av1": ("e.mp4", "libsvtav1", {"preset": "12", "svtav1-params": "lp=1"}),
    "vp9": ("f.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1"}),
    "mpeg-2 in ts": ("g.ts", "mpeg2video", {"bf": "2"}),
    "mpeg-4 in avi": ("h.avi", "mpeg4", {"bf": "0"}),
}


def write_texture(path: Path, codec: str, options: dict[str, str]) -> Path:
    """Four seconds of noise that drifts, with a cut in the middle."""
    rng = np.random.default_rng(5)
    grounds = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        stream.gop_size = 24
        stream.codec_context.time_base = Fraction(1, 25)
        for i in range(100):
            x, y = i // 2 % 60, i // 3 % 40
            picture = np.ascontiguousarray(grounds[i // 50, y : y + 80, x : x + 96])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_in_order(path: Path) -> dict[float, np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return {
            float(frame.pts * stream.time_base): frame.to_ndarray(format="rgb24")
            for frame in container.decode(stream)
        }


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_bit_equal_to_reading_in_order(kind: str, tmp_path: Path) -> None:
    name, codec, options = KINDS[kind]
    path = write_texture(tmp_path / name, codec, options)
    truth = read_in_order(path)
    times = sorted(truth)
    rng = random.Random(11)
    for count in (1, 1, 1, 4, 12, 60):
        asked = sorted(rng.uniform(times[0], times[-1] + 0.02) for _ in range(count))
        for time, frame in zip(asked, read_frames(path, asked, decoder="av"), strict=True):
            expected = times[bisect_right(times, time) - 1]
            assert frame.time == expected
            assert np.array_equal(frame.image, truth[expected])


@st.composite
def packets_and_targets(draw) -> tuple[list[tuple[int, int]], list[int]]:
    """Packets in decode order, as (presentation, decode) times, and ascending targets."""
    steps = draw(st.lists(st.integers(1, 9), min_size=1, max_size=40))
    shown = np.cumsum(steps).tolist()
    order: list[int] = []
    rest = list(shown)
    while rest:
        # An encoder sends a later picture first, then those before it that refer to it.
        ahead = draw(st.integers(0, min(4, len(rest) - 1)))
        group = rest[: ahead + 1]
        order.extend([group[-1], *draw(st.permutations(group[:-1]))])
        rest = rest[ahead + 1 :]
    # Decode times rise, and no picture is shown before it is decoded.
    decoded = [min(order[i:]) for i in range(len(order))]
    targets = sorted(draw(st.lists(st.integers(0, shown[-1] + 5), min_size=1, max_size=8)))
    return list(zip(order, decoded, strict=True)), targets


@given(packets_and_targets())
def test_every_packet_that_a_target_needs_is_wanted(
    case: tuple[list[tuple[int, int]], list[int]],
) -> None:
    packets, targets = case
    window: PacketWindow[int] = PacketWindow(targets)
    decisions = [
        decision for shown, decoded in packets for decision in window.push(shown, shown, decoded)
    ]
    decisions += list(window.drain())
    assert [decision.packet for decision in decisions] == [shown for shown, _ in packets]
    times = sorted(shown for shown, _ in packets)
    needed = {times[bisect_right(times, t) - 1] for t in targets if t >= times[0]}
    assert needed <= {decision.packet for decision in decisions if decision.wanted}
    for decision in decisions:
        following = times.index(decision.packet) + 1
        if decision.until is not None:
            assert decision.until == times[following]
        if decision.wanted and decision.until is not None:
            assert decision.packet in needed
