from pathlib import Path
from typing import Any

import pytest
from prep_parts import read_rows, write_clip, write_rows

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.filter import filter_rows, wanted_videos
from goldfish_cli.data.prepare.media import find_media
from goldfish_cli.data.prepare.output import PreparedFile


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    write_clip(folder / "a.mp4")
    write_clip(folder / "2012/-b.c.mkv")
    write_clip(tmp_path / "secret.mp4")
    return folder


ROWS: list[Any] = [
    {"video_id": "a", "q": "What?", "a": "A cat."},
    {"video_name": "-b.c.mkv", "question": "What?", "answer": "A dog."},
    {"video_id": "a", "q": "Why?", "a": "Because."},
    {"video_id": "gone", "q": "What?", "a": "Nothing."},
    {"video_id": "../secret", "q": "What?", "a": "Nothing."},
    {"video_id": "a", "q": "What?"},
]


def filtered(source: Path, videos: Path, out: Path, unreadable: dict[Path, str]) -> Account:
    account = Account("filter")
    with PreparedFile(out, account, provenance={}) as output:
        index = find_media(videos)
        assert len(list(filter_rows(source, index, unreadable, output, account))) == len(ROWS)
    return account


def test_rows_without_a_video_are_dropped_for_a_reason(videos: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    account = filtered(source, videos, tmp_path / "out.json", {})
    assert account.num_written == 3
    assert account.dropped == {"missing-video": 1, "no-answer": 1, "outside-folder": 1}
    assert [row["video_id"] for row in read_rows(tmp_path / "out.json")] == ["a", "-b.c", "a"]
    dropped = read_rows(tmp_path / "out.dropped.jsonl")
    assert [row["row"] for row in dropped] == ROWS[3:]


def test_each_video_is_wanted_once_in_the_order_of_the_rows(videos: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    wanted = wanted_videos(source, find_media(videos))
    assert wanted == [videos / "a.mp4", videos / "2012/-b.c.mkv"]


def test_rows_of_videos_that_cannot_be_read_are_dropped(videos: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    account = filtered(source, videos, tmp_path / "out.json", {videos / "a.mp4": "is cut"})
    assert account.num_written == 1
    assert account.dropped["unreadable-video"] == 2
    assert read_rows(tmp_path / "out.dropped.jsonl")[0]["detail"] == "is cut"


def test_videos_in_folders_are_told_from_those_where_training_looks(
    videos: Path, tmp_path: Path
) -> None:
    source = write_rows(tmp_path / "in.jsonl", [*ROWS[:2], {**ROWS[0], "video_id": "2012/-b.c"}])
    account = Account("filter")
    with PreparedFile(tmp_path / "out.json", account, provenance={}) as output:
        found = list(filter_rows(source, find_media(videos), {}, output, account))
    assert found == ["kept", "kept-deep", "kept"]
