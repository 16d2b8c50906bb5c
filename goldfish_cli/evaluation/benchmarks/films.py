"""Shapes World's films: the questions that ``goldfish prep shapes --films`` writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from goldfish_cli.evaluation import films
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.prompts import as_asked
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.films import FilmItem
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_SPAN = re.compile(r"[\d:]+-[\d:]+")
_EXPECTED = (
    "Films of Shapes World are film_questions.json (video_id, q, a, family, spans); make it with: "
    "goldfish prep shapes --films 1"
)


def read_films(paths: Sequence[Path]) -> list[EvalItem]:
    """Read ``film_questions.json``, or that of a folder.

    Where the time is the answer, it is told as a span of the film's clock: "1:02-1:06".

    Raises:
        AnnotationError: If it is missing or holds something else.
    """
    files = [path / "film_questions.json" if path.is_dir() else path for path in paths]
    return with_ids([_item(row) for row in read_rows(files, _EXPECTED)])


def _item(row: Row) -> EvalItem:
    spans = _spans(row)
    answer = row.text_or_empty("a")
    if not answer and not spans:
        raise row.error("has neither an answer nor a time")
    start, end = spans[0] if spans else (None, None)
    return EvalItem(
        id="",
        video=row.video("video_id"),
        question=row.text("q", "q"),
        answers=(answer or f"{_clock(spans[0][0])}-{_clock(spans[0][1])}",),
        category=row.text("family", "family"),
        start=start,
        end=end,
        spans=tuple(spans),
    )


def _spans(row: Row) -> list[tuple[float, float]]:
    value: Any = row.get("spans")
    if value is None:
        raise row.error("has no spans")
    try:
        return [(float(start), float(end)) for start, end in value]
    except (TypeError, ValueError, OverflowError) as error:
        raise row.error(f"has as spans {value!r}, not pairs of seconds") from error


def _clock(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    tail = f"{int(seconds) % 60:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def is_right(item: EvalItem, answer: str) -> bool:
    """Tell whether an answer is right: the canonical one, a time that is meant, or a refusal."""
    canonical = "" if _SPAN.fullmatch(item.answers[0]) else item.answers[0]
    truth = FilmItem(item.video, item.category, item.question, canonical, item.moments)
    return films.is_right(truth, answer)


FILMS = Benchmark(
    name="films",
    title="Shapes World films",
    read=read_films,
    prompt=as_asked,
    split="whatever was made; a seed that training did not see makes a test",
    metric="share of right answers by family, and of those whose citations point there",
    source="goldfish prep shapes --films",
    is_right=is_right,
    is_long=True,
    by="family",
)
