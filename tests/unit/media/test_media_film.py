"""A film walked through once: its clips, their frames, and nothing held that is not needed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_media_sampling import write_shots

from goldfish_cli.media.cutting import Cutting
from goldfish_cli.media.film import FilmClip, walk_clips
from goldfish_cli.media.video import iter_frames, iter_looks, probe

SHOTS = [(40, 0), (30, 1), (50, 2)]  # frames at 10 a second, and patterns


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shots(tmp_path_factory.mktemp("film") / "film.mp4", SHOTS)


def walk(path: Path, cutting: Cutting, **options: object) -> list[FilmClip]:
    settings = {"info": probe(path), "cutting": cutting, "num_frames": 4} | options
    return list(walk_clips(path, **settings))  # type: ignore[arg-type]


def test_shots_become_clips_with_frames_of_their_own(film: Path) -> None:
    clips = walk(film, Cutting(None))
    assert [clip.number for clip in clips] == [0, 1, 2]
    assert [(clip.start, clip.end) for clip in clips] == [
        (0.0, pytest.approx(4.0, abs=0.2)),
        (pytest.approx(4.0, abs=0.2), pytest.approx(7.0, abs=0.2)),
        (pytest.approx(7.0, abs=0.2), 12.0),
    ]
    for clip in clips:
        assert len(clip.frames) == 4
        assert all(clip.start <= frame.time < clip.end for frame in clip.frames)
        assert clip.cuts == ()


def test_clips_of_a_length_tell_the_cuts_inside(film: Path) -> None:
    clips = walk(film, Cutting(12.0))
    assert [(clip.start, clip.end) for clip in clips] == [(0.0, 12.0)]
    assert clips[0].cuts == (pytest.approx(4.0, abs=0.2), pytest.approx(7.0, abs=0.2))


def test_frames_are_near_the_middle_of_equal_shares(film: Path) -> None:
    clip = walk(film, Cutting(12.0))[0]
    middles = [1.5, 4.5, 7.5, 10.5]
    assert [frame.time for frame in clip.frames] == pytest.approx(middles, abs=3.0 / 6)


def test_clips_that_are_not_wanted_have_no_frames_but_the_same_borders(film: Path) -> None:
    everything = walk(film, Cutting(None))
    some = walk(film, Cutting(None), wanted=lambda start, end: start == 0.0)
    assert [(one.start, one.end) for one in some] == [(one.start, one.end) for one in everything]
    assert [len(one.frames) for one in some] == [4, 0, 0]


def test_only_what_prepare_returns_is_kept(film: Path) -> None:
    clips = walk(film, Cutting(None), prepare=lambda image: np.zeros((2, 2, 3), np.uint8))
    assert {frame.image.shape for clip in clips for frame in clip.frames} == {(2, 2, 3)}


def test_a_film_that_breaks_off_gives_the_clips_that_decode(film: Path, tmp_path: Path) -> None:
    whole = tmp_path / "film.mkv"
    import av

    with av.open(str(film)) as source, av.open(str(whole), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clips = walk(broken, Cutting(None))
    assert clips[0].frames
    assert clips[-1].end <= 12.0


def test_a_slide_stands_for_all_clips_while_it_is_shown(tmp_path: Path) -> None:
    import av

    path = tmp_path / "slides.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(3):
            image = np.full((96, 128, 3), 60 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = 40 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clips = walk(path, Cutting(10.0))
    assert len(clips) >= 8
    assert all(clip.frames for clip in clips)


def test_looks_are_pictures_of_the_film_with_their_own_times(film: Path) -> None:
    looks = list(iter_looks(film, fps=10.0, width=64))
    frames = list(iter_frames(film, fps=10.0))
    assert [look.time for look in looks] == [frame.time for frame in frames]
    assert {look.small.shape for look in looks} == {(48, 64, 3)}


def test_a_look_gives_the_whole_picture_bit_by_bit(film: Path) -> None:
    frames = iter_frames(film, fps=10.0)
    for look, frame in zip(iter_looks(film, fps=10.0, width=64), frames, strict=True):
        assert np.array_equal(look.whole(), frame.image)
        thin = frame.image[1::2, 1::2].astype(int)
        assert np.abs(look.small.astype(int) - thin).mean() < 12  # other colours, other pixels


@pytest.mark.parametrize(("rotate", "mirror"), [(90, False), (180, False), (90, True)])
def test_looks_are_upright(
    rotate: int, mirror: bool, tmp_path: Path, make_clock: Callable[..., Path]
) -> None:
    turned = make_clock(tmp_path / "turned.mp4", rotate=rotate, mirror=mirror)
    frame = next(iter(iter_frames(turned, fps=1.0)))
    look = next(iter(iter_looks(turned, fps=1.0, width=32)))
    assert np.array_equal(look.whole(), frame.image)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    bright = [
        [image[place].mean() > 128 for place in corners] for image in (look.small, frame.image)
    ]
    assert bright[0] == bright[1]
    assert sum(bright[0]) == 1  # the mark of a clock stands in one corner
