"""Fetch addresses from the web within limits: time, size, retries, redirects, guests a host."""

import asyncio
import errno
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx

from goldfish_cli import __version__
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.web_hosts import HostGate, retry_after
from goldfish_cli.data.prepare.web_transport import PublicTransport

T = TypeVar("T")
MIB = 2**20
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_OPTED_OUT = frozenset({"noai", "noimageai", "noindex", "noimageindex"})
_HEADERS = {
    "User-Agent": f"goldfish/{__version__}",
    "Accept": "image/*, */*;q=0.5",
    "Accept-Encoding": "identity",  # pictures are compressed already
}


@dataclass(frozen=True, slots=True)
class WebLimits:
    """What one address may cost."""

    timeout_s: float = 20.0
    """Seconds that one attempt may take, redirects and body included."""
    max_bytes: int = 20 * MIB
    """Size of a body, unpacked."""
    retries: int = 2
    """Further attempts where the failure may pass."""
    max_redirects: int = 5
    max_wait_s: float = 30.0
    """Longest ``Retry-After`` that is waited for."""
    parallel: int = 32
    """Requests at once."""
    per_host: int = 4
    """Requests to one host at once."""
    allow_private: bool = False
    """Visit addresses that are not public as well."""


class Web:
    """A client for many addresses, made and used inside one event loop.

    Args:
        limits: What one address may cost.
    """

    def __init__(self, limits: WebLimits) -> None:
        self.limits = limits
        self.gate = HostGate(limits.per_host)
        self._slots = asyncio.Semaphore(limits.parallel)
        self._client = httpx.AsyncClient(
            transport=PublicTransport(
                allow_private=limits.allow_private, max_connections=limits.parallel
            ),
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(limits.timeout_s),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def download(self, url: str) -> bytes:
        """Return the body behind ``url``.

        Raises:
            Refusal: If there is none within the limits.
        """
        return await self._patiently("GET", url, self._read_body)

    async def look(self, url: str) -> int:
        """Return the status of ``url``, 2xx, without its body: by HEAD, or GET where that fails.

        Raises:
            Refusal: If it cannot be had.
        """
        try:
            return await self._patiently("HEAD", url, _status, retries=0)
        except Refusal as refusal:
            if not refusal.reason.startswith("http-") and refusal.reason != "connection-failed":
                raise
        return await self._patiently("GET", url, _status)

    async def _patiently(
        self,
        method: str,
        url: str,
        take: Callable[[httpx.Response], Awaitable[T]],
        *,
        retries: int | None = None,
    ) -> T:
        target = _parse(url)
        last = self.limits.retries if retries is None else retries
        for attempt in range(last + 1):
            try:
                return await self._attempt(method, target, take)
            except Refusal as refusal:
                too_long = (refusal.wait or 0) > self.limits.max_wait_s
                if refusal.wait is not None and not too_long:
                    self.gate.close(target.host, refusal.wait)
                if refusal.lasting or too_long or attempt == last:
                    raise
                if refusal.wait is None:
                    await asyncio.sleep(0.5 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(
        self, method: str, url: httpx.URL, take: Callable[[httpx.Response], Awaitable[T]]
    ) -> T:
        async with self.gate.visit(url.host), self._slots:
            try:
                return await asyncio.wait_for(self._visit(method, url, take), self.limits.timeout_s)
            except (asyncio.TimeoutError, httpx.TimeoutException) as error:
                message = f"over {self.limits.timeout_s:g} s"
                raise Refusal("timeout", message, lasting=False) from error

    async def _visit(
        self, method: str, url: httpx.URL, take: Callable[[httpx.Response], Awaitable[T]]
    ) -> T:
        """Follow redirects to the last response, and take from it what is wanted."""
        seen: set[str] = set()
        while True:
            if url.scheme not in {"http", "https"} or not url.host:
                raise Refusal("not-http", f"{url.scheme}: leads away from the web")
            if str(url) in seen:
                raise Refusal("redirect-loop", str(url))
            if len(seen) > self.limits.max_redirects:
                raise Refusal("too-many-redirects", f"over {self.limits.max_redirects}")
            seen.add(str(url))
            try:
                response = await self._client.send(
                    self._client.build_request(method, url), stream=True
                )
                try:
                    if response.next_request is None:
                        return await take(_checked(response))
                    url = response.next_request.url
                finally:
                    await response.aclose()
            except httpx.TimeoutException:
                raise
            except (httpx.TransportError, httpx.InvalidURL) as error:
                raise _explain(error) from error

    async def _read_body(self, response: httpx.Response) -> bytes:
        limit = self.limits.max_bytes
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise Refusal("too-large", f"{int(declared) / MIB:.0f} MiB")
        robots = response.headers.get("x-robots-tag", "").lower().replace(":", ",").split(",")
        if refused := _OPTED_OUT & {word.strip() for word in robots}:
            raise Refusal("opted-out", f"X-Robots-Tag: {', '.join(sorted(refused))}")
        unpack = _unpacker(response.headers.get("content-encoding", ""))
        body, received = bytearray(), 0
        async for part in response.aiter_raw():
            received += len(part)
            body += unpack(part, limit + 1 - len(body))
            if len(body) > limit or received > limit:
                raise Refusal("too-large", f"over {limit / MIB:.0f} MiB")
        return bytes(body)


def _parse(url: str) -> httpx.URL:
    try:
        return httpx.URL(url.strip())
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Refusal("bad-url", str(error)) from error


async def _status(response: httpx.Response) -> int:
    return response.status_code


def _checked(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if response.is_success:
        return response
    raise Refusal(
        f"http-{status}",
        response.reason_phrase,
        lasting=status not in _TRY_AGAIN,
        wait=retry_after(response.headers.get("retry-after")),
    )


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return what unpacks a body part by part, never to more than the bytes it is allowed."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return lambda part, room: part
    if name not in {"gzip", "x-gzip", "deflate"}:
        raise Refusal("unknown-encoding", name)
    stream = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is

    def unpack(part: bytes, room: int) -> bytes:
        try:
            return stream.decompress(part, room)
        except zlib.error as error:
            raise Refusal("broken-encoding", str(error)) from error

    return unpack


def _explain(error: Exception) -> Refusal:
    """Name the failure of a connection: by its first cause, which libraries wrap several times."""
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
        if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
            return Refusal("unreachable", str(cause), lasting=False)
    if isinstance(error, httpx.InvalidURL):
        return Refusal("bad-redirect", str(error))
    detail = str(error) or type(error).__name__
    return Refusal("connection-failed", detail, lasting=False)
