"""NExT-QA with five choices: why, how and when in home videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.documents import is_json, read_document
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.options import columns_of_options, find_correct
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = "NExT-QA has video, question, a0 to a4, answer (from 0), qid and type a row."
_OPTIONS = ("a0", "a1", "a2", "a3", "a4")
TYPES = ("CW", "CH", "TN", "TC", "TP", "DC", "DL", "DB", "DO")
"""Causal why and how; temporal next, current and previous; descriptive count, location, binary
(open-ended only) and other."""


def read_nextqa(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the official table or IG-VLM's; the map from videos to folders may come along.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of NExT-QA's choices.
    """
    return with_ids([_item(row) for row in read_rows(without_folders(paths), _EXPECTED)])


def without_folders(paths: Sequence[Path]) -> list[Path]:
    """Leave out ``map_vid_vidorID.json``: videos are found by name, whatever folder they are in.

    Raises:
        AnnotationError: If nothing else is there.
    """
    kept = [path for path in paths if not _is_folder_map(path)]
    if paths and not kept:
        raise AnnotationError(
            f"{paths[0].name} tells the folders of the videos and holds no questions.",
            hint="Name the table of questions, such as val.csv.",
        )
    return kept


def _is_folder_map(path: Path) -> bool:
    if not is_json(path):
        return False
    document = read_document(path)
    return (
        isinstance(document, dict)
        and bool(document)
        and all(
            isinstance(value, str) and value.endswith(f"/{name}")
            for name, value in document.items()
        )
    )


def read_type(row: Row) -> str:
    """Return the type of a question.

    Raises:
        AnnotationError: If there is none, or none that NExT-QA has.
    """
    kind = row.text("type", "type", "question_type").upper()
    if kind not in TYPES:
        raise row.error(f"is of type {kind!r}, NExT-QA has {', '.join(TYPES)}")
    return kind


def _item(row: Row) -> EvalItem:
    question = row.text("question", "question")
    if all(name not in row.values for name in _OPTIONS):
        raise row.error(
            "has no options a0 to a4",
            hint=f"{_EXPECTED} For the open-ended questions: goldfish eval nextqa-oe",
        )
    options = columns_of_options(row, *_OPTIONS)
    answer = row.text("answer", "answer_number", "answer")
    correct = find_correct(row, answer, options, ("index", "text"))
    return EvalItem(
        id=row.text_or_empty("qid", "question_id"),
        video=row.video("video", "video_name", "video_id"),
        question=question,
        answers=(options[correct],) if correct is not None else (),
        rule="choice",
        options=options,
        correct=correct,
        category=read_type(row),
    )


NEXTQA = Benchmark(
    name="nextqa",
    title="NExT-QA",
    read=read_nextqa,
    prompt=with_form,
    split="test, 8,564 questions; validation, 4,996 questions, is reported as often",
    metric="accuracy of five choices by causal, temporal and descriptive type",
    source="https://github.com/doc-doc/NExT-QA (arXiv:2105.08276)",
)
