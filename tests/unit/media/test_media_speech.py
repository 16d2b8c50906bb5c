"""Speech by a real Whisper, tiny and untrained: what it hears is nonsense, the way there is not."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import whisper
from hypothesis import given, settings
from hypothesis import strategies as st
from subtitle_parts import SIZES, save_whisper
from whisper.model import Whisper

from goldfish_cli.errors import ModelError, SubtitleError
from goldfish_cli.media import whisper_weights
from goldfish_cli.media.audio import SAMPLE_RATE, identify_audio, iter_audio
from goldfish_cli.media.speech import segments_of, transcribe
from goldfish_cli.media.speech_filter import (
    Segment,
    SpeechThresholds,
    drop_loops,
    keep_speech,
)

AUDIO = Path(__file__).parents[4] / "shared" / "data" / "audio"
BELIEVE_ALL = SpeechThresholds(min_logprob=-math.inf, max_compression_ratio=math.inf)
MakeSound = Callable[..., Path]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint file as openai-whisper publishes them, with seeded weights."""
    return save_whisper(tmp_path_factory.mktemp("whisper") / "seeded.pt")


@pytest.fixture
def make_sound(tmp_path: Path) -> MakeSound:
    """Write tones, (seconds, loudness from 0 to 1) each; all are played at each of ``starts``."""

    def make(
        *tones: tuple[float, float],
        name: str = "sound.mka",
        rate: int = SAMPLE_RATE,
        layout: str = "mono",
        starts: tuple[float, ...] = (0.0,),
    ) -> Path:
        path = tmp_path / name
        loudness = np.concatenate([np.full(round(s * rate), level) for s, level in tones])
        wave = loudness * np.sin(2 * np.pi * 440 * np.arange(len(loudness)) / rate)
        samples = np.round(wave * 32767).astype(np.int16)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
            for start in starts:
                for first in range(0, len(samples), 4000):
                    piece = np.repeat(samples[first : first + 4000], stream.layout.nb_channels)
                    frame = av.AudioFrame.from_ndarray(piece[None], format="s16", layout=layout)
                    frame.sample_rate, frame.pts = rate, round(start * rate) + first
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


def speech(text: str, **figures: float) -> Segment:
    usual = Segment(0.0, 1.0, text, no_speech_prob=0.1, avg_logprob=-0.3, compression_ratio=1.2)
    return replace(usual, **figures)


@pytest.mark.parametrize(("rate", "layout"), [(16_000, "mono"), (44_100, "stereo"), (8_000, "5.1")])
def test_sound_becomes_16_khz_in_one_channel_at_its_own_loudness(
    make_sound: MakeSound, rate: int, layout: str
) -> None:
    sound = make_sound((2.0, 0.5), rate=rate, layout=layout, starts=(5.0,))
    (chunk,) = iter_audio(sound)
    assert chunk.start == pytest.approx(5.0, abs=0.002)
    assert len(chunk.samples) == pytest.approx(2 * SAMPLE_RATE, abs=40)
    assert chunk.samples.dtype == np.float32
    assert np.abs(chunk.samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.02)


def test_long_sound_is_cut_where_it_is_quiet(make_sound: MakeSound) -> None:
    sound = make_sound((55, 0.5), (1, 0.01), (14, 0.5), rate=8_000)
    first, second = iter_audio(sound, chunk_s=60)
    assert 55 < len(first.samples) / SAMPLE_RATE < 56
    assert second.start == pytest.approx(len(first.samples) / SAMPLE_RATE)
    assert len(first.samples) + len(second.samples) == pytest.approx(70 * SAMPLE_RATE, abs=50)


def test_a_gap_in_the_sound_begins_a_chunk_at_the_true_time(make_sound: MakeSound) -> None:
    chunks = list(iter_audio(make_sound((1, 0.5), starts=(0, 5, 20))))
    assert [chunk.start for chunk in chunks] == pytest.approx([0, 5, 20], abs=0.01)
    assert [len(chunk.samples) for chunk in chunks] == [SAMPLE_RATE] * 3


def test_no_chunk_is_longer_than_asked_for(make_sound: MakeSound) -> None:
    sound = make_sound((200, 0.3), rate=8_000)
    chunks = list(iter_audio(sound, chunk_s=60))
    assert max(len(chunk.samples) for chunk in chunks) < 61 * SAMPLE_RATE
    assert sum(len(chunk.samples) for chunk in chunks) == pytest.approx(200 * SAMPLE_RATE, abs=100)


def test_sound_is_the_same_in_another_container(make_sound: MakeSound) -> None:
    sound = make_sound((2, 0.5))
    moved = sound.with_name("other name.mov")
    with av.open(str(sound)) as source, av.open(str(moved), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert identify_audio(moved) == identify_audio(sound)
    other = make_sound((2, 0.4), name="other.mka")
    assert identify_audio(other).digest != identify_audio(sound).digest


def test_a_file_without_sound_is_refused_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "silent.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(picture), *stream.encode()])
    with pytest.raises(SubtitleError, match="has no sound") as refused:
        transcribe(path, model="tiny", offline=True)
    assert refused.value.exit_code == 3 and refused.value.hint


def test_whisper_transcribes_and_the_same_sound_gives_the_same_text(
    make_sound: MakeSound, checkpoint: Path
) -> None:
    sound = make_sound((3, 0.5), starts=(5.0,))
    torch.manual_seed(7)
    expected_draw = torch.rand(1)
    torch.manual_seed(7)
    first = transcribe(sound, model=str(checkpoint), thresholds=BELIEVE_ALL)
    assert torch.equal(torch.rand(1), expected_draw), "the caller's random state was touched"
    assert first.cues
    assert first.language in whisper.tokenizer.LANGUAGES
    assert all(5.0 <= cue.start <= cue.end <= 8.01 for cue in first.cues)
    assert first == transcribe(sound, model=str(checkpoint), thresholds=BELIEVE_ALL)


def test_what_an_untrained_whisper_says_is_not_believed(
    make_sound: MakeSound, checkpoint: Path
) -> None:
    heard = transcribe(make_sound((3, 0.5)), model=str(checkpoint))
    assert heard.cues == ()
    assert heard.notes and heard.notes[0].endswith("pieces of speech not believed")


def test_silence_is_not_given_to_whisper(make_sound: MakeSound, checkpoint: Path) -> None:
    heard = transcribe(make_sound((3, 0)), model=str(checkpoint), thresholds=BELIEVE_ALL)
    assert (heard.cues, heard.language, heard.notes) == ((), None, ())


def test_a_kept_transcript_is_used_and_a_damaged_one_made_anew(
    make_sound: MakeSound, checkpoint: Path, tmp_path: Path
) -> None:
    sound, cache = make_sound((2, 0.5)), tmp_path / "cache"

    def hear(**options: object) -> tuple[str, ...]:
        heard = transcribe(
            sound, model=str(checkpoint), cache_dir=cache, thresholds=BELIEVE_ALL, **options
        )
        return tuple(cue.text for cue in heard.cues)

    said = hear()
    (kept,) = cache.iterdir()
    whole = kept.read_text("utf-8")
    data = json.loads(whole)
    data["segments"] = [asdict(speech("from the cache"))]
    kept.write_text(json.dumps(data), "utf-8")
    assert hear() == ("from the cache",)
    for damage in (whole[: len(whole) // 2], "[]", '{"language": "en", "segments": [{}]}', ""):
        kept.write_text(damage, "utf-8")
        assert hear() == said
        assert kept.read_text("utf-8") == whole
    hear(language="de")
    assert len(list(cache.iterdir())) == 2, "another language is another transcript"


def test_a_transcript_that_cannot_be_kept_is_not_lost(
    make_sound: MakeSound, checkpoint: Path, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    heard = transcribe(
        make_sound((2, 0.5)),
        model=str(checkpoint),
        cache_dir=in_the_way,
        thresholds=BELIEVE_ALL,
    )
    assert heard.cues
    assert "cannot be kept" in heard.notes[0]


def test_an_unknown_language_is_refused(make_sound: MakeSound, checkpoint: Path) -> None:
    with pytest.raises(SubtitleError, match="'klingon'"):
        transcribe(make_sound((1, 0.5)), model=str(checkpoint), language="klingon")


def test_an_unknown_model_lists_the_known_ones(make_sound: MakeSound) -> None:
    with pytest.raises(ModelError, match="'huge'") as refused:
        transcribe(make_sound((1, 0.5)), model="huge")
    assert "large-v3" in refused.value.hint and refused.value.exit_code == 5


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.path), "w")


def test_a_checkpoint_that_holds_code_is_refused_unread(
    make_sound: MakeSound, tmp_path: Path
) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pt"
    torch.save({"dims": asdict(SIZES), "model_state_dict": Malicious(trace)}, path)
    with pytest.raises(ModelError, match=r"evil\.pt is not a Whisper checkpoint"):
        transcribe(make_sound((1, 0.5)), model=str(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint",
        {"weights": 1},
        {"dims": {"n_mels": 80}, "model_state_dict": {}},
        {"dims": asdict(SIZES), "model_state_dict": {}},
    ],
)
def test_files_that_are_no_checkpoints_are_refused(
    make_sound: MakeSound, tmp_path: Path, content: object
) -> None:
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ModelError, match="is not a Whisper checkpoint") as refused:
        transcribe(make_sound((1, 0.5)), model=str(path))
    assert refused.value.hint


def test_a_checkpoint_of_other_sizes_is_refused(make_sound: MakeSound, tmp_path: Path) -> None:
    sizes, path = replace(SIZES, n_audio_ctx=100), tmp_path / "short.pt"
    torch.save({"dims": asdict(sizes), "model_state_dict": Whisper(sizes).state_dict()}, path)
    with pytest.raises(ModelError, match="does not listen to 30 s"):
        transcribe(make_sound((1, 0.5)), model=str(path))


@pytest.fixture
def published(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish the checkpoint as the model ``seeded``, at an address that ends as the real ones."""
    sha256 = whisper_weights._sha256(checkpoint)
    served = tmp_path / "server" / sha256 / "seeded.pt"
    served.parent.mkdir(parents=True)
    served.write_bytes(checkpoint.read_bytes())
    monkeypatch.setitem(whisper._MODELS, "seeded", served.as_uri())
    return served


def test_named_weights_are_fetched_once_and_whole(
    make_sound: MakeSound, published: Path, tmp_path: Path
) -> None:
    sound, weights = make_sound((1, 0.5)), tmp_path / "weights"
    transcribe(sound, model="seeded", weights_dir=weights)
    assert [path.name for path in weights.iterdir()] == ["seeded.pt"]
    published.unlink()
    transcribe(sound, model="seeded", weights_dir=weights, offline=True)


def test_damaged_weights_are_neither_used_nor_left(
    make_sound: MakeSound, published: Path, tmp_path: Path
) -> None:
    sound, weights = make_sound((1, 0.5)), tmp_path / "weights"
    published.write_bytes(b"half")
    with pytest.raises(ModelError, match="is damaged"):
        transcribe(sound, model="seeded", weights_dir=weights)
    assert list(weights.iterdir()) == []
    (weights / "seeded.pt").write_bytes(b"half")
    with pytest.raises(ModelError, match="nothing is fetched offline"):
        transcribe(sound, model="seeded", weights_dir=weights, offline=True)


def test_weights_that_cannot_be_fetched_tell_where_they_belong(
    make_sound: MakeSound, published: Path, tmp_path: Path
) -> None:
    published.unlink()
    with pytest.raises(ModelError, match="cannot be fetched") as refused:
        transcribe(make_sound((1, 0.5)), model="seeded", weights_dir=tmp_path / "weights")
    assert str(tmp_path / "weights" / "seeded.pt") in refused.value.hint
    assert "whisper.load_model('seeded')" in refused.value.hint


def test_a_kept_transcript_needs_no_weights(
    make_sound: MakeSound, published: Path, tmp_path: Path
) -> None:
    sound, weights, cache = make_sound((1, 0.5)), tmp_path / "weights", tmp_path / "cache"
    first = transcribe(sound, model="seeded", weights_dir=weights, cache_dir=cache)
    (weights / "seeded.pt").unlink()
    again = transcribe(sound, model="seeded", weights_dir=weights, cache_dir=cache, offline=True)
    assert again == first


@pytest.mark.parametrize(
    "figures",
    [
        {"avg_logprob": -1.2},
        {"compression_ratio": 2.9},
        {"no_speech_prob": 0.8, "avg_logprob": -0.7},
        {"avg_logprob": math.nan},
        {"text": "  "},
    ],
)
def test_pieces_whisper_doubts_are_left_out(figures: dict[str, float]) -> None:
    sure = speech("And so my fellow Americans")
    assert keep_speech([sure, replace(sure, **figures)]) == [sure]


@pytest.mark.parametrize(
    "figures", [{"no_speech_prob": 0.8, "avg_logprob": -0.2}, {"avg_logprob": -0.95}]
)
def test_pieces_whisper_is_sure_enough_of_are_kept(figures: dict[str, float]) -> None:
    piece = speech("ask not", **figures)
    assert keep_speech([piece]) == [piece]


def test_loops_are_said_once_and_echoes_twice() -> None:
    said = [
        "Hi.",
        "Thank you.",
        "thank you",
        "Thank you!",
        "No!",
        "No!",
        "a",
        "b",
        "a",
        "b",
        "a",
        "b",
    ]
    kept = [segment.text for segment in drop_loops([speech(text) for text in said])]
    assert kept == ["Hi.", "Thank you.", "No!", "No!", "a", "b"]


@settings(deadline=None, max_examples=50)
@given(said=st.lists(st.sampled_from("abc"), max_size=14), rounds=st.integers(3, 6))
def test_only_repeats_are_ever_dropped(said: list[str], rounds: int) -> None:
    kept = [segment.text for segment in drop_loops([speech(text) for text in said])]
    rest = iter(said)
    assert all(text in rest for text in kept), "what is kept is in order"
    assert set(kept) == set(said)
    loop = [speech(text) for text in "abcd"[: 1 + len(said) % 4]]
    assert drop_loops(loop * rounds) == loop


def test_times_past_the_end_of_the_sound_are_cut() -> None:
    figures = {"no_speech_prob": 0.1, "avg_logprob": -0.3, "compression_ratio": 1.0}
    result = {
        "segments": [
            {"start": 0.0, "end": 4.0, "text": " Hello.", **figures},
            {"start": 4.0, "end": 29.98, "text": " there", **figures},
            {"start": 12.0, "end": 14.0, "text": " Thanks for watching!", **figures},
            {"start": 5.0, "end": 5.0, "text": "", **figures},
        ]
    }
    found = list(segments_of(result, offset=10.0, duration=11.0))
    assert [(s.start, s.end, s.text) for s in found] == [
        (10.0, 14.0, " Hello."),
        (14.0, 21.0, " there"),
    ]


@pytest.mark.skipif(not AUDIO.exists(), reason="no real recordings here")
def test_recordings_of_one_speech_in_three_formats_sound_the_same(checkpoint: Path) -> None:
    names = ("whisper__jfk.flac", "whisper.cpp__jfk.wav", "whisper.cpp__jfk.mp3")
    flac, wav, mp3 = (next(iter_audio(AUDIO / name)) for name in names)
    for chunk in (flac, wav, mp3):
        assert len(chunk.samples) == pytest.approx(11 * SAMPLE_RATE, abs=2)
    assert np.abs(flac.samples - wav.samples).max() < 0.02
    heard = transcribe(AUDIO / names[0], model=str(checkpoint), thresholds=BELIEVE_ALL)
    assert heard.cues and all(0 <= cue.start <= cue.end <= 11.01 for cue in heard.cues)
