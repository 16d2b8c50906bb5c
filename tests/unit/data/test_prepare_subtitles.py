"""Subtitles for a folder: nothing of a person's is touched, nothing done twice, nothing lost."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from subtitle_parts import save_whisper, write_film

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import PreparedFile, provenance
from goldfish_cli.data.prepare.subtitles import (
    JOURNAL,
    find_videos,
    make_subtitles,
    record_outcomes,
)
from goldfish_cli.errors import InputError, ModelError
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.speech import Transcriber
from goldfish_cli.media.speech_filter import SpeechThresholds
from goldfish_cli.media.subtitle_files import read_subtitle_file
from goldfish_cli.media.subtitle_writing import srt_text
from goldfish_cli.media.subtitles import find_subtitles
from goldfish_cli.media.video import probe

BELIEVE_ALL = SpeechThresholds(min_logprob=-math.inf, max_compression_ratio=math.inf)
SAID = [(0.2, 0.9, "Hello"), (1.1, 1.5, "again")]
LETTERS = st.text(st.sampled_from("aB7é的 <>&;/ib{}\\"), min_size=1, max_size=12)
MOMENTS = st.integers(0, 359_999_999)  # milliseconds


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return save_whisper(tmp_path_factory.mktemp("whisper") / "seeded.pt")


@pytest.fixture
def transcriber(checkpoint) -> Transcriber:
    return Transcriber(model=str(checkpoint), thresholds=BELIEVE_ALL, language="en")


@pytest.fixture
def run(tmp_path):
    """Make the subtitles of ``tmp_path``; what became of each video, and the account."""

    def run(source="embedded", transcriber=None):
        account = Account("subtitles")
        made_from = provenance("subtitles", [], {})
        with PreparedFile(tmp_path / "subtitles.jsonl", account, provenance=made_from) as output:
            videos = find_videos(tmp_path)
            made = make_subtitles(tmp_path, videos, source=source, transcriber=transcriber)
            outcomes = list(record_outcomes(made, output, account))
        return {outcome.entry.video: outcome for outcome in outcomes}, account

    return run


@settings(max_examples=60)
@given(st.lists(st.tuples(MOMENTS, MOMENTS, LETTERS.filter(str.strip)), min_size=1, max_size=8))
def test_srt_that_was_written_is_read_back_the_same(tmp_path_factory, cues):
    cues = sorted(
        {Cue(min(a, b) / 1000, max(a, b) / 1000, " ".join(t.split())) for a, b, t in cues},
        key=lambda cue: cue.start,
    )
    path = tmp_path_factory.mktemp("srt") / "clip.srt"
    path.write_text(srt_text(cues), encoding="utf-8")
    assert list(read_subtitle_file(path).cues) == cues


@pytest.mark.parametrize(
    "text", ["a\n\nb", "1 --> 2", "00:00:01,000 --> 00:00:02,000", "7", "a\r7"]
)
def test_captions_that_look_like_something_else_stay_one_caption(tmp_path, text):
    path = tmp_path / "clip.srt"
    path.write_text(srt_text([Cue(0, 1, text), Cue(2, 3, "next")]), encoding="utf-8")
    assert [cue.start for cue in read_subtitle_file(path).cues] == [0, 2]


def test_a_stream_becomes_a_file_on_the_clock_that_players_use(tmp_path, run):
    video = write_film(tmp_path / "clip.mkv", said=SAID, start=5.0)
    outcomes, account = run()
    assert account.num_read == account.num_written == 1
    assert outcomes["clip.mkv"].entry.source == "stream 1"
    found = read_subtitle_file(tmp_path / "clip.srt").cues
    assert found == tuple(Cue(*cue) for cue in SAID)
    shown = find_subtitles(video, "auto", info=probe(video))
    assert shown.source == "clip.srt"
    assert shown.cues[0].start == pytest.approx(5.2)


def test_speech_is_transcribed_where_there_is_no_stream(tmp_path, run, transcriber):
    write_film(tmp_path / "streamed.mkv", said=SAID, tone_s=1.0)
    write_film(tmp_path / "spoken.mkv", tone_s=1.0, start=3.0)
    outcomes, account = run("auto", transcriber)
    assert account.num_written == 2
    assert outcomes["streamed.mkv"].entry.source == "stream 1"
    assert outcomes["spoken.mkv"].entry.source == "whisper seeded.pt"
    assert read_subtitle_file(tmp_path / "spoken.srt").cues == (Cue(0.54, 1.0, "Nos"),)
    rows = [json.loads(line) for line in (tmp_path / "subtitles.jsonl").open()]
    assert [row["video"] for row in rows] == ["spoken.mkv", "streamed.mkv"]
    assert rows[0]["language"] == "en"


def test_the_weights_are_read_once_for_all_and_not_for_what_is_done(tmp_path, run, checkpoint):
    for name in "ab":
        write_film(tmp_path / f"{name}.mkv", tone_s=1.0 if name == "a" else 2.0)
    copy = tmp_path / "copy.pt"
    shutil.copy(checkpoint, copy)
    transcriber = Transcriber(model=str(copy), thresholds=BELIEVE_ALL)
    transcriber.transcribe(tmp_path / "a.mkv")
    copy.unlink()  # a second load would fail
    _, account = run("whisper", transcriber)
    assert account.num_written == 2
    unloaded = Transcriber(model=str(checkpoint), thresholds=BELIEVE_ALL)
    outcomes, _ = run("whisper", unloaded)
    assert all(outcome.reused for outcome in outcomes.values())
    assert unloaded._model is None


@pytest.mark.parametrize("name", ["clip.srt", "clip.en.vtt", "clip.de.forced.ass", "clip.SRT"])
def test_what_a_person_put_there_is_never_touched(tmp_path, run, name):
    write_film(tmp_path / "clip.mkv", said=SAID)
    (tmp_path / name).write_bytes(b"mine")
    outcomes, account = run()
    assert account.dropped == {"has-subtitles": 1}
    assert outcomes["clip.mkv"].entry.detail == name
    assert (tmp_path / name).read_bytes() == b"mine"
    assert {path.name for path in tmp_path.glob("*")} >= {name, "clip.mkv"}
    assert len([path for path in tmp_path.iterdir() if path.suffix.lower() == ".srt"]) <= 1


def test_a_file_of_ours_that_was_corrected_is_a_persons_from_then_on(tmp_path, run):
    write_film(tmp_path / "clip.mkv", said=SAID)
    run()
    corrected = (tmp_path / "clip.srt").read_text().replace("Hello", "Hallo")
    (tmp_path / "clip.srt").write_text(corrected)
    _, account = run()
    assert account.dropped == {"has-subtitles": 1}
    assert (tmp_path / "clip.srt").read_text() == corrected


def test_a_file_that_comes_while_we_listen_is_kept(tmp_path, checkpoint):
    video = write_film(tmp_path / "clip.mkv", tone_s=1.0)

    class Slow(Transcriber):
        def transcribe(self, path):
            (tmp_path / "clip.srt").write_bytes(b"mine")
            return super().transcribe(path)

    transcriber = Slow(model=str(checkpoint), thresholds=BELIEVE_ALL)
    (outcome,) = make_subtitles(tmp_path, [video], source="whisper", transcriber=transcriber)
    assert outcome.entry.reason == "has-subtitles"
    assert (tmp_path / "clip.srt").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_done_twice_and_a_changed_video_is_done_again(tmp_path, run):
    write_film(tmp_path / "clip.mkv", said=SAID)
    write_film(tmp_path / "mute.mkv")
    first = run()[1]
    listing = (tmp_path / "subtitles.jsonl").read_bytes()
    outcomes, again = run()
    assert all(outcome.reused for outcome in outcomes.values())
    assert (again.num_written, again.dropped) == (first.num_written, first.dropped)
    assert (tmp_path / "subtitles.jsonl").read_bytes() == listing
    write_film(tmp_path / "clip.mkv", said=[(0.1, 0.2, "new")])
    outcomes, _ = run()
    assert not outcomes["clip.mkv"].reused and outcomes["mute.mkv"].reused
    assert "new" in (tmp_path / "clip.srt").read_text()


def test_another_setting_makes_our_own_file_anew_or_takes_it_away(tmp_path, run, transcriber):
    write_film(tmp_path / "clip.mkv", said=SAID, tone_s=1.0)
    write_film(tmp_path / "mute.mkv", said=SAID)
    run()
    outcomes, account = run("whisper", transcriber)
    assert outcomes["clip.mkv"].entry.source == "whisper seeded.pt"
    assert "Hello" not in (tmp_path / "clip.srt").read_text()
    assert account.dropped == {"no-sound": 1}
    assert not (tmp_path / "mute.srt").exists()


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_run_that_was_killed_continues(tmp_path, run, cut):
    for name in "abc":
        write_film(tmp_path / f"{name}.mkv", said=SAID)
    made = make_subtitles(tmp_path, find_videos(tmp_path), source="embedded")
    next(made), next(made)
    made.close()
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])  # killed amid the second line
    (tmp_path / ".b.srt.part").write_bytes(b"half")
    (tmp_path / "b.srt").unlink()
    outcomes, account = run()
    assert account.num_written == 3
    assert [outcome.reused for outcome in outcomes.values()] == [True, False, False]
    assert not (tmp_path / ".b.srt.part").exists()
    assert run()[1].num_written == 3


def test_every_video_that_gets_no_file_is_accounted_for(tmp_path, run, transcriber):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_film(tmp_path / "deep" / "er" / "clip.mkv", said=SAID)
    write_film(tmp_path / "mute.mkv")
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    (tmp_path / "empty.webm").write_bytes(b"")
    shutil.copy(tmp_path / "mute.mkv", tmp_path / "twin.mkv")
    shutil.copy(tmp_path / "mute.mkv", tmp_path / "twin.mp4")
    (tmp_path / "notes.txt").write_text("no video")
    _, account = run("auto", transcriber)
    assert (account.num_read, account.num_written) == (6, 1)
    assert account.dropped == {"no-sound": 2, "same-name": 1, "unreadable": 2}
    rows = [json.loads(line) for line in (tmp_path / "subtitles.dropped.jsonl").open()]
    assert {row["row"]["video"] for row in rows} == {
        "broken.mp4", "empty.webm", "mute.mkv", "twin.mp4", "twin.mkv",
    }  # fmt: skip
    assert all(row["detail"] for row in rows)
    assert (tmp_path / "deep" / "er" / "clip.srt").exists()


def test_missing_weights_stop_the_run_and_leave_no_list(tmp_path, run):
    write_film(tmp_path / "clip.mkv", tone_s=1.0)
    nowhere = Transcriber(model="tiny", offline=True, weights_dir=tmp_path / "weights")
    with pytest.raises(ModelError, match="offline"):
        run("whisper", nowhere)
    assert not (tmp_path / "subtitles.jsonl").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        find_videos(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path, run):
    write_film(tmp_path / "clip.mkv", said=SAID)
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        list(make_subtitles(tmp_path, find_videos(tmp_path), source="embedded"))


def test_all_real_subtitle_files_parse_and_survive_writing(shared_folder, tmp_path):
    files = sorted((shared_folder / "data" / "subtitles").iterdir())
    assert len(files) >= 11
    for path in files:
        cues = read_subtitle_file(path).cues
        assert cues
        copy = tmp_path / "copy.srt"
        copy.write_text(srt_text(cues), encoding="utf-8")
        again = read_subtitle_file(copy).cues
        assert [cue.text for cue in again] == [cue.text for cue in cues]
        assert [cue.start for cue in again] == pytest.approx([cue.start for cue in cues], abs=6e-4)
