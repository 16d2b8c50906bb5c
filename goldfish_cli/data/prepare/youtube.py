"""Ask whether a YouTube video can still be had, by yt-dlp, which only those who have ids need."""

import re
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.errors import UsageError

_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_HOSTS = frozenset({"youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com"})
_PATHS = frozenset({"embed", "shorts", "live", "v"})
_HIDDEN = frozenset({"private", "premium_only", "subscriber_only", "needs_auth"})
# What YouTube says, and yt-dlp hands on, of videos that will not come back. The first hit counts:
# "sign in" stands in several sentences, and a machine taken for a robot learns nothing of a video.
_UNDECIDED = ("try again later", "not a bot", "captcha", "rate-limit", "ip is likely being blocked")
_GONE = (
    ("private", "youtube-private"),
    ("confirm your age", "youtube-age-restricted"),
    ("inappropriate for some users", "youtube-age-restricted"),
    ("available in your country", "youtube-geo-blocked"),
    ("members", "youtube-members-only"),
    ("terminated", "youtube-removed"),
    ("removed", "youtube-removed"),
    ("unavailable", "youtube-removed"),
    ("no longer available", "youtube-removed"),
    ("isn't available", "youtube-removed"),
    ("not available", "youtube-removed"),
)


def find_youtube_id(text: str) -> str | None:
    """Return the id of a YouTube video, given itself or any address of the video."""
    if _ID.fullmatch(text):
        return text
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
    except ValueError:
        return None
    host = (parts.hostname or "").removeprefix("www.")
    path = [part for part in parts.path.split("/") if part]
    found = ""
    if host == "youtu.be" and path:
        found = path[0]
    elif host in _HOSTS and path[:1] == ["watch"]:
        found = parse_qs(parts.query).get("v", [""])[0]
    elif host in _HOSTS and len(path) > 1 and path[0] in _PATHS:
        found = path[1]
    return found if _ID.fullmatch(found) else None


def youtube_url(video_id: str) -> str:
    """Return the address of a video."""
    return f"https://www.youtube.com/watch?v={video_id}"


def check_video(
    url: str, *, timeout_s: float = 20.0, retries: int = 2, extractors: Sequence[str] = ("youtube",)
) -> None:
    """Return if yt-dlp finds a video at ``url`` that everybody may see.

    Args:
        url: As ``youtube_url`` makes it.
        timeout_s: Seconds that the network may be silent.
        retries: Further attempts of each request.
        extractors: What of yt-dlp may be used.

    Raises:
        Refusal: If there is none; not a lasting one where that could not be found out.
        UsageError: If yt-dlp is not installed.
    """
    ytdlp = require_ytdlp()
    settings = {
        "quiet": True,
        "no_warnings": True,
        "logger": _Silence(),
        "socket_timeout": timeout_s,
        "extractor_retries": retries,
        "noplaylist": True,
        "cachedir": False,
        "allowed_extractors": list(extractors),
        "extractor_args": {"youtube": {"skip": ["hls", "dash", "translated_subs"]}},
    }
    try:
        with ytdlp.YoutubeDL(settings) as client:
            info = client.extract_info(url, download=False, process=False)
    except ytdlp.utils.DownloadError as error:
        raise explain(error, ytdlp) from error
    availability = (info or {}).get("availability")
    if availability in _HIDDEN:
        raise Refusal("youtube-private", str(availability).replace("_", " "))


def require_ytdlp() -> Any:
    """Import yt-dlp.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import yt_dlp  # an extra: only lists with YouTube videos need it
    except ModuleNotFoundError as error:
        raise UsageError(
            "The list holds YouTube videos, and yt-dlp, which asks about them, is not installed.",
            hint="pip install 'goldfish-video[url]'",
        ) from error
    return yt_dlp


def explain(error: Exception, ytdlp: Any) -> Refusal:
    """Read what YouTube or the network said out of yt-dlp's nested errors."""
    inner = (getattr(error, "exc_info", None) or (None, error))[1]
    said = " ".join(str(getattr(inner, "orig_msg", None) or inner).split())
    network = ytdlp.networking.exceptions
    for cause in _causes(inner):
        if isinstance(cause, socket.gaierror):
            return Refusal("no-such-host", str(cause), lasting=False)
        if isinstance(cause, network.HTTPError):
            return Refusal(f"http-{cause.status}", said, lasting=cause.status in {404, 410})
    if any(isinstance(cause, network.TransportError) for cause in _causes(inner)):
        return Refusal("connection-failed", said, lasting=False)
    lower = said.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if not any(sign in lower for sign in _UNDECIDED):
        for sign, reason in _GONE:
            if sign in lower:
                return Refusal(reason, said)
    return Refusal("youtube-undecided", said, lasting=False)


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what is behind it, by all the ways in which yt-dlp nests."""
    found: list[BaseException] = []
    rest = [error]
    while rest:
        one = rest.pop()
        if one is None or any(one is other for other in found) or isinstance(one, str):
            continue
        found.append(one)
        rest += [getattr(one, "cause", None), one.__cause__, one.__context__]
        rest.append((getattr(one, "exc_info", None) or (None, None))[1])
    return found


class _Silence:
    """Takes yt-dlp's messages; what matters comes as an error."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...
