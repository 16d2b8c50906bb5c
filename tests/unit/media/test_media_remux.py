from pathlib import Path

import numpy as np
import pytest
from prep_parts import write_clip

from goldfish_cli.errors import VideoError
from goldfish_cli.media.remux import StreamCopyError, copy_to_mp4, mp4_obstacle
from goldfish_cli.media.video import frame_times, probe, read_frames


def test_a_copy_has_the_same_pictures_at_the_same_times(make_clock, tmp_path: Path) -> None:
    times = [5 + i / 25 for i in range(50)]
    source = make_clock(tmp_path / "clock.mkv", times=times, rotate=90)
    copy = tmp_path / "clock.mp4"
    assert copy_to_mp4(source, copy) == ()
    was, now = probe(source), probe(copy)
    assert now.container == "mp4"
    assert (now.width, now.height, now.rotation) == (was.width, was.height, was.rotation)
    assert frame_times(copy) == pytest.approx(frame_times(source), abs=0.0015)
    for first, second in zip(
        read_frames(source, times[::7]), read_frames(copy, times[::7]), strict=True
    ):
        assert np.array_equal(first.image, second.image)


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mkv")
    copies = [tmp_path / "1.mp4", tmp_path / "2.mp4"]
    for copy in copies:
        copy_to_mp4(source, copy)
    assert copies[0].read_bytes() == copies[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "subtitles", "codec"),
    [("a.webm", False, "vp8"), ("a.gif", False, "gif"), ("a.mkv", True, "subrip")],
)
def test_what_mp4_cannot_hold_is_refused_before_anything_is_lost(
    name: str, subtitles: bool, codec: str, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / name, subtitles=subtitles)
    assert codec in mp4_obstacle(source)
    with pytest.raises(StreamCopyError, match=codec):
        copy_to_mp4(source, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()


def test_a_source_that_is_no_video_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"not a video at all" * 100)
    with pytest.raises(VideoError):
        copy_to_mp4(tmp_path / "a.mkv", tmp_path / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_real_videos_become_mp4_or_are_refused_for_a_reason(
    shared_folder: Path, tmp_path: Path
) -> None:
    copied, refused = set(), set()
    for path in sorted((shared_folder / "data/videos").iterdir()):
        if path.suffix.lower() not in {".mkv", ".webm", ".mov", ".avi", ".wmv"}:
            continue
        try:
            copy_to_mp4(path, tmp_path / f"{path.stem}.mp4")
        except VideoError:
            refused.add(path.suffix)
        else:
            copied.add(path.suffix.lower())
            assert probe(tmp_path / f"{path.stem}.mp4").container == "mp4"
    assert copied == {".mkv", ".webm", ".mov", ".avi"}
    assert refused == {".mkv", ".webm", ".wmv"}  # text subtitles; VP8 and transparency; no video
