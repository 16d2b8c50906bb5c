"""Records of an index as rows of its tables, and back; what a clip holds as passages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from goldfish_cli.longvideo.records import Chapter, ClipRecord, FilmRecord, Passage
from goldfish_cli.media.cues import Cue, as_line

Row = Sequence[Any]

FILM_COLUMNS = (
    "id, paths, start, duration, subtitles, language, settings, borders_key, complete, summary,"
    " chapters"
)
CLIP_COLUMNS = "number, start, end, summary, cues, failed, key"
PASSAGE_COLUMNS = "film, clip, kind, start, end, text"


def film_row(film: FilmRecord) -> Row:
    """Give the values of ``FILM_COLUMNS``."""
    chapters = [(one.start, one.end, one.title, one.summary) for one in film.chapters]
    return (
        film.id, _dump(film.paths), film.start, film.duration, film.subtitles, film.language,
        _dump(film.settings), film.borders_key, film.complete, film.summary, _dump(chapters),
    )  # fmt: skip


def film_of(row: Row) -> FilmRecord:
    """Read the values of ``FILM_COLUMNS``."""
    identity, paths, start, duration, subtitles, language, settings, key, complete, *rest = row
    summary, chapters = rest
    return FilmRecord(
        identity,
        tuple(orjson.loads(paths)),
        start,
        duration,
        subtitles=subtitles,
        language=language,
        settings=orjson.loads(settings),
        borders_key=key,
        complete=bool(complete),
        summary=summary,
        chapters=tuple(Chapter(*one) for one in orjson.loads(chapters)),
    )


def clip_row(clip: ClipRecord) -> Row:
    """Give the values of ``CLIP_COLUMNS``."""
    cues = _dump([(cue.start, cue.end, cue.text) for cue in clip.cues])
    return (clip.number, clip.start, clip.end, clip.summary, cues, clip.failed, clip.key)


def clip_of(row: Row) -> ClipRecord:
    """Read the values of ``CLIP_COLUMNS``."""
    number, start, end, summary, cues, failed, key = row
    heard = tuple(Cue(*cue) for cue in orjson.loads(cues))
    return ClipRecord(number, start, end, summary, heard, failed, key)


def passages_in(film_id: str, clip: ClipRecord) -> list[Passage]:
    """Give what can be found in a clip: its summary, and each cue with its own times."""
    found: list[Passage] = []
    if clip.summary.strip():
        found.append(
            Passage(film_id, clip.number, "seen", clip.start, clip.end, clip.summary.strip())
        )
    for cue in clip.cues:
        if line := as_line(cue.text):
            found.append(Passage(film_id, clip.number, "said", cue.start, cue.end, line))
    return found


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
