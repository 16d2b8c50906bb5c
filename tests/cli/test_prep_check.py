"""``goldfish prep check``: its account, its exit codes, and what it leaves behind."""

import json

import pytest


@pytest.fixture
def write(tmp_path):
    def write(rows, name="train.json"):
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return path

    return write


GOOD = {"video_id": "a", "q": "What grows?", "a": "The red circle."}
LIMITS = ("--profile", "cpu")


def test_sound_data_end_with_the_account_alone(goldfish, write):
    result = goldfish("prep", "check", write([GOOD]), "--json", *LIMITS)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert list(facts)[:6] == ["kind", "read", "written", "dropped", "output", "seconds"]
    assert (facts["kind"], facts["read"], facts["written"]) == ("check", 1, 1)
    assert facts["dropped"] == facts["errors"] == facts["warnings"] == {}
    assert facts["statistics"]["answer_tokens"]["limit"] == 160


def test_errors_end_with_exit_code_3_and_name_the_row_and_what_mends_it(goldfish, write):
    path = write([GOOD, {"video_id": "b", "q": "What?"}])
    result = goldfish("prep", "check", path, *LIMITS)
    assert result.exit_code == 3
    assert "train.json row 2 (b): has no answer" in result.stdout
    assert "mend: " in result.stdout
    assert f"{path}: read 2 = written 1 + dropped 1" in result.stdout
    assert "1 of 2 rows of train.json cannot be used" in result.stderr
    as_json = goldfish("prep", "check", path, "--json", *LIMITS)
    assert as_json.exit_code == 3
    facts = json.loads(as_json.stdout)
    assert facts["errors"] == facts["dropped"] == {"no-answer": 1}
    assert facts["findings"][0] == {
        "severity": "error",
        "kind": "no-answer",
        "file": "train.json",
        "row": 2,
        "id": "b",
        "message": facts["findings"][0]["message"],
        "mend": facts["findings"][0]["mend"],
    }


def test_warnings_alone_end_well(goldfish, write):
    result = goldfish("prep", "check", write([GOOD, GOOD]), "--no-tokens")
    assert result.exit_code == 0
    assert "warning: duplicate-row (1)" in result.stdout
    assert "Videos were not looked for" in result.stderr


def test_videos_that_are_missing_are_errors(goldfish, write, tmp_path):
    (tmp_path / "clips").mkdir()
    result = goldfish("prep", "check", write([GOOD]), "--no-tokens", "--videos", tmp_path / "clips")
    assert result.exit_code == 3
    assert "there is no video or image a in clips" in result.stdout


def test_two_files_are_two_splits(goldfish, write):
    files = [write([GOOD]), write([GOOD | {"q": "And?"}], "val.json")]
    result = goldfish("prep", "check", *files, "--no-tokens")
    assert result.exit_code == 3
    assert "val.json row 1 (a): video a is in val.json and also in train.json" in result.stdout
    assert goldfish("prep", "check", *files, "--no-tokens", "--one-split").exit_code == 0


def test_every_finding_and_the_drawings_go_to_files(goldfish, write, tmp_path):
    report, out = tmp_path / "new" / "check.html", tmp_path / "new" / "all.jsonl"
    path = write([{"video_id": str(number)} for number in range(9)])
    words = ("--report", report, "--out", out, "--show", "1", *LIMITS)
    result = goldfish("prep", "check", path, *words)
    assert result.exit_code == 3
    assert [json.loads(line)["row"] for line in out.open()] == list(range(1, 10))
    assert "<svg" not in report.read_text(), "there is nothing to draw"
    assert result.stdout.count("train.json row") == 1
    assert {path.name for path in report.parent.iterdir()} == {"check.html", "all.jsonl"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.json"], 3, "none.json"),
        (["."], 3, "holds no tars"),
        (["train.json", "--out", "x.txt"], 2, "x.txt"),
        (["train.json", "--model", "no/such", "--offline"], 5, "no/such"),
        (["train.json", "--profile", "none"], 4, "none"),
        (["train.json", "--videos", "nowhere"], 3, "nowhere"),
    ],
)
def test_a_mistake_is_named_and_has_its_exit_code(
    goldfish, write, tmp_path, monkeypatch, words, code, message
):
    write([GOOD])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.jsonl").write_text("old")
    chosen = [] if {"--profile", "--model"} & set(words) else ["--no-tokens"]
    if "--model" in words:
        chosen = list(LIMITS)
    result = goldfish("prep", "check", *words, *chosen)
    assert result.exit_code == code, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_cannot_be_read_leaves_the_old_findings(goldfish, tmp_path):
    (tmp_path / "cut.json").write_text('[{"video_id": "a"}, {"video')
    (tmp_path / "all.jsonl").write_text("old")
    words = ("--no-tokens", "--out", tmp_path / "all.jsonl")
    result = goldfish("prep", "check", tmp_path / "cut.json", *words)
    assert result.exit_code == 3
    assert (tmp_path / "all.jsonl").read_text() == "old"
    assert not list(tmp_path.glob("*.part"))
