"""Video-ChatGPT's benchmark: answers of sentences, graded from 0 to 5 for five qualities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.open_answers import refuse_options
from goldfish_cli.evaluation.benchmarks.prompts import as_asked
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.items import Benchmark, Dimension, EvalItem

PARTS: Mapping[str, tuple[Dimension, ...]] = {
    "generic": ("correctness", "detail", "context"),
    "temporal": ("temporal",),
    "consistency": ("consistency",),
}
"""What the answers of each part are graded for."""
_EXPECTED = (
    "Video-ChatGPT's benchmark is generic_qa.json and temporal_qa.json (Q, A, video_name) and "
    "consistency_qa.json (Q1, Q2, A, video_name), or any of them."
)
_FIRST = ("q1", "question_1", "q", "question")
_SECOND = ("q2", "question_2")


def read_videochatgpt(paths: Sequence[Path]) -> list[EvalItem]:
    """Read any of the three parts, which their files' names tell; several together are one set.

    IG-VLM's two tables of consistency, one for each wording, are joined by ``question_id``.

    Raises:
        AnnotationError: If a file cannot be read, the part cannot be told, or a second wording
            is missing.
    """
    parts: dict[str, list[Row]] = {}
    for row in read_rows(paths, _EXPECTED):
        parts.setdefault(_part(row), []).append(row)
    items: list[EvalItem] = []
    for part, rows in parts.items():
        found = _pairs(rows) if part == "consistency" else [_item(row, part) for row in rows]
        items += [replace(item, id=f"{part}/{item.id}") for item in with_ids(found)]
    return items


def _part(row: Row) -> str:
    if row.get(*_SECOND) is not None:
        return "consistency"
    name = row.path.stem.casefold()
    part = next((one for one in PARTS if one in name), None)
    if part is None:
        row.text("question", *_FIRST)
        raise row.error(
            "may be of any part: the name of the file does not tell which",
            hint=f"Name it so that it holds one of: {', '.join(PARTS)}. {_EXPECTED}",
        )
    return part


def _pairs(rows: Sequence[Row]) -> list[EvalItem]:
    """Read both wordings of a row, or join the rows of two files, the first named first."""
    whole = [row for row in rows if row.get(*_SECOND) is not None]
    items = [_item(row, "consistency", row.text("second question", *_SECOND)) for row in whole]
    halves: dict[str, list[Row]] = {}
    for row in rows:
        if row.get(*_SECOND) is None:
            halves.setdefault(row.text("question_id or Q2", "question_id"), []).append(row)
    for name, found in halves.items():
        if len(found) != 2:
            raise found[0].error(
                f"asks {name} in {len(found)} wording{'s' * (len(found) > 1)}, not in two",
                hint=f"Name both tables, QA1 and QA2. {_EXPECTED}",
            )
        first, second = sorted(found, key=lambda row: row.path.stem)
        items.append(_item(first, "consistency", second.text("question", *_FIRST)))
    return items


def _item(row: Row, part: str, second: str = "") -> EvalItem:
    refuse_options(row)
    return EvalItem(
        id=row.text_or_empty("question_id"),
        video=row.video("video_name", "video", "video_id"),
        question=row.text("question", *_FIRST),
        answers=(row.text("answer", "a", "answer"),),
        rule="judged",
        category=part,
        second_question=second,
        dimensions=PARTS[part],
    )


VIDEOCHATGPT = Benchmark(
    name="videochatgpt",
    title="Video-ChatGPT",
    read=read_videochatgpt,
    prompt=as_asked,
    split="all: 1,996 generic, 499 temporal and 499 consistency questions on ActivityNet videos",
    metric="a judge's mean grade, 0 to 5, for correctness, detail, context (all on the generic "
    "answers), temporal understanding and consistency",
    source="https://github.com/mbzuai-oryx/Video-ChatGPT (arXiv:2306.05424)",
    by="part",
    also=("text", "meteor"),
)
