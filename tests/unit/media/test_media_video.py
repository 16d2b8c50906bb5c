"""What every engine must do: the same tests over PyAV and decord, on videos that tell time."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from goldfish_cli.errors import VideoError
from goldfish_cli.media import engine_av
from goldfish_cli.media.engine import DecodeError
from goldfish_cli.media.video import Decoder, iter_frames, media_hash, probe, read_frames

ENGINES = pytest.mark.parametrize("decoder", ["av", "decord"])
# (file name, how to write it, time of the first frame)
FILES = {
    "mp4": ("clock.mp4", {}, 0.0),
    "mkv": ("clock.mkv", {}, 0.0),
    "webm": ("clock.webm", {}, 0.0),
    "avi": ("clock.avi", {}, 0.0),
    "odd size": ("clock.mp4", {"size": (61, 47), "pix_fmt": "yuv444p"}, 0.0),
    "one long group": ("clock.mp4", {"gop": 1000}, 0.0),
    "10 bits": ("clock.mp4", {"pix_fmt": "yuv420p10le"}, 0.0),
    "starts at 5 s": ("clock.mkv", {"times": [5 + i / 25 for i in range(75)]}, 5.0),
    "transport stream": ("clock.ts", {}, None),
    "mpeg-2 transport stream": ("clock.ts", {"codec": "mpeg2video"}, None),
    "program stream": ("clock.mpg", {}, None),
    "interlaced": ("clock.mpg", {"flags": 0x00040000 | 0x20000000}, None),
    "flv": ("clock.flv", {}, None),
    "gif": ("clock.gif", {}, 0.0),
    "av1": ("clock.mp4", {"codec": "libsvtav1"}, 0.0),
    "hevc, open groups": (
        "clock.mp4",
        {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none:open-gop=1"}},
        0.0,
    ),
    "fragmented": (
        "clock.mp4",
        {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
        None,
    ),
    "raw h264": ("clock.h264", {}, 0.0),
}
ROUGH = {"avi", "10 bits", "av1", "gif"}  # the brightness may tell the neighbour's number
DECORD_READS = (
    "mp4",
    "mkv",
    "webm",
    "avi",
    "odd size",
    "one long group",
    "10 bits",
    "starts at 5 s",
)
CASES = [("av", kind) for kind in FILES] + [("decord", kind) for kind in DECORD_READS]


@pytest.fixture(scope="module")
def files(make_clock, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    return {
        kind: make_clock(folder / f"{i}_{name}", **how)
        for i, (kind, (name, how, _)) in enumerate(FILES.items())
    }


@pytest.mark.parametrize(("decoder", "kind"), CASES)
def test_each_time_gets_the_frame_on_screen_then(
    decoder: Decoder, kind: str, files: dict[str, Path], number_of: Callable[[np.ndarray], int]
) -> None:
    info = probe(files[kind], decoder=decoder)
    if FILES[kind][2] is not None:
        assert info.start == pytest.approx(FILES[kind][2])
    assert info.duration == pytest.approx(3.0, abs=0.05)
    assert info.frame_rate == pytest.approx(25, rel=0.01)
    assert info.num_frames in (75, None)
    assert (info.width, info.height) == FILES[kind][1].get("size", (64, 48))
    asked = {0: 0, 7: 0.3, 12: 0.5, 13: 0.52, 40: 1.61, 74: 2.97}
    times = [info.start + time for time in asked.values()]
    frames = read_frames(files[kind], times, decoder=decoder)
    for number, frame in zip(asked, frames, strict=True):
        assert frame.time == pytest.approx(info.start + number / 25, abs=0.006)
        assert abs(number_of(frame.image) - number) <= (kind in ROUGH)
        assert frame.image.shape == (info.height, info.width, 3)
        assert frame.image.dtype == np.uint8


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind not in DECORD_READS])
def test_decord_refuses_what_it_cannot_be_trusted_with(kind: str, files: dict[str, Path]) -> None:
    if kind == "fragmented":
        pytest.skip("decord reads some of these")
    with pytest.raises(VideoError, match="decord cannot read") as refusal:
        probe(files[kind], decoder="decord")
    assert "\n" not in str(refusal.value)
    assert refusal.value.hint


@ENGINES
def test_times_before_and_after_the_film_get_its_first_and_last_frame(
    decoder: Decoder, clock: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    frames = read_frames(clock, [-5.0, 100.0], decoder=decoder)
    assert [number_of(frame.image) for frame in frames] == [0, 74]


@ENGINES
def test_frames_come_in_the_order_asked_and_repeat_where_times_do(
    decoder: Decoder, clock: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    frames = read_frames(clock, [2.0, 0.4, 2.0, 1.0], decoder=decoder)
    assert [number_of(frame.image) for frame in frames] == [50, 10, 50, 25]


@ENGINES
def test_a_frames_own_time_finds_it_again(decoder: Decoder, make_clock, tmp_path: Path) -> None:
    path = make_clock(tmp_path / "ntsc.mp4", fps=Fraction(30000, 1001))
    times = [frame.time for frame in read_frames(path, [i / 29.97 for i in range(75)])]
    again = [frame.time for frame in read_frames(path, times, decoder=decoder)]
    assert again == pytest.approx(times, abs=1e-6)


@ENGINES
def test_variable_rate_is_read_by_presentation_times(
    decoder: Decoder, make_clock, tmp_path: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    times = [0, 0.1, 0.15, 0.5, 0.52, 1.7, 2.0, 2.9]
    path = make_clock(tmp_path / "vfr.mp4", times=times)
    frames = read_frames(path, [0.12, 0.49, 1.69, 2.5], decoder=decoder)
    assert [number_of(frame.image) for frame in frames] == [1, 2, 4, 6]
    assert [frame.time for frame in frames] == pytest.approx([0.1, 0.15, 0.52, 2.0], abs=1e-3)
    assert probe(path, decoder=decoder).variable_rate is True


@ENGINES
@pytest.mark.parametrize(("turn", "corner"), [(90, (1, 0)), (180, (1, 1)), (-90, (0, 1))])
def test_rotated_video_stands_upright(
    decoder: Decoder, turn: int, corner: tuple[int, int], make_clock, tmp_path: Path
) -> None:
    path = make_clock(tmp_path / "turned.mp4", num_frames=5, size=(96, 64), rotate=turn)
    info = probe(path, decoder=decoder)
    image = read_frames(path, [0.0], decoder=decoder)[0].image
    small = read_frames(path, [0.0], decoder=decoder, size=(20, 10))[0].image
    assert image.shape[:2] == (info.height, info.width)
    assert (info.width, info.height) == ((64, 96) if turn % 180 else (96, 64))
    assert info.rotation == -turn % 360
    for picture in (image, *([small] if decoder == "av" else [])):
        row, column = corner
        assert picture[-2 if row else 1, -2 if column else 1].mean() > 200
    assert small.shape == (10, 20, 3) or decoder == "decord"


def test_a_mirrored_video_is_shown_as_in_the_mirror(make_clock, tmp_path: Path) -> None:
    path = make_clock(tmp_path / "selfie.mp4", num_frames=5, mirror=True)
    image = read_frames(path, [0.0])[0].image
    assert image[1, -2].mean() > 200 > image[1, 1].mean()
    assert (probe(path).width, probe(path).height) == (64, 48)


@ENGINES
def test_keyframes_are_those_before_the_times(
    decoder: Decoder, clock: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    frames = read_frames(clock, [0.1, 0.6, 1.0, 2.9], decoder=decoder, only_keyframes=True)
    assert [number_of(frame.image) for frame in frames] == [0, 12, 24, 72]


@ENGINES
def test_frames_can_be_scaled_and_prepared_on_the_way(decoder: Decoder, clock: Path) -> None:
    frame = read_frames(clock, [1.0], decoder=decoder, size=(20, 12))[0]
    assert frame.image.shape == (12, 20, 3)
    prepared = read_frames(clock, [1.0, 1.0], decoder=decoder, prepare=lambda image: image[:5])
    assert [frame.image.shape for frame in prepared] == [(5, 64, 3)] * 2


@ENGINES
def test_walking_at_a_rate_gives_one_frame_a_tick(
    decoder: Decoder, clock: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    frames = iter_frames(clock, fps=5, start=1.0, end=2.0, decoder=decoder)
    assert [number_of(frame.image) for frame in frames] == [25, 30, 35, 40, 45]
    everything = [number_of(frame.image) for frame in iter_frames(clock, fps=25, decoder=decoder)]
    assert everything == list(range(75))


@ENGINES
def test_a_video_of_one_frame(
    decoder: Decoder, make_clock, tmp_path: Path, number_of: Callable[[np.ndarray], int]
) -> None:
    path = make_clock(tmp_path / "one.mp4", num_frames=1)
    info = probe(path, decoder=decoder)
    assert info.num_frames == 1
    assert info.duration == pytest.approx(0.04)
    assert [number_of(frame.image) for frame in read_frames(path, [0.0, 3.0])] == [0, 0]


@ENGINES
@pytest.mark.parametrize(
    "name", ["with space.mp4", 'it\'s "quoted".mp4', "-y.mp4", "película 🐟.mp4", "a:b%03d.mp4"]
)
def test_any_file_name_will_do(decoder: Decoder, name: str, clock: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(clock.read_bytes())
    assert probe(path, decoder=decoder).num_frames == 75


def test_a_relative_name_that_looks_like_an_option_or_address(
    clock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i.mp4", "http:x.mp4"):
        Path(name).write_bytes(clock.read_bytes())
        assert probe(Path(name)).num_frames == 75


def test_both_engines_give_the_same_pixels(clock: Path) -> None:
    times = [0.0, 0.7, 1.44, 2.96]
    for one, other in zip(
        read_frames(clock, times), read_frames(clock, times, decoder="decord"), strict=True
    ):
        assert np.abs(one.image.astype(int) - other.image).mean() < 1


def test_where_pyav_fails_decord_is_tried_and_its_use_is_noted(
    clock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise DecodeError("PyAV has a bad day.")

    # No file is known that decord reads and PyAV does not, so PyAV is made to refuse this one.
    monkeypatch.setattr(engine_av.AvEngine, "probe", refuse)
    monkeypatch.setattr(engine_av.AvEngine, "frames_at", refuse)
    notes: list[str] = []
    info = probe(clock)
    frames = read_frames(clock, [1.0], notes=notes)
    assert info.num_frames == 75
    assert frames[0].time == pytest.approx(1.0)
    for said in (info.notes[0], notes[0]):
        assert said == "Read with decord, since av could not (PyAV has a bad day.)."


def test_a_header_that_lies_about_duration_is_corrected(make_clock, tmp_path: Path) -> None:
    path = make_clock(tmp_path / "late.mkv", times=[5 + i / 25 for i in range(75)])
    info = probe(path)  # Matroska counts the duration from 0
    assert info.duration_source == "packets"
    assert info.end == pytest.approx(8.0)
    assert any("states 8.0 s" in note for note in info.notes)


def test_the_hash_is_of_the_content(clock: Path, make_clock, tmp_path: Path) -> None:
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(clock.read_bytes())
    other = make_clock(tmp_path / "other.mp4", num_frames=5)
    assert media_hash(copy) == media_hash(clock)
    assert media_hash(other) != media_hash(clock)
    assert len(media_hash(clock)) == 32
