"""``goldfish prep cmd``: its account, its exit codes, and that a mistake leaves old files alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

CLIPS = (
    "videoid,year,title,clip_name,imdbid\na,2012.0,T,S,tt1\n-b,2012.0,T,S,tt2\nc,2012.0,T,,tt2\n"
)
DESCRIPTIONS = "videoid,description\na,A fish swims.\n-b,A dog runs.\nd,Nobody is here.\n"


@pytest.fixture
def join(goldfish: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Run ``goldfish prep cmd`` on two small tables."""
    (tmp_path / "clips.csv").write_text(CLIPS)
    (tmp_path / "descriptions.csv").write_text(DESCRIPTIONS)
    (tmp_path / "split.csv").write_text("imdbid,split\ntt1,train\ntt2,test\n")

    def run(*words: str | Path) -> Result:
        tables = (
            "--clips",
            tmp_path / "clips.csv",
            "--descriptions",
            tmp_path / "descriptions.csv",
        )
        return goldfish("prep", "cmd", *tables, "--out", tmp_path / "cmd.json", *words)

    return run


def test_the_account_says_what_became_of_every_clip(
    join: Callable[..., Result], tmp_path: Path
) -> None:
    result = join()
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{tmp_path / 'cmd.json'}: read 3 = written 2 + dropped 1",
        "        1 no-description",
    ]
    assert "1 descriptions belong to no clip" in result.stderr
    quiet = join("--quiet")
    assert quiet.stderr == ""
    assert len(quiet.stdout.splitlines()) == 1


def test_json_holds_the_keys_of_the_contract(join: Callable[..., Result], tmp_path: Path) -> None:
    result = json.loads(join("--json", "--split", tmp_path / "split.csv", "--only", "test").stdout)
    assert list(result) == ["kind", "read", "written", "dropped", "output", "seconds"]
    assert result["kind"] == "cmd"
    assert result["dropped"] == {"no-description": 1, "other-split": 1}
    assert result["read"] == result["written"] + sum(result["dropped"].values())
    assert [item["image_id"] for item in json.loads((tmp_path / "cmd.json").read_text())] == ["-b"]


def test_the_same_command_writes_the_same_bytes(
    join: Callable[..., Result], tmp_path: Path
) -> None:
    def files() -> dict[str, bytes]:
        join("--split", tmp_path / "split.csv")
        return {path.name: path.read_bytes() for path in tmp_path.glob("cmd.*")}

    first = files()
    assert first.keys() == {"cmd.json", "cmd.dropped.jsonl", "cmd.provenance.json"}
    assert files() == first


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        (CLIPS + "d,2012.0", "Line 5 of clips.csv has 2 columns"),
        (CLIPS.replace(",", "^"), "no column"),
        ("\0\1\2", "not text"),
        (CLIPS.replace("title", "name"), "no column title"),
        (CLIPS.replace("title", "year"), "no column title"),
        (CLIPS.replace("year", "title"), "more than one column title|no column year"),
    ],
)
def test_a_broken_table_is_one_line_and_exit_3_and_old_output_stays(
    join: Callable[..., Result], tmp_path: Path, clips: str, words: str
) -> None:
    assert join().exit_code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("cmd.*")}
    (tmp_path / "clips.csv").write_text(clips)
    result = join()
    assert result.exit_code == 3
    error, hint = result.stderr.strip().splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert any(word in error for word in words.split("|")), error
    assert {path.name: path.read_bytes() for path in tmp_path.glob("cmd.*")} == before


def test_a_join_of_nothing_leaves_the_old_output(
    join: Callable[..., Result], tmp_path: Path
) -> None:
    join()
    before = (tmp_path / "cmd.json").read_bytes()
    (tmp_path / "videos").mkdir()
    result = join("--videos", tmp_path / "videos")
    assert result.exit_code == 3
    assert "None of 3 rows is left: missing-video 2, no-description 1" in result.stderr
    assert (tmp_path / "cmd.json").read_bytes() == before


def test_wrong_options_are_usage_errors(join: Callable[..., Result], tmp_path: Path) -> None:
    assert join("--only", "train").exit_code == 2
    result = join("--without", "junk")
    assert result.exit_code == 2
    assert "one-word" in result.stderr
    assert join("--out", tmp_path / "cmd.csv").exit_code == 2
