"""ActivityNet-QA: questions about web videos of minutes, answers of a few words, nine types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.open_answers import (
    VIDEO_KEYS,
    refuse_options,
)
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others, refuse_strangers
from goldfish_cli.evaluation.items import Benchmark, EvalItem
from goldfish_cli.evaluation.metrics.activitynet import TYPES

_EXPECTED = (
    "ActivityNet-QA is test_q.json together with test_a.json, or one file with question, answer "
    "and video_name a row."
)


def read_activitynet(paths: Sequence[Path]) -> list[EvalItem]:
    """Read questions and answers, of the same file or joined by ``question_id``.

    Raises:
        AnnotationError: If a file cannot be read, or a question or an answer has no partner.
    """
    rows = read_rows(paths, _EXPECTED)
    questions = [row for row in rows if row.get("question") is not None]
    answers = {_partner_id(row): row for row in rows if row.get("question") is None}
    if answers:
        return with_ids(_joined(questions, answers))
    return with_ids([_item(row, row) for row in questions])


def _joined(questions: Sequence[Row], answers: Mapping[str, Row]) -> list[EvalItem]:
    asked = {_partner_id(row) for row in questions}
    for name, answer in answers.items():
        if name not in asked:
            raise answer.error(f"answers {name}, which no question asks")
    for question in questions:
        if _partner_id(question) not in answers:
            raise question.error(f"asks {_partner_id(question)}, which no answer answers")
    return [_item(row, answers[_partner_id(row)]) for row in questions]


def _partner_id(row: Row) -> str:
    if "question_id" not in row.values:
        row.text("question", "question")  # says what it has instead
    return row.text("question_id", "question_id")


def _item(question: Row, answer: Row) -> EvalItem:
    refuse_others(question)
    refuse_options(question)
    video = question.video(*VIDEO_KEYS)
    refuse_strangers(question, video, "ActivityNet-QA")
    if answer.get("answer") is None and answer is question:
        raise question.error("has no answer", hint=f"Name the file of answers as well. {_EXPECTED}")
    return EvalItem(
        id=question.text_or_empty("question_id"),
        video=video,
        question=question.text("question", "question"),
        answers=(answer.text("answer", "answer"),),
        category=_type(answer),
    )


def _type(row: Row) -> str:
    number = row.text_or_empty("type", "answer_type", "question_type")
    if not number:
        return ""
    if not number.isdecimal() or int(number) >= len(TYPES):
        raise row.error(f"is of type {number!r}, ActivityNet-QA has 0 to {len(TYPES) - 1}")
    return TYPES[int(number)]


def _also_named(video: str) -> tuple[str, ...]:
    """The videos' own names begin with ``v_``, those in the annotations mostly do not."""
    return (video.removeprefix("v_") if video.startswith("v_") else f"v_{video}",)


ACTIVITYNET = Benchmark(
    name="activitynet",
    title="ActivityNet-QA",
    read=read_activitynet,
    prompt=with_form,
    split="test, 8,000 questions about 800 videos",
    metric="accuracy by exact match and by type, or by a judge with a score of 0 to 5",
    source="https://github.com/MILVLG/activitynet-qa (arXiv:1906.02467)",
    also_named=_also_named,
    also=("free", "wups"),
)
