"""LVBench: four choices about videos of half an hour and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import choice_item
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, folded, inner_rows, read_rows
from goldfish_cli.evaluation.benchmarks.spans import read_span
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "LVBench is video_info.meta.jsonl (key, and qa with question and answer), or a question a row "
    "with its options inside."
)

TYPES = (
    *("entity recognition", "event understanding", "key information retrieval", "reasoning"),
    *("summarization", "temporal grounding"),
)


def read_lvbench(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the official lines, a video each, or a flat file.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of LVBench's.
    """
    rows = [one for row in read_rows(paths, _EXPECTED) for one in inner_rows(row, "qa")]
    return with_ids([_item(row) for row in rows])


def _item(row: Row) -> EvalItem:
    refuse_others(row, "lvbench")
    if row.get("question_type", "time_reference") is None:
        raise row.error("has neither question_type nor time_reference")
    start, end = read_span(row, "time_reference")
    return choice_item(
        row,
        id=row.text_or_empty("uid", "question_id", "id"),
        video=row.video("video_id", "key", "video_path", "video", "videoid"),
        answer=row.get("answer"),
        category=_types(row),
        ways=("letter", "text", "index"),
        start=start,
        end=end,
        duration=_duration(row),
    )


def _duration(row: Row) -> float | None:
    """Read the minutes of the video, which the official file has under ``video_info``."""
    info = row.get("video_info")
    values = dict(row.values) | (folded(info) if isinstance(info, Mapping) else {})
    minutes = replace(row, values=values).seconds("duration_minutes")
    return None if minutes is None else minutes * 60


def _types(row: Row) -> str:
    """Join the types of a question, of which it may have several."""
    value = row.get("question_type")
    types = [str(one) for one in value] if isinstance(value, list) else None
    if types is None:
        types = [
            one.strip(" '\"") for one in row.text_or_empty("question_type").strip("[]").split(",")
        ]
    for one in types:
        if one and one.casefold() not in TYPES:
            raise row.error(f"is of type {one!r}, LVBench has {', '.join(TYPES)}")
    return " + ".join(sorted(types))


LVBENCH = Benchmark(
    name="lvbench",
    title="LVBench",
    read=read_lvbench,
    prompt=with_form,
    split="all 1,549 questions about 103 videos; copies with fewer, such as 1,508, circulate",
    metric="accuracy of four choices; a question of several types counts in each",
    source="https://github.com/THUDM/LVBench (arXiv:2406.08035)",
    is_long=True,
    by="question types",
)
