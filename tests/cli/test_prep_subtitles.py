"""``goldfish prep subtitles``: its account, its notes, and what it leaves in the folder."""

import json

import pytest
from subtitle_parts import save_whisper, write_film

SAID = [(0.2, 0.9, "Hello")]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_whisper(tmp_path_factory.mktemp("whisper") / "seeded.pt")


def test_a_folder_is_done_once_and_the_account_is_the_same_again(goldfish, weights, tmp_path):
    write_film(tmp_path / "said.mkv", said=SAID, tone_s=1.0)
    write_film(tmp_path / "heard.mkv", tone_s=1.0)
    write_film(tmp_path / "mute.mkv")
    words = ("prep", "subtitles", tmp_path, "--whisper-model", weights, "--profile", "cpu")
    accounts = []
    for _ in range(2):
        result = goldfish(*words, "--json")
        assert result.exit_code == 0, result.stderr
        facts = json.loads(result.stdout)
        assert list(facts) == ["kind", "read", "written", "dropped", "output", "seconds"]
        accounts.append({**facts, "seconds": 0})
    assert accounts[0] == accounts[1]
    # What an untrained Whisper says is not believed.
    assert accounts[0]["dropped"] == {"no-sound": 1, "no-speech": 1}
    assert accounts[0]["written"] == 1
    assert "3 of 3 videos were done already" in result.stderr
    assert (tmp_path / "said.srt").read_text() == "1\n00:00:00,200 --> 00:00:00,900\nHello\n"
    assert not (tmp_path / "heard.srt").exists()


def test_extracting_needs_no_whisper(goldfish, tmp_path):
    write_film(tmp_path / "said.mkv", said=SAID)
    result = goldfish("prep", "subtitles", tmp_path, "--source", "embedded")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'subtitles.jsonl'}: read 1 = written 1 + dropped 0\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere", "--source", "embedded"], 3, "nowhere"),
        ([".", "--whisper-model", "huge"], 5, "huge"),
        ([".", "--language", "klingon"], 3, "klingon"),
        ([".", "--whisper-model", "tiny", "--offline"], 5, "offline"),
    ],
)
def test_a_mistake_is_named_and_has_its_exit_code(
    goldfish, tmp_path, monkeypatch, words, code, message
):
    write_film(tmp_path / "heard.mkv", tone_s=1.0)
    monkeypatch.chdir(tmp_path)
    result = goldfish("prep", "subtitles", *words, "--profile", "cpu")
    assert result.exit_code == code, result.stderr
    assert message in result.stderr
    assert not (tmp_path / "subtitles.jsonl").exists()
