"""The chapters of a film in the forms that players, web pages and ffmpeg read."""

from __future__ import annotations

import re
from typing import Literal

import orjson

from goldfish_cli.longvideo.records import Chapter, FilmRecord
from goldfish_cli.media.cues import as_line

ChapterFormat = Literal["vtt", "json", "ffmetadata"]


def export_chapters(film: FilmRecord, kind: ChapterFormat) -> str:
    """Write a film's chapters as WebVTT, JSON chapters (podcast namespace 1.2) or ffmetadata.

    Times count from the film's first frame, as players and sidecar files count, whatever the
    file's own clock begins with.
    """
    writers = {"vtt": _as_vtt, "json": _as_json, "ffmetadata": _as_ffmetadata}
    return writers[kind](film)


def _as_vtt(film: FilmRecord) -> str:
    blocks = ["WEBVTT"]
    for number, chapter in enumerate(film.chapters, start=1):
        start, end = _span(film, chapter)
        title = as_line(chapter.title).replace("&", "&amp;").replace("<", "&lt;")
        title = title.replace(">", "&gt;") or f"Chapter {number}"
        blocks.append(f"{number}\n{_vtt_time(start)} --> {_vtt_time(end)}\n{title}")
    return "\n\n".join(blocks) + "\n"


def _as_json(film: FilmRecord) -> str:
    spans = [_span(film, chapter) for chapter in film.chapters]
    chapters = [
        {"startTime": start / 1000, "endTime": end / 1000, "title": as_line(chapter.title)}
        for (start, end), chapter in zip(spans, film.chapters, strict=True)
    ]
    whole = {"version": "1.2.0", "chapters": chapters}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _as_ffmetadata(film: FilmRecord) -> str:
    lines = [";FFMETADATA1"]
    for chapter in film.chapters:
        start, end = _span(film, chapter)
        title = re.sub(r"([=;#\\])", r"\\\1", as_line(chapter.title))
        lines += ["", "[CHAPTER]", "TIMEBASE=1/1000", f"START={start}", f"END={end}"]
        lines.append(f"title={title}")
    return "\n".join(lines) + "\n"


def _span(film: FilmRecord, chapter: Chapter) -> tuple[int, int]:
    """Give begin and end in milliseconds from the first frame."""
    start = max(0, round((chapter.start - film.start) * 1000))
    return start, max(start, round((chapter.end - film.start) * 1000))


def _vtt_time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"
