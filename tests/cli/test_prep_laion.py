"""``goldfish prep laion``: its account, its exit codes, and that it survives being killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from image_parts import jpeg
from web_server import LocalWeb, content


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.jpg").write_bytes(jpeg(seed=number))
        (root / f"{number}.txt").write_text(f"Picture {number}")
    (root / "bad.jpg").write_bytes(b"<html>")
    (root / "bad.txt").write_text("A page")
    return root


def test_json_holds_the_keys_of_the_contract(goldfish, folder, tmp_path):
    result = goldfish("prep", "laion", folder, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.pop("seconds") >= 0
    assert found == {
        "kind": "laion",
        "read": 4,
        "written": 3,
        "dropped": {"not-an-image": 1},
        "output": str(tmp_path / "out"),
    }
    assert result.stderr == ""


def test_the_account_is_told_to_people(goldfish, folder, tmp_path):
    result = goldfish("prep", "laion", folder, "--out", tmp_path / "out")
    assert f"{tmp_path / 'out'}: read 4 = written 3 + dropped 1\n" in result.stdout
    assert "1 not-an-image" in result.stdout


def test_settings_that_shape_the_result_are_recorded(goldfish, folder, tmp_path):
    words = ("--captions", "reference", "--max-side", "64", "--shard-size", "2", "--quiet")
    result = goldfish("prep", "laion", folder, "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.stderr
    record = json.loads((tmp_path / "out/provenance.json").read_text())
    assert record["command"] == "goldfish prep laion"
    assert {"captions": "reference", "max_side": 64, "shard_size": 2}.items() <= record[
        "settings"
    ].items()
    assert [shard["pairs"] for shard in record["shards"]] == [2, 1]
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("source", "out", "code"),
    [("missing", "out", 3), ("pictures", "pictures/out", 2), ("pictures/bad.txt", "out", 3)],
)
def test_mistakes_end_with_a_line_and_a_hint(goldfish, folder, tmp_path, source, out, code):
    result = goldfish("prep", "laion", tmp_path / source, "--out", tmp_path / out)
    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
    assert "hint: " in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_kill_9_leaves_is_continued(goldfish, repository, tmp_path):
    pictures = [jpeg(seed=number) for number in range(10)]
    with LocalWeb() as web:

        def reply_slowly(data: bytes, seconds: float):
            def reply(handler):
                time.sleep(seconds)
                handler.send(200, data)

            return reply

        rows = []
        for number, data in enumerate(pictures):
            stuck = number == 8  # two shards of two are whole by then
            rows.append(
                web.serve(f"/{number}", reply_slowly(data, 120) if stuck else content(data))
            )
        table = tmp_path / "laion.csv"
        table.write_text("url,caption\n" + "".join(f"{url},a picture\n" for url in rows))
        words = [
            "prep",
            "laion",
            str(table),
            "--out",
            str(tmp_path / "out"),
            "--shard-size",
            "2",
            "--workers",
            "1",
        ]
        words += ["--allow-private", "--timeout", "100"]
        process = subprocess.Popen(
            [sys.executable, "-m", "goldfish_cli.cli", *words],
            env=os.environ | {"PYTHONPATH": str(repository)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            state = tmp_path / "out.part/state.json"
            deadline = time.monotonic() + 240
            while not state.exists() or json.loads(state.read_text())["progress"]["rows"] < 4:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not (tmp_path / "out").exists()
        before = web.requests.copy()
        web.serve("/8", content(pictures[8]))
        result = goldfish(*words, "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["written"] == 10
        assert re.search(r"Continuing behind row [468]\.", result.stderr)
        again = web.requests - before
        assert not {f"GET /{number}" for number in range(4)} & set(again)
        assert goldfish(*words[:4], str(tmp_path / "whole"), *words[5:]).exit_code == 0
    for path in (tmp_path / "whole").glob("*.tar"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
