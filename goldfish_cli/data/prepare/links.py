"""Check which addresses of a file are dead: web addresses by HEAD and GET, YouTube by yt-dlp."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from goldfish_cli.data.prepare.in_order import done, in_order
from goldfish_cli.data.prepare.link_cache import Finding, LinkCache
from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.url_rows import URL_NAMES, UrlRow, scan_url_rows
from goldfish_cli.data.prepare.web import Web, WebLimits
from goldfish_cli.data.prepare.web_outage import OutageGuard
from goldfish_cli.data.prepare.web_thread import WebThread
from goldfish_cli.data.prepare.youtube import (
    check_video,
    find_youtube_id,
    require_ytdlp,
    youtube_url,
)

KIND = "links"
LINK_NAMES = (*URL_NAMES, "youtube_id", "yt_id", "ytid", "videoid", "video_id", "video", "id")


def check_links(
    path: Path, cache: LinkCache, limits: WebLimits, *, column: str | None = None
) -> Iterator[tuple[UrlRow, Finding]]:
    """Ask about every address of a file.

    Args:
        path: Parquet, CSV, TSV, JSON, JSON lines, or one address a line.
        cache: Open; what it knows is not asked again.
        limits: What one address may cost; of the bodies nothing is read.
        column: Column of the addresses or YouTube ids; ``None`` looks for a known name.

    Yields:
        The rows in the order of the file, and what became of their addresses.

    Raises:
        InputError: If the file cannot be read, or the network is down.
        UsageError: If there are YouTube videos and yt-dlp is not installed.
    """
    rows = scan_url_rows(path, url_column=column, url_names=LINK_NAMES, whole=True)
    guard = OutageGuard()
    with ExitStack() as stack:
        asker = stack.enter_context(_Asker(cache, limits))
        found = stack.enter_context(closing(in_order(asker.begin, rows, window=asker.window)))
        for row, finding in found:
            if row.url:
                asker.end(row.url)
                cache.note(_target(row.url), finding)
                guard.note(finding.refusal)
            yield row, finding
    guard.close()


class _Asker:
    """Asks about addresses, about each only once at a time. A context."""

    def __init__(self, cache: LinkCache, limits: WebLimits) -> None:
        self._cache = cache
        self._limits = limits
        self._web = WebThread(limits)
        self._videos = ThreadPoolExecutor(limits.per_host, thread_name_prefix="youtube")
        self._under_way: dict[str, Future[Finding]] = {}
        self.window = self._web.window

    def __enter__(self) -> "_Asker":
        self._web.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._videos.shutdown(wait=False, cancel_futures=True)
        self._web.__exit__(None, None, None)

    def begin(self, row: UrlRow) -> "Future[Finding]":
        if not row.url:
            return done(Finding(Refusal("no-url")))
        target = _target(row.url)
        if target in self._under_way:
            return self._under_way[target]
        if known := self._cache.find(target):
            return done(known)
        if find_youtube_id(row.url):
            require_ytdlp()  # here, where the error reaches the user
            future = self._videos.submit(self._ask_youtube, target)
        else:
            future = self._web.submit(partial(_ask, target))
        self._under_way[target] = future
        return future

    def end(self, url: str) -> None:
        """Forget an address whose answer was taken."""
        self._under_way.pop(_target(url), None)

    def _ask_youtube(self, url: str) -> Finding:
        try:
            check_video(url, timeout_s=self._limits.timeout_s, retries=self._limits.retries)
        except Refusal as refusal:
            return Finding(refusal)
        return Finding(None)


async def _ask(url: str, web: Web) -> Finding:
    try:
        await web.look(url)
    except Refusal as refusal:
        return Finding(refusal)
    return Finding(None)


def _target(url: str) -> str:
    """Return the address to ask, one for all ways to name a YouTube video."""
    video = find_youtube_id(url)
    return youtube_url(video) if video else url
