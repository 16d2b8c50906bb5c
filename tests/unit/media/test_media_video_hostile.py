"""Damaged, mislabelled and hostile files: frames or one clear line, and never a hang."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from goldfish_cli.errors import VideoError
from goldfish_cli.media import engine_decord
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video import iter_frames, probe, read_frames

NumberOf = Callable[[np.ndarray], int]


def assert_clear(refusal: VideoError) -> None:
    assert str(refusal)
    assert "\n" not in str(refusal)
    assert refusal.hint
    assert "\n" not in refusal.hint


def frames_or_clear_error(path: Path, seconds: float = 20.0) -> list[float]:
    """Times of up to 8 frames; none where the file is refused as it should be."""
    begin = time.process_time()
    try:
        info = probe(path, timeout_s=seconds)
        frames = sample_frames(path, FramePlan("uniform", 8), info=info, timeout_s=seconds)
    except VideoError as refusal:
        assert_clear(refusal)
        return []
    finally:
        assert time.process_time() - begin < seconds
    assert frames
    assert all(frame.image.ndim == 3 for frame in frames)
    return [frame.time for frame in frames]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("noise.mp4", random.Random(1).randbytes(50_000)),
        ("noise.ts", random.Random(2).randbytes(50_000)),
        ("noise.mkv", random.Random(3).randbytes(50_000)),
        ("zeros.avi", bytes(100_000)),
        ("letter.mp4", b"Dear goldfish,\nthis is no video.\n" * 50),
        ("letter.txt", b"Dear goldfish,\nthis is no video.\n" * 50),
        ("cues.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:10,\nhttp://192.0.2.1/a.ts\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("half.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(30)),
    ],
)
@pytest.mark.parametrize("decoder", ["auto", "av", "decord"])
def test_what_is_no_video_is_refused_in_one_line(
    name: str, content: bytes, decoder, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(VideoError) as refusal:
        probe(path, decoder=decoder)
    assert_clear(refusal.value)
    with pytest.raises(VideoError):
        read_frames(path, [0.0], decoder=decoder)


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["empty folder", "loop.mp4", "dangling.mp4", "pipe.mp4", "missing.mp4", "x" * 300]
    for path in [*(tmp_path / name for name in names), Path("/dev/zero"), Path("a\0b")]:
        with pytest.raises(VideoError) as refusal:
            probe(path)
        assert_clear(refusal.value)


@pytest.mark.parametrize("script", ["import os; os.abort()", "print('{', end='')"])
def test_a_decoder_that_crashes_is_reported(
    script: str, clock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen

    def start_crashing(command: list[str], **options) -> "subprocess.Popen[bytes]":
        return real([sys.executable, "-c", script], **options)

    monkeypatch.setattr(engine_decord.subprocess, "Popen", start_crashing)
    with pytest.raises(VideoError, match="decord cannot read") as refusal:
        read_frames(clock, [1.0], decoder="decord")
    assert_clear(refusal.value)


def test_a_name_that_is_no_text_can_still_be_read(clock: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    path.write_bytes(clock.read_bytes())
    assert probe(path).num_frames == 75


def test_sound_without_pictures_is_refused_even_with_a_cover(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(VideoError, match="no video stream") as refusal:
        probe(path)
    assert_clear(refusal.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.webm", "a.gif"])
def test_a_file_cut_off_anywhere_gives_what_is_there(name: str, make_clock, tmp_path: Path) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    whole = make_clock(tmp_path / name, container_options=options).read_bytes()
    reached = []
    for tenth in range(1, 10):
        path = write(tmp_path / f"cut{tenth}{name}", whole[: len(whole) * tenth // 10])
        reached.append(max(frames_or_clear_error(path), default=-1.0))
    assert reached == sorted(reached)
    assert reached[-1] > 1.5


def test_a_cut_off_mp4_says_so_and_ends_where_its_pictures_end(
    make_clock, tmp_path: Path, number_of: NumberOf
) -> None:
    whole = make_clock(tmp_path / "a.mp4", container_options={"movflags": "faststart"})
    path = write(tmp_path / "cut.mp4", whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    info = probe(path)
    assert info.duration_source == "packets"
    assert 1.0 < info.duration < 2.5
    assert any("cut off" in note for note in info.notes)
    last = read_frames(path, [info.end - 0.02, 2.9])
    assert abs(last[0].time - (info.end - 0.04)) < 0.13
    assert last[1].time >= last[0].time  # asked for what is missing: the last there is
    for frame in last:
        assert number_of(frame.image) == round(frame.time * 25)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.webm", "a.gif", "a.mpg"])
def test_flipped_bits_never_crash_or_hang(name: str, make_clock, tmp_path: Path) -> None:
    whole = make_clock(tmp_path / name).read_bytes()
    rng = random.Random(7)
    for flips in (1, 10, 100, 1000):
        content = bytearray(whole)
        for _ in range(flips):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        frames_or_clear_error(write(tmp_path / f"{flips}{name}", bytes(content)))


def test_a_duration_of_a_century_in_the_header_is_not_believed(make_clock, tmp_path: Path) -> None:
    whole = make_clock(tmp_path / "a.mkv").read_bytes()
    place = whole.index(b"\x44\x89\x88") + 3  # the element Duration, 8 bytes
    century = np.array(3.2e12, ">f8").tobytes()
    path = write(tmp_path / "old.mkv", whole[:place] + century + whole[place + 8 :])
    info = probe(path)
    assert info.duration == pytest.approx(3.0, abs=0.1)
    assert info.duration_source == "packets"
    assert frames_or_clear_error(path)[-1] > 2.5


def test_of_several_films_the_default_then_the_largest_is_taken(tmp_path: Path) -> None:
    import av
    from av.stream import Disposition

    def write_two(path: Path, default: int | None) -> Path:
        with av.open(str(path), "w") as container:
            streams = []
            for i, side in enumerate((32, 64, 48)):
                stream = container.add_stream("libx264", rate=10)
                stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
                stream.disposition = Disposition.default if i == default else Disposition(0)
                streams.append(stream)
            for stream in streams:
                for _ in range(3):
                    picture = np.zeros((stream.height, stream.width, 3), np.uint8)
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
        return path

    assert probe(write_two(tmp_path / "none.mkv", None)).width == 64
    info = probe(write_two(tmp_path / "third.mkv", 2))
    assert info.width == 48
    assert any("3 films" in note for note in info.notes)


def test_reading_gives_up_when_its_time_is_used_up(clock: Path) -> None:
    with pytest.raises(VideoError, match="took longer than") as refusal:
        read_frames(clock, [2.0], decoder="av", timeout_s=0.0)
    assert_clear(refusal.value)


def test_the_callers_time_does_not_count_while_walking(clock: Path) -> None:
    for _ in iter_frames(clock, fps=2, timeout_s=1.0):
        time.sleep(0.3)


def test_a_decoder_that_hangs_is_killed(
    clock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = tmp_path / "hang.py"
    hang.write_text("import time; time.sleep(600)")
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start_hanging(command: list[str], **options) -> "subprocess.Popen[bytes]":
        started.append(real([sys.executable, str(hang)], **options))
        return started[-1]

    monkeypatch.setattr(engine_decord.subprocess, "Popen", start_hanging)
    with pytest.raises(VideoError, match="took longer than 1 s"):
        engine_decord.DecordEngine().frame_times(clock, TimeLimit(1.0, clock))
    assert started[0].poll() is not None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures")
def test_memory_does_not_grow_with_length(make_clock, tmp_path: Path) -> None:
    """Peak memory of 8 frames of 2 s and 90 of 20 s of video, each shrunk on the way."""
    script = (
        "import sys; from pathlib import Path;"
        "from goldfish_cli.media.sampling import *;"
        "plan = FramePlan('uniform', int(sys.argv[2]));"
        "sample_frames(Path(sys.argv[1]), plan, prepare=lambda image: image[:8, :8].copy());"
        "lines = Path('/proc/self/status').read_text().splitlines();"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))"
    )
    peaks = []
    for seconds, num_frames in ((2, 8), (20, 90)):
        path = make_clock(
            tmp_path / f"{seconds}.mp4",
            num_frames=seconds * 5,
            fps=5,
            size=(640, 480),
            gop=1000,
        )
        root = Path(__file__).parents[3]
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), str(num_frames)],
            capture_output=True,
            check=True,
            cwd=root,
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 20
