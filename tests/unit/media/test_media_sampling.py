"""Plans are values; what they choose is spread as they say."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import UsageError, VideoError
from goldfish_cli.media.sampling import FramePlan, fps_times, sample_frames, uniform_times
from goldfish_cli.media.scenes import Change, find_cuts, share_out
from goldfish_cli.media.video import probe

NumberOf = Callable[[np.ndarray], int]


@given(start=st.floats(0, 1e4), length=st.floats(1e-3, 1e4), count=st.integers(1, 128))
def test_uniform_times_stand_in_the_middle_of_equal_shares(
    start: float, length: float, count: int
) -> None:
    end = start + length
    times = uniform_times(start, end, count)
    assert len(times) == count
    assert times == sorted(times)
    share = (end - start) / count
    assert times[0] - start == pytest.approx(share / 2, abs=1e-6)
    assert end - times[-1] == pytest.approx(share / 2, abs=1e-6)


@given(length=st.floats(0.1, 1e3), fps=st.floats(0.1, 60), max_frames=st.integers(1, 64))
def test_fps_times_keep_the_rate_or_the_ceiling(length: float, fps: float, max_frames: int) -> None:
    times = fps_times(2.0, 2.0 + length, fps, max_frames)
    assert 1 <= len(times) <= max_frames
    assert all(2.0 <= time < 2.0 + length for time in times)
    if length * fps + 1e-6 < max_frames:
        assert np.diff(times) == pytest.approx(1 / fps, abs=1e-6)


def test_a_plan_is_a_value() -> None:
    plan = FramePlan("fps", 45, fps=2.0, start=10.0, end=20.0)
    assert FramePlan(**plan.to_dict()) == plan
    assert len({plan, FramePlan(**plan.to_dict())}) == 1
    assert str(plan) == "fps, 45 frames, 2 a second, from 10 s to 20 s"
    assert str(FramePlan("uniform", 8)) == "uniform, 8 frames"
    assert str(FramePlan("uniform", 8, start=3.5)) == "uniform, 8 frames, from 3.5 s to the end"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "uniform", "max_frames": 0},
        {"kind": "fps", "max_frames": 4},
        {"kind": "fps", "max_frames": 4, "fps": -1.0},
        {"kind": "uniform", "max_frames": 4, "start": 5.0, "end": 5.0},
    ],
)
def test_plans_that_show_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError) as refusal:
        FramePlan(**wrong)
    assert refusal.value.hint


def test_uniform_sees_both_ends(clock: Path, number_of: NumberOf) -> None:
    frames = sample_frames(clock, FramePlan("uniform", 5))
    assert [number_of(frame.image) for frame in frames] == [7, 22, 37, 52, 67]


def test_fewer_frames_than_asked_for_come_once_each(
    make_clock, tmp_path: Path, number_of: NumberOf
) -> None:
    path = make_clock(tmp_path / "short.mp4", num_frames=4)
    for plan in (FramePlan("uniform", 45), FramePlan("fps", 45, fps=100.0)):
        frames = sample_frames(path, plan)
        assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]


def test_a_part_is_looked_at(clock: Path, number_of: NumberOf) -> None:
    frames = sample_frames(clock, FramePlan("uniform", 4, start=1.0, end=2.0))
    assert [number_of(frame.image) for frame in frames] == [28, 34, 40, 46]
    frames = sample_frames(clock, FramePlan("fps", 9, fps=2.0, start=2.0))
    assert [number_of(frame.image) for frame in frames] == [50, 62]


def test_a_part_beyond_the_film_says_how_long_the_film_is(clock: Path) -> None:
    with pytest.raises(VideoError, match=r"runs from 0\.00 s to 3\.00 s"):
        sample_frames(clock, FramePlan("uniform", 4, start=10.0))


def test_a_part_of_a_film_that_starts_late_is_counted_by_its_own_clock(
    make_clock, tmp_path: Path, number_of: NumberOf
) -> None:
    path = make_clock(tmp_path / "late.mkv", times=[5 + i / 25 for i in range(75)])
    frames = sample_frames(path, FramePlan("uniform", 2, start=6.0, end=7.0))
    assert [number_of(frame.image) for frame in frames] == [31, 43]


def test_keyframes_are_spread(make_clock, tmp_path: Path, number_of: NumberOf) -> None:
    path = make_clock(tmp_path / "keys.mp4", gop=5)
    frames = sample_frames(path, FramePlan("keyframes", 5))
    assert [number_of(frame.image) for frame in frames] == [5, 20, 35, 50, 65]
    frames = sample_frames(make_clock(tmp_path / "key.mp4", gop=100), FramePlan("keyframes", 5))
    assert [number_of(frame.image) for frame in frames] == [0]


def write_shots(path: Path, shots: list[tuple[int, int]]) -> Path:
    """Shots of (frames, pattern) at 10 frames a second, each a pattern that moves a little."""
    import av

    rng = np.random.default_rng(3)
    patterns = [
        np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
        for _ in range(8)
    ]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for length, pattern in shots:
            for i in range(length):
                image = np.roll(patterns[pattern], i // 2, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_every_shot_is_seen_whatever_its_length(tmp_path: Path) -> None:
    path = write_shots(tmp_path / "shots.mp4", [(60, 0), (12, 1), (50, 2), (8, 3)])
    times = [frame.time for frame in sample_frames(path, FramePlan("scene", 4))]
    shots = [(0, 6), (6, 7.2), (7.2, 12.2), (12.2, 13)]
    assert all(start <= time < end for time, (start, end) in zip(times, shots, strict=True))


def test_a_still_film_has_one_shot(clock: Path, number_of: NumberOf) -> None:
    frames = sample_frames(clock, FramePlan("scene", 3))
    assert [number_of(frame.image) for frame in frames] == [12, 37, 62]


def test_cuts_stand_out_from_the_movement_around_them() -> None:
    times = [i / 6 for i in range(21)]
    moving = [Change(0.3, 5.0)] * 20
    assert find_cuts(times, moving) == []
    assert find_cuts(times, [*moving[:10], Change(0.95, 60.0), *moving[11:]]) == [times[11]]


def test_what_comes_and_goes_before_a_still_background_is_no_cut() -> None:
    times = [i / 6 for i in range(21)]
    still = [Change(0.0, 0.1)] * 20
    assert find_cuts(times, [*still[:10], Change(0.6, 0.2), *still[11:]]) == []


def test_a_still_background_that_leaps_is_a_cut_and_one_that_begins_to_move_is_not() -> None:
    times = [i / 6 for i in range(21)]
    still = [Change(0.0, 0.1)] * 20
    assert find_cuts(times, [*still[:10], Change(0.1, 3.0), *still[11:]]) == [times[11]]
    assert find_cuts(times, [*still[:10], *[Change(0.1, 3.0)] * 3, *still[13:]]) == []


@given(
    borders=st.lists(st.floats(0, 1e4), min_size=2, max_size=60, unique=True).map(sorted),
    count=st.integers(1, 64),
)
def test_frames_are_shared_out_among_shots(borders: list[float], count: int) -> None:
    shots = list(pairwise(borders))
    times = share_out(shots, count)
    assert len(times) == count
    assert times == sorted(times)
    if count >= len(shots):
        for start, end in shots:
            assert any(start <= time <= end for time in times)


def test_a_folder_and_an_image_can_be_sampled(tmp_path: Path) -> None:
    from PIL import Image

    for i in range(12):
        Image.new("RGB", (8, 6), (i, i, i)).save(tmp_path / f"frame{i}.png")
    frames = sample_frames(tmp_path, FramePlan("uniform", 3))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [2, 6, 10]
    image = tmp_path / "frame5.png"
    assert len(sample_frames(image, FramePlan("uniform", 45))) == 1
    assert probe(image).duration == 0
