"""Which subtitles belong to a video, and on which clock they are told."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

from goldfish_cli.errors import ModelError, SubtitleError
from goldfish_cli.media.subtitles import Cue, Subtitles, align_cues, find_sidecars, find_subtitles
from goldfish_cli.media.video import probe, read_frames

VIDEOS = Path(__file__).parents[4] / "shared" / "data" / "videos"
HEADER = b"[Script Info]\nScriptType: v4.00+\n[Events]\n"
SAID = [(0.2, 0.9, r"{\i1}Hello{\i0}\Nthere"), (1.1, 1.5, "second")]
SRT = """1
00:00:00,200 --> 00:00:00,900
<i>Hello</i>
there

2
00:00:01,100 --> 00:00:01,500
second
"""

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Two seconds of grey at ten frames a second that begin at ``start``, with text streams."""

    def make(
        name: str = "clip.mkv",
        *,
        start: float = 0.0,
        codecs: tuple[str, ...] = (),
        languages: tuple[str, ...] = (),
        flags: tuple[Disposition, ...] = (),
        silent: bool = True,
    ) -> Path:
        path = tmp_path / name
        clock = Fraction(1, 1000)
        with av.open(str(path), "w") as container:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.time_base = clock
            packets = []
            for number in range(20):
                picture = np.full((48, 64, 3), 10 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = int(1000 * start) + 100 * number, clock
                packets += video.encode(frame)
            packets += video.encode()
            texts = [container.add_stream(codec) for codec in codecs]
            for stream, language in zip(texts, languages, strict=False):
                stream.metadata["language"] = language
            for stream, flag in zip(texts, flags, strict=False):
                stream.disposition = flag
            for stream in texts:
                stream.codec_context.time_base = clock
                stream.codec_context.subtitle_header = HEADER
                for begin, end, text in SAID:
                    line = SubtitleSet.create(
                        b"0,0,Default,,0,0,0,," + text.encode(), 0, int(1000 * (end - begin))
                    )
                    packet = stream.codec_context.encode_subtitle(line)
                    packet.stream, packet.time_base = stream, clock
                    packet.pts = packet.dts = round(1000 * (start + begin))
                    packet.duration = round(1000 * (end - begin))
                    packets.append(packet)
            if not silent:
                sound = container.add_stream("aac", rate=16_000, layout="mono")
                tone = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
                )
                tone.sample_rate, tone.pts = 16_000, 0
                packets += [*sound.encode(tone), *sound.encode()]
            for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
                container.mux(packet)
        return path

    return make


def find(video: Path, choice: object = "auto", **options: object) -> Subtitles:
    return find_subtitles(video, choice, info=probe(video), **options)  # type: ignore[arg-type]


def times(subtitles: Subtitles) -> list[tuple[float, float]]:
    return [(cue.start, cue.end) for cue in subtitles.cues]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "subrip"), ("a.mkv", "ass"), ("a.mkv", "webvtt"), ("a.mp4", "mov_text")],
)
def test_an_embedded_text_stream_is_read_on_the_clock_of_the_pictures(
    make_video: MakeVideo, name: str, codec: str
) -> None:
    video = make_video(name, start=5.0, codecs=(codec,), languages=("eng",))
    found = find(video)
    assert [cue.text for cue in found.cues] == ["Hello\nthere", "second"]
    assert times(found) == [(5.2, 5.9), (6.1, 6.5)]
    assert (found.source, found.language, found.notes) == ("stream 1", "eng", ())


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_sidecar_counts_from_the_start_of_the_video(make_video: MakeVideo, start: float) -> None:
    video = make_video(start=start)
    video.with_suffix(".en.srt").write_text(SRT)
    found = find(video)
    assert times(found) == [(start + 0.2, start + 0.9), (start + 1.1, start + 1.5)]
    assert (found.source, found.language, found.notes) == ("clip.en.srt", "en", ())


@pytest.mark.parametrize("codecs", [(), ("subrip",)])
def test_captions_meet_the_frames_they_are_said_over_in_a_video_that_starts_late(
    make_video: MakeVideo, codecs: tuple[str, ...]
) -> None:
    video = make_video(start=5.0, codecs=codecs)
    if not codecs:
        video.with_suffix(".srt").write_text(SRT)
    frames = read_frames(video, [5.0, 5.2, 5.8, 6.1, 6.9])
    captions = align_cues(find(video).cues, [frame.time for frame in frames], max_words=10)
    assert captions == ["", "Hello there", "", "second", ""]


def test_a_sidecar_is_preferred_to_an_embedded_stream(make_video: MakeVideo) -> None:
    video = make_video(codecs=("subrip",))
    video.with_suffix(".srt").write_text(SRT.replace("second", "beside"))
    assert find(video).cues[-1].text == "beside"
    assert find(video).source == "clip.srt"


def test_a_sidecar_that_cannot_be_used_is_passed_over_with_a_note(make_video: MakeVideo) -> None:
    video = make_video(codecs=("subrip",))
    video.with_suffix(".srt").write_bytes(bytes(range(256)) * 20)
    video.with_suffix(".vtt").write_text("WEBVTT\n")
    found = find(video)
    assert found.source == "stream 1"
    assert found.notes == (
        "passed over: clip.srt is not a text file.",
        "passed over: clip.vtt holds no captions.",
    )


def test_a_named_file_that_cannot_be_used_is_an_error(make_video: MakeVideo) -> None:
    video = make_video(codecs=("subrip",))
    empty = video.with_name("other.srt")
    empty.write_text("")
    for path in (empty, video.with_name("missing.srt"), video.parent):
        with pytest.raises(SubtitleError) as refused:
            find(video, path)
        assert refused.value.exit_code == 3 and refused.value.hint


def test_a_named_file_is_used_whatever_it_is_called(make_video: MakeVideo) -> None:
    video = make_video(start=5.0)
    other = video.with_name("-ünder the bridge.de.txt")
    other.write_text(SRT)
    found = find(video, other)
    assert (found.source, found.language) == (other.name, "de")
    assert times(found)[0] == (5.2, 5.9)


def test_none_looks_nowhere(make_video: MakeVideo) -> None:
    video = make_video(codecs=("subrip",))
    video.with_suffix(".srt").write_text(SRT)
    assert find(video, "none") == Subtitles()


def test_auto_never_transcribes_but_says_how_to(make_video: MakeVideo) -> None:
    found = find(make_video(silent=False))
    assert (found.cues, found.source) == ((), "none")
    assert found.notes == ("no subtitles found; --subtitles whisper transcribes the speech",)
    assert find(make_video("silent.mkv")).notes == ()


def test_speech_of_a_silent_video_is_an_error(make_video: MakeVideo) -> None:
    with pytest.raises(SubtitleError, match="no sound"):
        find(make_video(), "whisper", offline=True)


def test_speech_without_weights_tells_how_to_get_them(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="Whisper tiny are not in") as refused:
        find(make_video(silent=False), "whisper", whisper_model="tiny", offline=True)
    assert refused.value.exit_code == 5
    assert str(tmp_path / "whisper" / "tiny.pt") in refused.value.hint


PLAIN, DEFAULT = Disposition(0), Disposition.default
DEAF, FORCED = Disposition.hearing_impaired, Disposition.forced


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ({"ger": PLAIN, "eng": PLAIN}, "eng"),
        ({"ger": PLAIN, "fre": PLAIN}, "ger"),
        ({"eng": PLAIN, "ger": DEFAULT}, "ger"),
        ({"eng": DEAF, "ger": PLAIN}, "ger"),
        ({"eng": FORCED | DEFAULT, "ger": DEAF}, "ger"),
    ],
)
def test_complete_default_and_english_streams_are_preferred(
    make_video: MakeVideo, streams: dict[str, Disposition], chosen: str
) -> None:
    video = make_video(
        codecs=("subrip",) * len(streams), languages=tuple(streams), flags=tuple(streams.values())
    )
    assert find(video).language == chosen


def test_subtitles_stored_as_pictures_are_said_to_be_unreadable(make_video: MakeVideo) -> None:
    video = make_video()
    pictures = video.with_name("pictures.mkv")
    with av.open(str(video)) as source, av.open(str(pictures), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.add_stream("dvbsub")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    found = find(pictures)
    assert found.cues == ()
    assert found.notes == ("stream 1 holds subtitles as pictures: not readable",)


def test_captions_of_a_longer_video_are_left_out_with_a_note(make_video: MakeVideo) -> None:
    video = make_video(start=5.0)
    late = "\n3\n00:00:03,000 --> 00:00:05,000\nover black\n\n4\n99:99:99 --> 99:99:99\nnever\n"
    video.with_suffix(".srt").write_text(SRT + late)
    found = find(video)
    assert [cue.text for cue in found.cues] == ["Hello\nthere", "second", "over black"]
    assert found.notes == ("clip.srt: 1 of 4 captions after the end left out",)


def test_sidecars_are_found_by_name_in_a_fixed_order(tmp_path: Path) -> None:
    video = tmp_path / "my [clip].1.mp4"
    in_order = [
        "my [clip].1.srt",
        "my [clip].1.vtt",
        "my [clip].1.ass",
        "my [clip].1.SSA",
        "my [clip].1.en.srt",
        "my [clip].1.en-US.vtt",
        "my [clip].1.English.ssa",
        "my [clip].1.de.srt",
        "my [clip].1.pt_BR.vtt",
        "my [clip].1.en.hi.srt",
        "my [clip].1.en.forced.srt",
    ]
    strangers = ["my [clip].1.2.srt", "my [clip].10.srt", "my [clip].srt", "my [clip].1.en.txt"]
    for name in [*strangers, *reversed(in_order)]:
        (tmp_path / name).write_text(SRT)
    (tmp_path / "my [clip].1.fr.srt").mkdir()
    found = [path.name for path in find_sidecars(video)]
    assert sorted(found) == sorted(in_order)
    assert found[:4] == in_order[:4]
    assert {*found[4:7]} == {*in_order[4:7]}
    assert found[7:] == in_order[7:]
    assert found == [path.name for path in find_sidecars(video)]


def test_sidecars_of_a_folder_of_frames_stand_beside_it(tmp_path: Path) -> None:
    frames = tmp_path / "frames.v2"
    frames.mkdir()
    (tmp_path / "frames.v2.srt").write_text(SRT)
    assert [path.name for path in find_sidecars(frames)] == ["frames.v2.srt"]


def test_relative_paths_and_leading_dashes_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.srt").write_text(SRT)
    assert find_sidecars(Path("-x.mp4")) == [Path("-x.srt")]


@pytest.mark.skipif(not VIDEOS.exists(), reason="no real videos here")
def test_a_real_embedded_stream_is_read() -> None:
    found = find(VIDEOS / "ExoPlayer__sample_with_srt.mkv")
    assert found.cues == (Cue(0.0, 1.234, "This is the first subtitle."),)
    assert found.language == "eng"
