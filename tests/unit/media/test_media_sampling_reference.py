"""The plan ``reference`` samples what MiniGPT4-Video samples."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from goldfish_cli.media.reference_sampling import (
    printed_rate,
    reference_folder_indices,
    reference_indices,
)
from goldfish_cli.media.sampling import FramePlan, sample_frames


@pytest.mark.parametrize(
    ("total", "num_frames", "max_frames", "last", "count"),
    [
        (10, 10, 45, 9, 10),
        (89, 89, 45, 44, 45),  # half the video is never seen
        (90, 90, 45, 88, 45),
        (134, 134, 45, 88, 45),
        (1800, 1800, 45, 1760, 45),
        (1800, 1700, 45, 1680, 43),  # the header promised more than there is
        (1800, 1800, 90, 1780, 90),
        (0, 1, 45, 0, 1),
    ],
)
def test_every_nth_frame_from_the_start(
    total: int, num_frames: int, max_frames: int, last: int, count: int
) -> None:
    indices = reference_indices(total, num_frames, max_frames)
    assert (indices[0], indices[-1], len(indices)) == (0, last, count)


def test_folders_round_halves_to_even() -> None:
    assert reference_folder_indices(30, 45) == list(range(30))
    assert reference_folder_indices(112, 45)[:3] == [0, 2, 4]  # 2.49
    assert reference_folder_indices(200, 80)[:3] == [0, 2, 4]  # 2.5 to 2, not 3
    assert reference_folder_indices(280, 80)[:3] == [0, 4, 8]  # 3.5 to 4


@pytest.mark.parametrize(
    ("rate", "printed"),
    [
        (25.0, 25.0),
        (30000 / 1001, 30000 / 1001),
        (24000 / 1001, 24000 / 1001),
        (29.966, 30000 / 1001),
        (12.5, 12.5),
        (359 / 12, 29.92),
        (90000.0, 90000.0),
    ],
)
def test_rates_are_read_back_from_what_ffmpeg_prints(rate: float, printed: float) -> None:
    assert printed_rate(rate) == pytest.approx(printed, abs=1e-12)


def test_the_plan_takes_every_nth_frame_of_a_file(
    make_clock, tmp_path: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    frames = sample_frames(make_clock(tmp_path / "a.mp4"), FramePlan("reference", 10))
    assert [number_of(frame.image) for frame in frames] == list(range(0, 70, 7))
    part = FramePlan("reference", 10, start=1.0, end=2.0)
    frames = sample_frames(tmp_path / "a.mp4", part)
    assert [number_of(frame.image) for frame in frames] == list(range(25, 45, 2))


def test_fixture_cases(shared_folder: Path) -> None:
    cases = json.loads((shared_folder / "fixtures" / "frame_sampling.json").read_text())
    for case in cases["cases"]:
        total = int(case["duration"] * case["fps"])
        assert total == case["computed_total"]
        indices = reference_indices(total, case["n_stream_frames"], case["max_frames"])
        assert indices == (case["short_inference_indices"] or [])
    for case in cases["tvqa_cases"]:  # padded there by repeating the last
        indices = reference_folder_indices(case["n_frames"], 45)
        assert indices + [indices[-1]] * (45 - len(indices)) == case["indices"]


def test_fixture_videos(shared_folder: Path) -> None:
    fixtures = shared_folder / "fixtures"
    expected = np.load(fixtures / "video_frames.npz")
    for name, meta in json.loads((fixtures / "video_meta.json").read_text()).items():
        frames = sample_frames(fixtures / name, FramePlan("reference", 45))
        seen = np.stack([frame.image for frame in frames])
        wanted = expected[f"{Path(name).stem}__rgb"]
        assert len(frames) == len(meta["indices"])
        assert np.abs(seen.astype(int) - wanted).mean() <= 1
        rate = meta["cv2_fps"]
        times = [frame.time for frame in frames]
        assert times == pytest.approx([index / rate for index in meta["indices"]], abs=1e-3)
