"""Which addresses of a file are dead, asked of real servers on this machine."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_server import LocalWeb, content, dripping, hanging_up, in_turn, redirect, status

from goldfish_cli.data.prepare.link_cache import Finding, LinkCache
from goldfish_cli.data.prepare.links import check_links
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.web import WebLimits
from goldfish_cli.errors import AnnotationError, InputError, UsageError

NEAR = WebLimits(allow_private=True, retries=0, timeout_s=30)
WEEK = 7 * 24 * 3600


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    with LocalWeb() as server:
        yield server


def write_list(tmp_path: Path, urls: list[str]) -> Path:
    path = tmp_path / "links.txt"
    path.write_text("\n".join(urls) + "\n")
    return path


def check(
    path: Path, limits: WebLimits = NEAR, *, column: str | None = None, max_age: float = WEEK
) -> list[tuple[str, str]]:
    """Return each address and what is wrong with it, ``""``: nothing."""
    with LinkCache(path.with_suffix(".cache"), max_age_s=max_age) as cache:
        found = list(check_links(path, cache, limits, column=column))
    return [(row.url, finding.refusal.reason if finding.refusal else "") for row, finding in found]


def test_what_answers_is_told_from_what_is_dead(web, tmp_path):
    wanted = {
        web.serve("/alive", content(b"a")): "",
        web.serve("/moved", redirect("/alive")): "",
        web.serve("/no-head", lambda h: h.send(405 if h.command == "HEAD" else 200)): "",
        web.url("/gone"): "http-404",
        web.serve("/forbidden", status(403)): "http-403",
        web.serve("/ill", status(500)): "http-500",
        web.serve("/busy", status(429, Retry_After="9999")): "http-429",
        web.serve("/loop", redirect("/loop")): "redirect-loop",
        web.serve("/file", redirect("file:///etc/passwd")): "not-http",
        web.serve("/silent", hanging_up): "connection-failed",
        "http://nobody.invalid/": "no-such-host",
        "http://": "not-http",
    }
    assert check(write_list(tmp_path, list(wanted))) == list(wanted.items())


def test_a_slow_server_is_a_timeout(web, tmp_path):
    def reply(handler):
        time.sleep(0.6)
        handler.send(200)

    path = write_list(tmp_path, [web.serve("/a", reply)])
    assert check(path, replace(NEAR, timeout_s=0.3)) == [(web.url("/a"), "timeout")]


def test_a_dripping_body_is_no_reason_to_wait(web, tmp_path):
    path = write_list(tmp_path, [web.serve("/a", dripping)])
    assert check(path) == [(web.url("/a"), "")]


def test_what_is_certain_is_not_asked_again_and_the_rest_is(web, tmp_path):
    urls = [
        web.serve("/alive", content(b"")),
        web.url("/gone"),
        web.serve("/ill", in_turn(status(503), status(503), content(b""))),
    ]
    path = write_list(tmp_path, urls)
    assert [reason for _, reason in check(path)] == ["", "http-404", "http-503"]
    web.requests.clear()
    assert [reason for _, reason in check(path)] == ["", "http-404", ""]
    assert web.requests == {"HEAD /ill": 1}


def test_what_was_found_out_long_ago_is_asked_again(web, tmp_path):
    path = write_list(tmp_path, [web.serve("/a", content(b""))])
    check(path)
    web.serve("/a", status(410))
    assert check(path) == [(web.url("/a"), "")]
    assert check(path, max_age=0) == [(web.url("/a"), "http-410")]


def test_a_stopped_check_continues(web, tmp_path):
    urls = [web.serve(f"/{number}", content(b"")) for number in range(6)]
    path = write_list(tmp_path, urls)
    with LinkCache(tmp_path / "links.cache", max_age_s=WEEK) as cache:
        checking = check_links(path, cache, replace(NEAR, parallel=1))
        for _ in range(3):
            next(checking)
        checking.close()
    web.requests.clear()
    check(path)
    assert not {f"HEAD /{number}" for number in range(3)} & set(web.requests)


def test_an_address_that_stands_twice_is_asked_once(web, tmp_path):
    url = web.serve("/a", content(b""))
    assert check(write_list(tmp_path, [url] * 30)) == [(url, "")] * 30
    assert web.requests == {"HEAD /a": 1}


def test_private_addresses_are_refused(web, tmp_path):
    url = web.serve("/a", content(b""))
    assert check(write_list(tmp_path, [url]), WebLimits()) == [(url, "private-address")]
    assert not web.requests


@pytest.mark.parametrize("count", [3, 30])
def test_being_offline_is_no_verdict_about_addresses(tmp_path, count):
    path = write_list(tmp_path, [f"http://host{n}.invalid/" for n in range(count)])
    with pytest.raises(InputError, match="seems to be offline"):
        check(path)


def test_rows_of_every_kind_of_file_are_asked_about(web, tmp_path):
    url = web.serve("/a", content(b""))
    files = {
        "a.csv": f"id,link\n1,{url}\n",
        "one_column.csv": f"url\n{url}\n",
        "no_header.csv": f"1,{url}\n",
        "semicolons.csv": f"id;contentUrl\n1;{url}\n",
        "a.json": json.dumps([{"id": 1, "url": url}]),
        "urls.json": json.dumps([url]),
        "a.jsonl": json.dumps({"anything": url}) + "\n",
        "a.txt": f"\n{url}\n\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert check(tmp_path / name) == [(url, "")], name
    pq.write_table(pa.table({"n": [1], "image_url": [url]}), tmp_path / "a.parquet")
    assert check(tmp_path / "a.parquet") == [(url, "")]


def test_rows_without_an_address_are_not_lost(web, tmp_path):
    url = web.serve("/a", content(b""))
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"url": "{url}"}}\n{{"url": null}}\n{{"other": 1}}\n')
    assert check(path) == [(url, ""), ("", "no-url"), ("", "no-url")]


def test_a_file_without_addresses_says_which_columns_it_has(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,age\nAnna,3\n")
    with pytest.raises(AnnotationError, match=r"no column of addresses: it has name, age"):
        check(path)
    with pytest.raises(AnnotationError, match=r"no column where: it has name, age"):
        check(path, column="where")


def test_youtube_ids_need_yt_dlp(tmp_path, monkeypatch):
    path = tmp_path / "clips.csv"
    path.write_text("videoid,title\n-dQw4w9WgXc,A clip\n")
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(UsageError) as caught:
        check(path)
    assert "goldfish-video[url]" in caught.value.hint


def test_a_cache_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "a.cache"
    path.write_bytes(b"my own notes, many of them" * 99)
    with pytest.raises(InputError, match="cannot be used"), LinkCache(path, max_age_s=WEEK):
        pass
    assert path.read_bytes().startswith(b"my own")


def test_the_cache_keeps_reasons_and_forgets_what_may_pass(tmp_path):
    with LinkCache(tmp_path / "c", max_age_s=WEEK) as cache:
        cache.note("a", Finding(None))
        cache.note("b", Finding(Refusal("http-404", "Not Found")))
        cache.note("c", Finding(Refusal("timeout", lasting=False)))
    with LinkCache(tmp_path / "c", max_age_s=WEEK) as cache:
        assert cache.find("a") == Finding(None, reused=True)
        known = cache.find("b")
        assert (known.refusal.reason, known.refusal.detail) == ("http-404", "Not Found")
        assert cache.find("c") is None
