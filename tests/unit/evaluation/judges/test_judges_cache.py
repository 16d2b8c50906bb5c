"""Replies on disk: kept whatever happens to the run."""

import json
import threading
from pathlib import Path

import pytest

from goldfish_cli.errors import InputError
from goldfish_cli.evaluation.judges.cache import ReplyCache, cache_key
from goldfish_cli.evaluation.judges.chat import ChatReply, Message

REPLY = ChatReply("half a pair: \ud800, a break\n", 7, None, "m fp")
MESSAGES = [Message(role="user", content="\udfff?")]


def test_replies_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a" / "replies.jsonl"
    ReplyCache(path).put("k", REPLY)
    kept = ReplyCache(path)
    assert len(kept) == 1 and kept.get("k") == REPLY and kept.get("other") is None


@pytest.mark.parametrize("cut", [1, 5, 60, 100])
def test_half_a_last_line_costs_that_reply_alone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "replies.jsonl"
    cache = ReplyCache(path)
    for key in "abc":
        cache.put(key, REPLY)
    content = path.read_bytes()
    path.write_bytes(content[: -cut - 1])  # the last byte is a line break
    after = ReplyCache(path)
    assert [after.get(key) for key in "abc"] == [REPLY, REPLY, None]
    after.put("d", REPLY)
    assert {key for key in "abcd" if ReplyCache(path).get(key)} == set("abd")


def test_a_writer_killed_beside_us_costs_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    ours = ReplyCache(path)
    ours.put("a", REPLY)
    with path.open("ab") as other:
        other.write(b'\n{"key": "x", "te')
    ours.put("b", REPLY)
    again = ReplyCache(path)
    assert again.get("a") == again.get("b") == REPLY and len(again) == 2


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    caches = [ReplyCache(path), ReplyCache(path)]

    def write(seed: int) -> None:
        for step in range(50):
            caches[seed % 2].put(f"{seed}-{step}", ChatReply("x" * 500))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ReplyCache(path)) == 200
    assert all(json.loads(line) for line in path.read_text().splitlines() if line)


@pytest.mark.parametrize("content", ['[{"video_name": "v"}]', "a,b\n1,2\n", '{"Q": "?"}\n'])
def test_another_file_is_not_written_into(tmp_path: Path, content: str) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(content)
    with pytest.raises(InputError, match="something else"):
        ReplyCache(path)
    assert path.read_text() == content


def test_odd_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    ReplyCache(path).put("a", REPLY)
    with path.open("ab") as file:
        file.write(b"\0\0\0\n\xff\n[1]\n{}\n" + b'{"key": "b", "text": 5}\n')
    assert len(ReplyCache(path)) == 1


def test_a_folder_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        ReplyCache(tmp_path)


def test_a_key_stands_for_judge_words_and_settings() -> None:
    key = cache_key("judge", MESSAGES, {"seed": 0, "a": 1})
    assert key == cache_key("judge", MESSAGES, {"a": 1, "seed": 0})
    assert key != cache_key("judge 2", MESSAGES, {"seed": 0, "a": 1})
    assert key != cache_key("judge", MESSAGES, {"seed": 1, "a": 1})
    assert key != cache_key("judge", MESSAGES * 2, {"seed": 0, "a": 1})
