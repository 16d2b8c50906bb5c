"""An answer as one HTML page that stands by itself: timeline, pictures, subtitles, a player."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from goldfish_cli.longvideo.answers import Citation, LongAnswer
from goldfish_cli.longvideo.clock import clock, span
from goldfish_cli.longvideo.looking import locate
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.media.cues import as_line


def page(store: IndexView, answer: LongAnswer, films: Sequence[FilmRecord]) -> str:
    """Write an answer as HTML.

    Nothing is fetched from anywhere; only the film itself is played from where it lies, if it does.

    Args:
        store: Open to read: gives pictures and subtitles.
        answer: The answer.
        films: The films that were asked.
    """
    template = Template(files("goldfish_cli.longvideo").joinpath("page.html").read_text("utf-8"))
    cited = [film for film in films if any(one.video == film.paths[-1] for one in answer.citations)]
    parts = [_film(store, film, answer, number) for number, film in enumerate(cited)]
    about = (
        f"{len(films)} film{'s' * (len(films) > 1)}, {answer.coverage:.0%} indexed; "
        f"{answer.seconds:.1f} s"
    )
    return template.substitute(
        title=escape(f"{answer.question} - Goldfish"),
        question=escape(answer.question),
        answer=escape(answer.answer),
        about=escape(about),
        films="\n".join(parts),
    )


def _film(store: IndexView, film: FilmRecord, answer: LongAnswer, place: int) -> str:
    cited = [one for one in answer.citations if one.video == film.paths[-1]]
    clips = store.clips(film.id)
    path = locate(film)
    is_film = bool(film.settings.get("frames"))
    player = (
        f'<video controls preload="metadata" src="{escape(path.absolute().as_uri())}"></video>'
        if is_film and path is not None
        else '<p class="about">The film is not at hand.</p>'
        if is_film
        else '<p class="about">Known by its subtitles alone.</p>'
    )
    marks = "".join(_mark(film, one, f"c{place}-{n}") for n, one in enumerate(cited))
    borders = "".join(
        f'<i style="left:{_percent(film, chapter.start):.3f}%" title="{escape(chapter.title)}"></i>'
        for chapter in film.chapters
    )
    rows = "".join(
        _row(store, film, clips, one, f"c{place}-{n}", n + 1) for n, one in enumerate(cited)
    )
    return (
        f"<section><h2>{escape(film.name)}</h2>{player}"
        f'<div class="timeline">{borders}{marks}</div>'
        f'<div class="ends"><span>0:00</span><span>{clock(film.duration)}</span></div>'
        f"<ol>{rows}</ol></section>"
    )


def _mark(film: FilmRecord, one: Citation, item: str) -> str:
    left = _percent(film, one.start)
    width = max(0.3, _percent(film, one.end) - left)
    weak = "" if one.supported else ' class="weak"'
    begin = f"{one.start - film.start:.3f}"
    label = escape(f"{span(one.start - film.start, one.end - film.start)} {one.text}")
    return (
        f'<button{weak} style="left:{left:.3f}%;width:{width:.3f}%" title="{label}" '
        f'aria-label="{label}" data-item="{item}" data-time="{begin}"></button>'
    )


def _row(
    store: IndexView,
    film: FilmRecord,
    clips: Sequence[ClipRecord],
    one: Citation,
    item: str,
    number: int,
) -> str:
    clip = next((each for each in clips if each.start <= one.start < each.end), None)
    picture = store.thumbnail(film.id, clip.number) if clip else None
    image = (
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}">'
        if picture
        else ""
    )
    near = [cue for cue in (clip.cues if clip else ()) if as_line(cue.text) != one.text]
    said = " ".join(
        f"{clock(cue.start - film.start)} \u201c{as_line(cue.text)}\u201d" for cue in near
    )
    mark = "" if one.supported else ' <span class="mark">not borne out</span>'
    times = span(one.start - film.start, one.end - film.start)
    return (
        f'<li id="{item}"><div>{image}</div><div><button class="time" data-item="{item}" '
        f'data-time="{one.start - film.start:.3f}">{number}. {times}</button>{mark}'
        f"<p>{escape(one.text)}</p>"
        + (f'<p class="said">{escape(said)}</p>' if said else "")
        + "</div></li>"
    )


def _percent(film: FilmRecord, time: float) -> float:
    share = (time - film.start) / film.duration if film.duration else 0.0
    return 100 * min(1.0, max(0.0, share))
