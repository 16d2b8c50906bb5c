"""``goldfish prep videochatgpt``: real videos give lengths, wrong files give one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result


def test_the_length_is_that_of_the_video(
    goldfish: Callable[..., Result], tmp_path: Path, shared_folder: Path
) -> None:
    (video,) = (shared_folder / "data" / "videos").glob("*__v_TpB_zMG3XBA.mp4")
    (source,) = (shared_folder / "data" / "qa").glob("PAIRED_videochatgpt_v_TpB_zMG3XBA.json")
    (tmp_path / "videos" / "deep").mkdir(parents=True)
    shutil.copy(video, tmp_path / "videos" / "deep" / "v_TpB_zMG3XBA.mp4")
    words = ("--videos", tmp_path / "videos", "--out", tmp_path / "train.json", "--json")
    result = goldfish("prep", "videochatgpt", source, *words)
    assert result.exit_code == 0, result.stderr
    account = json.loads(result.stdout)
    assert list(account) == ["kind", "read", "written", "dropped", "output", "seconds"]
    assert (account["read"], account["written"], account["dropped"]) == (1, 1, {})
    (item,) = json.loads((tmp_path / "train.json").read_text())
    assert list(item) == ["video_id", "q", "a", "length"]
    assert item["video_id"] == "v_TpB_zMG3XBA"
    assert item["length"] > 5


def test_rows_that_cannot_be_used_are_set_aside_with_their_reason(
    goldfish: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text('v,"Who\nis it?",Me.\n-w,Why is it?,\n')
    result = goldfish("prep", "videochatgpt", tmp_path / "in.csv", "--out", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.stderr
    assert "read 2 = written 1 + dropped 1" in result.stdout
    assert json.loads((tmp_path / "out.jsonl").read_text())["q"] == "Who\nis it?"
    dropped = json.loads((tmp_path / "out.dropped.jsonl").read_text())
    assert dropped == {
        "row": {"video_id": "-w", "q": "Why is it?", "a": ""},
        "reason": "no-answer",
        "detail": "has no answer: it has video_id, q, a",
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b'{"a": 1}', b"\0\1\2\3", b"video_id,q,a\nv,Who?\n", b"a b c\nd e f\n"],
)
def test_a_file_of_no_use_is_exit_3_and_leaves_the_old_output(
    goldfish: Callable[..., Result], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "in.txt").write_bytes(content)
    (tmp_path / "out.json").write_text("[]\n")
    result = goldfish("prep", "videochatgpt", tmp_path / "in.txt", "--out", tmp_path / "out.json")
    assert result.exit_code == 3
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.json"]
    assert (tmp_path / "out.json").read_text() == "[]\n"


def test_a_missing_folder_of_videos_is_named(
    goldfish: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("video_id,q,a\nv,Who?,Me.\n")
    words = ("--videos", tmp_path / "nowhere", "--out", tmp_path / "out.json")
    result = goldfish("prep", "videochatgpt", tmp_path / "in.csv", *words)
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
