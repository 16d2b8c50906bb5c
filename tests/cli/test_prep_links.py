"""``goldfish prep links``: its account, its files and its exit codes."""

import json

import pytest
from web_server import LocalWeb, content, status


@pytest.fixture
def table(tmp_path):
    with LocalWeb() as web:
        alive, ill = web.serve("/a", content(b"")), web.serve("/ill", status(503))
        path = tmp_path / "links.csv"
        path.write_text(f"name,url\none,{alive}\ntwo,{web.url('/gone')}\nthree,{ill}\nfour,\n")
        yield path


def test_json_holds_the_keys_of_the_contract_and_dead_rows_are_set_aside(goldfish, table, tmp_path):
    words = ("prep", "links", table, "--allow-private", "--retries", "0")
    result = goldfish(*words, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.pop("seconds") >= 0
    assert found == {
        "kind": "links",
        "read": 4,
        "written": 1,
        "dropped": {"http-404": 1, "http-503": 1, "no-url": 1},
        "output": str(tmp_path / "links.links.jsonl"),
    }
    alive = (tmp_path / "links.links.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in alive] == ["one"]
    aside = (tmp_path / "links.links.dropped.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"]["name"] for line in aside] == ["two", "three", "four"]
    assert "1 gave no clear answer" in result.stderr
    again = goldfish(*words)
    assert "2 of 4 were known from an earlier run" in again.stderr


def test_offline_is_said_and_leaves_the_old_output(goldfish, tmp_path):
    table = tmp_path / "links.txt"
    table.write_text("http://nobody.invalid/a\nhttp://nowhere.invalid/b\n")
    old = tmp_path / "links.links.jsonl"
    old.write_text('{"url":"old"}\n')
    result = goldfish("prep", "links", table)
    assert result.exit_code == 3
    assert "seems to be offline" in result.stderr
    assert old.read_text() == '{"url":"old"}\n'


def test_a_missing_file_is_exit_code_3(goldfish, tmp_path):
    result = goldfish("prep", "links", tmp_path / "missing.csv")
    assert result.exit_code == 3
    assert "missing.csv" in result.stderr
