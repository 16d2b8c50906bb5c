"""Shapes World's clips: the questions that ``goldfish prep shapes`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.prompts import as_asked
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.canonical import normalise
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "Shapes World is instructions.json (video_id, q, a, family); make it with: goldfish prep shapes"
)


def read_shapes(paths: Sequence[Path]) -> list[EvalItem]:
    """Read ``instructions.json``, or that of a folder.

    Raises:
        AnnotationError: If it is missing or holds something else.
    """
    files = [path / "instructions.json" if path.is_dir() else path for path in paths]
    return with_ids([_item(row) for row in read_rows(files, _EXPECTED)])


def _item(row: Row) -> EvalItem:
    if "spans" in row.values:
        raise row.error("has spans: it is about a film", hint="For films: goldfish eval films")
    return EvalItem(
        id="",
        video=row.video("video_id"),
        question=row.text("q", "q"),
        answers=(row.text("a", "a"),),
        category=row.text("family", "family"),
        duration=row.seconds("length"),
    )


def is_right(item: EvalItem, answer: str) -> bool:
    """Tell whether an answer is the canonical one, but for case, articles and the final stop."""
    return normalise(answer) == normalise(item.answers[0])


SHAPES = Benchmark(
    name="shapes",
    title="Shapes World",
    read=read_shapes,
    prompt=as_asked,
    split="whatever was made; a seed that training did not see makes a test",
    metric="accuracy by exact match and by family, with the frames and without",
    source="goldfish prep shapes",
    is_right=is_right,
    by="family",
)
