from pathlib import Path

import pytest
import torch
from ask_parts import write_audio, write_video

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import SubtitleError, UsageError, VideoError
from goldfish_cli.inference.clip import Look, inspect, watch
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.video import Frame
from goldfish_cli.profiles import Profile


def test_the_models_number_of_frames_is_seen_over_the_whole_film(
    model: NativeModel, film: Path, profile: Profile
) -> None:
    clip = watch(model, Look(film), profile)
    assert clip.encoded.times == pytest.approx((0.2, 0.7, 1.2, 1.7))
    assert len(clip.encoded.features) == 4
    assert clip.subtitles.source == "clip.srt"
    assert clip.seconds > 0


def test_frames_can_be_chosen_by_number_part_and_rate(
    model: NativeModel, film: Path, profile: Profile
) -> None:
    part = watch(model, Look(film, start=0.5, end=1.5, num_frames=2), profile)
    rate = watch(model, Look(film, sampling="fps", fps=2.0), profile)
    assert part.encoded.times == pytest.approx((0.7, 1.2))
    assert rate.encoded.times == pytest.approx((0.0, 0.5, 1.0, 1.5))


def test_the_fps_sampling_has_a_default_rate(
    model: NativeModel, film: Path, profile: Profile
) -> None:
    assert watch(model, Look(film, sampling="fps"), profile).encoded.times == (0.0, 1.0)


def test_the_profile_limits_frames(model: NativeModel, film: Path, profile: Profile) -> None:
    small = profile.model_copy(update={"max_frames": 2})
    assert len(watch(model, Look(film), small).encoded.times) == 2


def test_frames_are_held_at_the_size_that_the_model_sees(
    model: NativeModel, film: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Frame] = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda frames: encode(seen.extend(frames) or seen))
    clip = watch(model, Look(film), profile)
    assert {frame.image.shape for frame in seen} == {(16, 16, 3)}
    whole = encode(sample_frames(film, FramePlan("uniform", 4)))
    assert torch.equal(clip.encoded.features, whole.features)


@pytest.mark.parametrize("start", [2.0, 2.5, 3600.0])
def test_a_start_beyond_the_end_names_the_duration(film: Path, start: float) -> None:
    with pytest.raises(UsageError, match=r"beyond the end: clip\.mp4 lasts 2\.00 s"):
        inspect(Look(film, start=start))


def test_an_end_that_is_not_after_the_start_is_refused_before_the_file_is_opened() -> None:
    with pytest.raises(UsageError, match="not after the start"):
        inspect(Look(Path("gone.mp4"), start=2.0, end=2.0))


def test_an_end_before_the_first_frame_is_refused(film: Path) -> None:
    with pytest.raises(UsageError, match="before the first frame"):
        inspect(Look(film, end=0.0))


def test_a_subtitle_file_that_is_missing_is_said_first() -> None:
    with pytest.raises(SubtitleError, match=r"no subtitle file gone\.srt"):
        inspect(Look(Path("gone.mp4"), subtitles=Path("gone.srt")))


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError):
        inspect(Look(write_audio(tmp_path / "speech.wav")))


def test_what_is_odd_about_a_file_is_told(
    model: NativeModel, tmp_path: Path, profile: Profile
) -> None:
    whole = write_video(tmp_path / "whole.mkv", seconds=8.0)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10])
    told: list[str] = []
    clip = watch(model, Look(cut), profile, notify=told.append)
    assert told
    assert all(time < 7 for time in clip.encoded.times)
