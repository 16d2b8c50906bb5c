"""NExT-QA, open-ended: the same videos, answers of a few words, of some two are accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.documents import is_json, read_document
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.nextqa import read_type, without_folders
from goldfish_cli.evaluation.benchmarks.open_answers import refuse_options
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "NExT-QA's open-ended set has video, question, answer, qid and type a row; "
    "add_reference_answer_test.json may come with test.csv."
)


@dataclass(frozen=True, slots=True)
class SecondAnswers:
    """Answers that are accepted beside the first, by video and question."""

    path: Path
    answers: dict[tuple[str, str], str]


def read_nextqa_open(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the official table and, if it is named too, the file of second answers.

    Raises:
        AnnotationError: If a file cannot be read, a row is none of the set's, or a second answer
            is to a question that is not asked.
    """
    tables, second = [], []
    for path in without_folders(paths):
        found = second_answers(path)
        tables += [] if found else [path]
        second += [found] if found else []
    rows = read_rows(tables, _EXPECTED)
    asked = {(_video(row), row.text_or_empty("qid")) for row in rows}
    extra: dict[tuple[str, str], str] = {}
    for one in second:
        for video, question in one.answers:
            if (video, question) not in asked:
                raise AnnotationError(
                    f"{one.path.name} answers question {question} about {video}, "
                    "which no row asks.",
                    hint="It belongs to the questions of NExT-OE's test split.",
                )
        extra |= one.answers
    return with_ids([_item(row, extra) for row in rows])


def second_answers(path: Path) -> SecondAnswers | None:
    """Read ``add_reference_answer_test.json``; ``None`` if the file is something else."""
    document = read_document(path) if is_json(path) else None
    if not isinstance(document, dict) or not document:
        return None
    answers: dict[tuple[str, str], str] = {}
    for video, questions in document.items():
        if not isinstance(questions, dict) or not all(key.isdecimal() for key in questions):
            return None
        answers |= {(video, key): str(answer).strip() for key, answer in questions.items()}
    return SecondAnswers(path, answers)


def _video(row: Row) -> str:
    return row.video("video", "video_name", "video_id")


def _item(row: Row, second: dict[tuple[str, str], str]) -> EvalItem:
    refuse_options(row)
    video, question_id = _video(row), row.text_or_empty("qid", "question_id")
    first = row.text("answer", "answer")
    other = second.get((video, question_id), "")
    return EvalItem(
        id=question_id,
        video=video,
        question=row.text("question", "question"),
        answers=(first, other) if other and other != first else (first,),
        category=read_type(row),
    )


NEXTQA_OE = Benchmark(
    name="nextqa-oe",
    title="NExT-QA open-ended",
    read=read_nextqa_open,
    prompt=with_form,
    split="test, 9,178 questions; validation, 5,343 questions",
    metric="WUPS in the paper; a judge's accuracy and score since",
    source="https://github.com/doc-doc/NExT-OE (arXiv:2105.08276)",
    also=("wups",),
)
