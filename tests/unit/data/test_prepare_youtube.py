"""Finding YouTube videos in a dataset, and reading yt-dlp's answers. Nothing leaves the machine."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_server import LocalWeb, content, hanging_up, status
from yt_dlp.utils import DownloadError, ExtractorError

from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.data.prepare.youtube import (
    check_video,
    explain,
    find_youtube_id,
    require_ytdlp,
    youtube_url,
)

ID = st.text("abcXYZ019_-", min_size=11, max_size=11)


@given(ID)
def test_all_ways_to_name_a_video_find_its_id(video_id: str):
    for text in (
        video_id,
        youtube_url(video_id),
        f"http://youtube.com/watch?feature=x&v={video_id}&t=3s",
        f"https://m.youtube.com/watch?v={video_id}#a",
        f"https://youtu.be/{video_id}?t=3",
        f"youtu.be/{video_id}",
        f"https://www.youtube-nocookie.com/embed/{video_id}",
        f"https://www.youtube.com/shorts/{video_id}",
        f"https://www.youtube.com/v/{video_id}&hl=en"[: 26 + 11],
    ):
        assert find_youtube_id(text) == video_id, text


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.com.example.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/playlist?list=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=tooshort",
        "https://www.youtube.com/watch",
        "http://[broken",
        "example.com",
        "",
    ],
)
def test_other_addresses_are_no_videos(text):
    assert find_youtube_id(text) is None


def test_every_id_of_condensed_movies_is_found(shared_folder):
    with (shared_folder / "data/condensed_movies/clips.csv").open(encoding="utf-8") as file:
        ids = [row["videoid"] for row in csv.DictReader(file)]
    assert ids
    assert [find_youtube_id(video_id) for video_id in ids] == ids


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Private video. Sign in if you've been granted access to this video", "youtube-private"),
        ("Sign in to confirm your age. This video may be", "youtube-age-restricted"),
        ("Video unavailable. This video has been removed by the uploader", "youtube-removed"),
        ("Video unavailable. The YouTube account has been terminated", "youtube-removed"),
        ("The uploader has not made this video available in your country", "youtube-geo-blocked"),
        ("Join this channel to get access to members-only content", "youtube-members-only"),
    ],
)
def test_what_youtube_says_of_videos_that_are_gone_is_lasting(said, reason):
    found = explain(_as_raised(ExtractorError(said, expected=True)), require_ytdlp())
    assert (found.reason, found.lasting) == (reason, True)


@pytest.mark.parametrize(
    "said",
    [
        "Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. Use --cookies",
        "This content isn't available, try again later. The session has been rate-limited",
        "All player responses are invalid. Your IP is likely being blocked by Youtube",
        "Unable to extract yt initial data",
    ],
)
def test_what_youtube_says_to_robots_is_no_verdict(said):
    found = explain(_as_raised(ExtractorError(said, expected=True)), require_ytdlp())
    assert (found.reason, found.lasting) == ("youtube-undecided", False)


@pytest.fixture(scope="module")
def web():
    with LocalWeb() as server:
        yield server


def _check(url: str) -> tuple[str, bool] | None:
    try:
        check_video(url, timeout_s=20, retries=0, extractors=["generic"])
    except Refusal as refusal:
        return refusal.reason, refusal.lasting
    return None


def test_yt_dlp_itself_finds_a_video_on_a_server(web):
    assert _check(web.serve("/a.mp4", content(b"\0" * 64, Content_Type="video/mp4"))) is None


def test_yt_dlp_itself_tells_dead_from_unreachable(web):
    assert _check(web.url("/gone.mp4")) == ("http-404", True)
    assert _check(web.serve("/ill.mp4", status(503))) == ("http-503", False)
    assert _check(web.serve("/mute.mp4", hanging_up)) == ("connection-failed", False)
    assert _check("http://nobody.invalid/a.mp4") == ("no-such-host", False)


def _as_raised(error: ExtractorError) -> DownloadError:
    """Wrap an error as ``YoutubeDL`` does."""
    return DownloadError(str(error), (type(error), error, None))
