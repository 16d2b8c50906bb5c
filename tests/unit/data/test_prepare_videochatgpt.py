"""Instructions of any format come out in one, with the length of their video."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.media import find_media
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.videochatgpt import KnownVideos, convert_rows


def convert(source: Path, videos: KnownVideos | None = None) -> tuple[list[Any], Account]:
    out = source.with_name("train.json")
    account = Account("videochatgpt")
    with PreparedFile(out, account, provenance={}) as output:
        for _ in convert_rows(source, output, account, videos=videos):
            pass
    return json.loads(out.read_text()), account


def test_the_length_stands_after_the_answer_and_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("length,video_id,type,q,a\n12.50,v,x,Who?,Me.\n,w,x,Who?,I.\n")
    items, _ = convert(tmp_path / "in.csv")
    assert items == [
        {"video_id": "v", "q": "Who?", "a": "Me.", "length": 12.5, "type": "x"},
        {"video_id": "w", "q": "Who?", "a": "I.", "type": "x"},
    ]
    assert list(items[0]) == ["video_id", "q", "a", "length", "type"]


def test_rows_are_dropped_for_want_of_a_readable_video(tmp_path: Path) -> None:
    names = ["good", "broken", "gone", "../good"]
    rows = [{"video_id": name, "q": "Who?", "a": "Me."} for name in names]
    (tmp_path / "in.json").write_text(json.dumps([*rows, {"video_id": "good", "q": "Who?"}]))
    (tmp_path / "videos").mkdir()
    good, broken = (tmp_path / "videos" / f"{name}.mp4" for name in ("good", "broken"))
    good.touch()
    broken.touch()
    videos = KnownVideos(find_media(tmp_path / "videos"), {good: 2.5}, {broken: "It is empty."})
    items, account = convert(tmp_path / "in.json", videos)
    assert items == [{"video_id": "good", "q": "Who?", "a": "Me.", "length": 2.5}]
    assert account.dropped == {
        "missing-video": 1,
        "no-answer": 1,
        "outside-folder": 1,
        "unreadable-video": 1,
    }


def test_dialogues_stay_dialogues(tmp_path: Path) -> None:
    turns = [{"q": "Who?", "a": "Me."}, {"q": "Why?", "a": "So."}]
    record = {"video_id": "v", "conversations": turns, "length": 3}
    (tmp_path / "in.json").write_text(json.dumps([record]))
    items, _ = convert(tmp_path / "in.json")
    assert items == [record]


@pytest.mark.parametrize("kind", ["videochatgpt", "msvd", "llamafactory"])
def test_the_real_samples_pass_through(shared_folder: Path, tmp_path: Path, kind: str) -> None:
    (source,) = (shared_folder / "data" / "qa").glob(f"PAIRED_{kind}*")
    shutil.copy(source, tmp_path / "in.json")
    items, account = convert(tmp_path / "in.json")
    assert account.dropped == {}
    assert account.num_written == len(json.loads(source.read_text())) == len(items)
    samples = list(read_annotations(tmp_path / "train.json"))
    assert [sample.turns for sample in samples] == [((item["q"], item["a"]),) for item in items]
