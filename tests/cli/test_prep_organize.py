"""``goldfish prep organize``, ``filter`` and ``clean``: accounts, exit codes, and what is kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prep_parts import contents, read_rows, write_clip, write_rows
from typer.testing import Result

KEYS = {"kind", "read", "written", "dropped", "output", "seconds"}


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    write_clip(folder / "2012/-a.mp4", seed=1)
    write_clip(folder / "2013/b.mkv", seed=2)
    (folder / "2013/c.mp4.part").write_bytes(b"half")
    return folder


def test_organize_shows_its_plan_carries_it_out_and_takes_it_back(
    goldfish: Callable[..., Result], downloads: Path
) -> None:
    before = contents(downloads)
    planned = goldfish("prep", "organize", downloads, "--dry-run")
    assert planned.exit_code == 0, planned.stderr
    assert planned.stdout.splitlines() == [
        "move\t2012/-a.mp4\t-a.mp4",
        "remux\t2013/b.mkv\tb.mp4",
        "stash\t2013/b.mkv\t.originals/2013/b.mkv",
        "leave\t2013/c.mp4.part\tpartial\ta download that did not end",
        f"{downloads}: read 3 = written 2 + dropped 1",
        "        1 partial",
    ]
    assert contents(downloads) == before

    done = goldfish("prep", "organize", downloads, "--json")
    account = json.loads(done.stdout)
    assert account.keys() >= KEYS
    assert (account["kind"], account["read"], account["written"]) == ("organize", 3, 2)
    assert account["dropped"] == {"partial": 1}
    assert {"-a.mp4", "b.mp4", ".originals/2013/b.mkv"} <= contents(downloads).keys()
    assert "--undo" in done.stderr

    undone = goldfish("prep", "organize", downloads, "--undo", "--json")
    assert undone.exit_code == 0
    assert json.loads(undone.stdout)["written"] == 3
    assert contents(downloads) == before
    again = goldfish("prep", "organize", downloads, "--undo")
    assert again.exit_code == 3
    assert "organize.journal.jsonl" in again.stderr


def test_what_cannot_be_put_back_ends_with_8(
    goldfish: Callable[..., Result], downloads: Path
) -> None:
    assert goldfish("prep", "organize", downloads).exit_code == 0
    write_clip(downloads / "2012/-a.mp4", seed=9)
    result = goldfish("prep", "organize", downloads, "--undo")
    assert result.exit_code == 8
    assert "-a.mp4 stays: source-exists" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--copy", "--move"), 2, "exclude each other"),
        (("--copy",), 2, "--out DIR"),
        (("--link",), 2, "--out DIR"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str, ...], code: int, said: str, goldfish: Callable[..., Result], downloads: Path
) -> None:
    result = goldfish("prep", "organize", downloads, *options)
    assert result.exit_code == code
    assert said in result.stderr


def test_a_missing_folder_ends_with_3(goldfish: Callable[..., Result], tmp_path: Path) -> None:
    result = goldfish("prep", "organize", tmp_path / "nowhere")
    assert result.exit_code == 3
    assert "nowhere" in result.stderr


ROWS = [
    {"video_id": "-a", "q": "What?", "a": "A cat in a cafÃ©."},
    {"video_name": "b.mkv", "question": "What?", "answer": "A dog."},
    {"video_id": "c", "q": "What?", "a": "..."},
]


def test_filter_keeps_rows_of_readable_videos(
    goldfish: Callable[..., Result], downloads: Path, tmp_path: Path
) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", ROWS), tmp_path / "out.json"
    (downloads / "c.mp4").write_bytes(b"no video")
    for probe, written in (("none", 3), ("header", 2), ("decode", 2)):
        words = ("--videos", downloads, "--out", out, "--probe", probe, "--json")
        result = goldfish("prep", "filter", source, *words)
        assert result.exit_code == 0, result.stderr
        account = json.loads(result.stdout)
        assert account.keys() >= KEYS
        assert (account["read"], account["written"]) == (3, written)
        assert "folders below" in result.stderr
    assert account["dropped"] == {"unreadable-video": 1}
    assert [row["video_id"] for row in read_rows(out)] == ["-a", "b"]


def test_filter_writes_nothing_where_nothing_is_left(
    goldfish: Callable[..., Result], tmp_path: Path
) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", ROWS), tmp_path / "out.json"
    out.write_text("old")
    (tmp_path / "videos").mkdir()
    result = goldfish("prep", "filter", source, "--videos", tmp_path / "videos", "--out", out)
    assert result.exit_code == 3
    assert "missing-video 3" in result.stderr
    assert out.read_text() == "old"


def test_clean_mends_drops_and_says_how_often(
    goldfish: Callable[..., Result], tmp_path: Path
) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", ROWS), tmp_path / "out.json"
    result = goldfish("prep", "clean", source, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    account = json.loads(result.stdout)
    assert account.keys() >= KEYS
    assert account["dropped"] == {"empty": 1}
    assert account["mended"] == {"encoding": 1, "keys": 1}
    assert read_rows(out)[0]["a"] == "A cat in a café."
    first = contents(tmp_path)
    assert goldfish("prep", "clean", source, "--out", out).exit_code == 0
    assert contents(tmp_path) == first, "the same command writes the same bytes"
    kept = goldfish("prep", "clean", source, "--out", out, "--without", "empty", "--json")
    assert json.loads(kept.stdout)["written"] == 3


def test_an_unknown_rule_ends_with_2(goldfish: Callable[..., Result], tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    result = goldfish("prep", "clean", source, "--out", tmp_path / "o.json", "--without", "x")
    assert result.exit_code == 2
    assert "repeated-caption" in result.stderr


@pytest.mark.parametrize("command", ["clean", "filter"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.json", b'[{"video_id": "a", "q": "b", "a": "c"}, {"video_id'),
        ("binary.json", bytes(range(256)) * 10),
        ("empty.json", b""),
        ("prose.csv", b"once upon a time\n\nthere was a file\n"),
    ],
)
def test_broken_annotations_end_with_3_and_leave_the_old_output(
    command: str, name: str, content: bytes, goldfish: Callable[..., Result], downloads: Path
) -> None:
    source, out = downloads / name, downloads / "out.json"
    source.write_bytes(content)
    out.write_text("old")
    videos = ("--videos", downloads) if command == "filter" else ()
    result = goldfish("prep", command, source, *videos, "--out", out)
    assert result.exit_code == 3, result.stdout
    assert result.stderr.startswith("error: ")
    assert out.read_text() == "old"
    assert not list(downloads.glob("*.part"))
