"""The web client keeps its limits whatever a server does. All servers are real, on this machine."""

import asyncio
import gzip
import ipaddress
import socket
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import (
    LocalWeb,
    content,
    cut,
    dripping,
    dripping_headers,
    endless,
    gzip_bomb,
    hanging_up,
    in_turn,
    redirect,
    status,
)

from goldfish_cli.data.prepare import web_addresses
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.web import Web, WebLimits
from goldfish_cli.data.prepare.web_addresses import is_public
from goldfish_cli.data.prepare.web_hosts import HostGate, retry_after

NEAR = WebLimits(max_bytes=100_000, retries=0, allow_private=True)
BODY = b"\xff\xd8" + bytes(range(256)) * 20


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    with LocalWeb() as server:
        yield server


def fetch(url: str, limits: WebLimits = NEAR) -> bytes:
    return asyncio.run(_with_client(limits, "download", url))


def look(url: str, limits: WebLimits = NEAR) -> int:
    return asyncio.run(_with_client(limits, "look", url))


async def _with_client(limits: WebLimits, verb: str, url: str):
    client = Web(limits)
    try:
        return await getattr(client, verb)(url)
    finally:
        await client.close()


def refusal(url: str, limits: WebLimits = NEAR) -> Refusal:
    with pytest.raises(Refusal) as caught:
        fetch(url, limits)
    return caught.value


def test_a_body_is_returned_as_it_is(web):
    assert fetch(web.serve("/a", content(BODY))) == BODY


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_packed_body_is_unpacked(web, encoding, pack):
    assert fetch(web.serve("/a", content(pack(BODY), Content_Encoding=encoding))) == BODY


def test_redirects_are_followed_also_relative_ones(web):
    web.serve("/a/c", content(BODY))
    web.serve("/a/b", redirect("c"))
    assert fetch(web.serve("/start", redirect(web.url("/a/b")))) == BODY


def test_redirects_in_a_circle_are_noticed(web):
    web.serve("/b", redirect("/a"))
    assert refusal(web.serve("/a", redirect("/b"))).reason == "redirect-loop"
    assert web.requests == {"GET /a": 1, "GET /b": 1}


def test_redirects_without_end_are_given_up(web):
    for place in range(20):
        web.serve(f"/{place}", redirect(f"/{place + 1}"))
    assert refusal(web.url("/0")).reason == "too-many-redirects"
    assert web.requests.total() == NEAR.max_redirects + 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/a", "data:,a"])
def test_redirects_away_from_the_web_are_not_followed(web, target):
    found = refusal(web.serve("/a", redirect(target)))
    assert found.reason in {"not-http", "bad-redirect"}
    assert found.lasting


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "/etc/passwd", "a b"])
def test_only_web_addresses_are_fetched(url):
    assert refusal(url).reason in {"not-http", "bad-url"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",  # 127.0.0.1 as one number
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",  # where clouds keep their secrets
        "10.1.2.3",
        "192.168.0.1",
        "[fd00::1]",
    ],
)
def test_private_addresses_are_refused_however_they_are_written(host):
    found = refusal(f"http://{host}:9/", replace(NEAR, allow_private=False))
    assert found.reason == "private-address"
    assert found.lasting


def test_a_redirect_into_the_private_network_is_refused(web, monkeypatch):
    # Nothing public can be reached in a test, so one address of this machine stands for all of it.
    monkeypatch.setattr(web_addresses, "is_public", lambda address: address == "127.0.0.1")
    limits = replace(NEAR, allow_private=False)
    assert fetch(web.serve("/ok", content(BODY)), limits) == BODY
    inside = f"http://127.0.0.2:{web.server_port}/secret"
    assert refusal(web.serve("/a", redirect(inside)), limits).reason == "private-address"
    assert web.requests["GET /secret"] == 0


def test_a_name_is_resolved_once_so_that_it_cannot_change_in_between(web, monkeypatch):
    answers = ["127.0.0.1", "127.0.0.2"]  # the second is private
    asked = []

    def resolve(host, port, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[len(asked) - 1], port))]

    monkeypatch.setattr(web_addresses, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    web.serve("/a", content(BODY))
    url = f"http://rebound.example:{web.server_port}/a"
    assert fetch(url, replace(NEAR, allow_private=False)) == BODY
    assert asked.count("rebound.example") == 1


def test_a_host_without_address_is_no_lasting_verdict():
    found = refusal("http://nobody.invalid/a")
    assert found.reason == "no-such-host"
    assert not found.lasting  # it is what being offline looks like, too


def test_a_closed_port_and_a_silent_server_are_failed_connections(web):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/").reason == "connection-failed"
    assert refusal(web.serve("/a", hanging_up)).reason == "connection-failed"


def test_an_endless_body_is_cut_off_at_the_limit(web):
    assert refusal(web.serve("/a", endless)).reason == "too-large"


def test_a_body_that_is_declared_too_large_is_not_read(web):
    assert refusal(web.serve("/a", content(b"", Content_Length="9" * 12))).reason == "too-large"


def test_a_gzip_bomb_is_not_unpacked(web):
    assert refusal(web.serve("/a", gzip_bomb(50_000_000))).reason == "too-large"


def test_a_gzip_body_that_is_not_gzip_is_broken(web):
    found = refusal(web.serve("/a", content(BODY, Content_Encoding="gzip")))
    assert found.reason == "broken-encoding"


def test_an_encoding_that_was_not_asked_for_is_refused(web):
    found = refusal(web.serve("/a", content(BODY, Content_Encoding="br")))
    assert found.reason == "unknown-encoding"


def test_a_body_shorter_than_declared_is_a_failure_that_may_pass(web):
    found = refusal(web.serve("/a", cut(BODY)))
    assert (found.reason, found.lasting) == ("connection-failed", False)


def test_a_body_longer_than_declared_ends_where_it_was_declared_to(web):
    assert fetch(web.serve("/a", content(BODY, Content_Length="100"))) == BODY[:100]


@pytest.mark.parametrize("reply", [dripping, dripping_headers])
def test_a_server_that_drips_is_left_when_time_is_up(web, reply):
    found = refusal(web.serve("/a", reply), replace(NEAR, timeout_s=0.4))
    assert (found.reason, found.lasting) == ("timeout", False)


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_a_refusing_status_is_lasting_and_asked_once(web, code):
    found = refusal(web.serve("/a", status(code)), replace(NEAR, retries=3))
    assert (found.reason, found.lasting) == (f"http-{code}", True)
    assert web.requests["GET /a"] == 1


def test_a_failing_server_is_asked_again(web):
    web.serve("/a", in_turn(status(503), content(BODY)))
    assert fetch(web.url("/a"), replace(NEAR, retries=1)) == BODY


def test_a_busy_server_is_asked_again_when_it_said(web):
    web.serve("/a", in_turn(status(429, Retry_After="0"), content(BODY)))
    assert fetch(web.url("/a"), replace(NEAR, retries=1)) == BODY


def test_a_wait_that_is_too_long_is_not_waited_for(web):
    web.serve("/a", status(429, Retry_After="86400"))
    assert refusal(web.url("/a"), replace(NEAR, retries=5)).reason == "http-429"
    assert web.requests["GET /a"] == 1


def test_while_a_host_asks_to_wait_nobody_visits_it():
    async def visit(gate: HostGate, host: str) -> float:
        began = asyncio.get_running_loop().time()
        async with gate.visit(host):
            return asyncio.get_running_loop().time() - began

    async def visits() -> tuple[float, float, float]:
        gate = HostGate(per_host=1)
        gate.close("busy.example", 0.3)
        waited = await asyncio.gather(visit(gate, "busy.example"), visit(gate, "other.example"))
        return *waited, await visit(gate, "busy.example")

    busy, other, later = asyncio.run(visits())
    assert busy >= 0.29
    assert other < busy
    assert later < busy


@pytest.mark.parametrize("header", ["noai", "noimageai, nofollow", "somebot: noindex"])
def test_who_opts_out_is_left_alone(web, header):
    web.serve("/a", content(BODY, X_Robots_Tag=header))
    assert refusal(web.url("/a")).reason == "opted-out"


def test_a_host_is_never_visited_by_more_than_its_share(web):
    urls = [web.serve(f"/{n}", content(BODY)) for n in range(40)]

    async def all_of_them() -> list[bytes]:
        client = Web(replace(NEAR, parallel=16, per_host=3))
        try:
            return await asyncio.gather(*(client.download(url) for url in urls))
        finally:
            await client.close()

    assert asyncio.run(all_of_them()) == [BODY] * 40
    assert web.most_guests <= 3


def test_looking_reads_no_body(web):
    assert look(web.serve("/a", content(BODY))) == 200
    assert web.requests == {"HEAD /a": 1}


@pytest.mark.parametrize("code", [400, 403, 404, 405, 501])
def test_where_head_is_refused_get_decides(web, code):
    def reply(handler):
        handler.send(code if handler.command == "HEAD" else 200)

    assert look(web.serve("/a", reply)) == 200


def test_looking_at_an_endless_body_ends(web):
    def reply(handler):
        handler.send(405) if handler.command == "HEAD" else endless(handler)

    assert look(web.serve("/a", reply)) == 200


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),  # a provider's own network
        ("224.0.0.1", False),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("::", False),
        ("64:ff9b::7f00:1", False),  # 127.0.0.1 behind a translator
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),  # 127.0.0.1 by 6to4
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),  # 127.0.0.1 by Teredo
    ],
)
def test_what_is_public(address, public):
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_changes_nothing(address: ipaddress.IPv4Address):
    assert is_public(f"::ffff:{address}") == is_public(str(address))


@given(st.integers(0, 10**6))
def test_retry_after_is_read_in_seconds_and_as_a_date(seconds: int):
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    date = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(str(seconds), now) == retry_after(date, now) == seconds


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1e9", "²"])
def test_a_retry_after_that_means_nothing_is_none(value):
    assert retry_after(value) is None
