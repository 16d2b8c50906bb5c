"""EgoSchema: five choices about three minutes seen through someone's eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.documents import is_json, read_document
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import choice_item
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "EgoSchema is questions.json (q_uid, question, option 0 to option 4) with "
    "subset_answers.json, or one file with options and an answer a row."
)
_NUM_OPTIONS = 5
_VIDEO_KEYS = ("q_uid", "uid", "video_name", "video_id", "video", "video_idx")


def read_egoschema(paths: Sequence[Path]) -> list[EvalItem]:
    """Read questions, with answers of their own or of ``subset_answers.json``.

    Of the official questions, those beyond the subset have no published answer and stay without.

    Raises:
        AnnotationError: If a file cannot be read, or an answer is to no question that is there.
    """
    answers: dict[str, int] = {}
    tables = []
    for path in paths:
        found = _answers(path)
        answers |= found
        tables += [] if found else [path]
    if answers and not tables:
        raise AnnotationError(
            f"{paths[0].name} holds answers without questions.",
            hint=f"Name the file of questions as well. {_EXPECTED}",
        )
    items = [_item(row, answers) for row in read_rows(tables, _EXPECTED)]
    asked = {item.video for item in items}
    for uid in answers:
        if uid not in asked:
            raise AnnotationError(
                f"The answer to {uid} belongs to no question that was read.", hint=_EXPECTED
            )
    return with_ids(items)


def _answers(path: Path) -> dict[str, int]:
    """Read a file that maps the uid of each question to the index of its answer."""
    document = read_document(path) if is_json(path) else None
    if not isinstance(document, Mapping) or not document:
        return {}
    if not all(isinstance(value, int) for value in document.values()):
        return {}
    return {str(uid): answer for uid, answer in document.items()}


def _item(row: Row, answers: Mapping[str, int]) -> EvalItem:
    refuse_others(row, "egoschema")
    kind = row.text_or_empty("type", "question_type", "task_type")
    if kind:
        raise row.error(f"is of type {kind!r}, but EgoSchema has no types")
    video = row.video(*_VIDEO_KEYS)
    item = choice_item(
        row,
        id=row.text_or_empty("q_uid", "uid") or video,
        video=video,
        answer=answers.get(video, row.get("answer", "truth", "correct_answer")),
        category="",
        ways=("text", "index", "letter"),
        duration=row.seconds("duration"),
    )
    if len(item.options) != _NUM_OPTIONS:
        raise row.error(f"has {len(item.options)} options, EgoSchema has {_NUM_OPTIONS}")
    return item


EGOSCHEMA = Benchmark(
    name="egoschema",
    title="EgoSchema",
    read=read_egoschema,
    prompt=with_form,
    split="5,031 questions, whose answers are kept back; 500 of them, the subset, have published "
    "answers, and papers report either",
    metric="accuracy of five choices",
    source="https://github.com/egoschema/EgoSchema (arXiv:2308.09126)",
)
