"""TGIF-QA, four sets about animated GIFs: one word, an action, a transition, a count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.open_answers import refuse_options
from goldfish_cli.evaluation.benchmarks.options import columns_of_options, find_correct
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others, refuse_strangers
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_TITLE = "TGIF-QA"
_VIDEO_KEYS = ("gif_name", "video_name", "video")
_OPTIONS = ("a1", "a2", "a3", "a4", "a5")
_QUESTION_ID = re.compile(r"([A-Z]+)\d+")
_FRAME_TYPES = {"0": "object", "1": "number", "2": "color", "3": "location"}


@dataclass(frozen=True, slots=True)
class Task:
    """One of the four sets."""

    name: str
    prefix: str
    """Before the numbers of its questions."""
    expected: str


FRAME = Task(
    "tgif-frame", "FRAMEQA", "TGIF-QA's frame set has gif_name, question and answer a row."
)
ACTION = Task("tgif-action", "ACTION", "TGIF-QA's action set has gif_name, question, a1 to a5 and "
              "answer (from 0) a row.")  # fmt: skip
TRANSITION = Task("tgif-transition", "TRANS", "TGIF-QA's transition set has gif_name, question, a1 "
                  "to a5 and answer (from 0) a row.")  # fmt: skip
COUNT = Task("tgif-count", "COUNT", "TGIF-QA's count set has gif_name, question and a number as "
             "answer a row.")  # fmt: skip
_TASKS = (FRAME, ACTION, TRANSITION, COUNT)


def read_tgif(paths: Sequence[Path], task: Task) -> list[EvalItem]:
    """Read one set: official tables (tabs, though named .csv), HQGA's, IG-VLM's, Chat-UniVi's.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of this set's.
    """
    rows = read_rows(paths, task.expected)
    ids = [_check_task(row, task) for row in rows]
    read = {"COUNT": _count, "FRAMEQA": _frame}.get(task.prefix, _choice)
    return with_ids([read(row, one) for row, one in zip(rows, ids, strict=True)])


def read_all(paths: Sequence[Path]) -> list[EvalItem]:
    """Read any of the four sets, one a file; which it is becomes the type of its questions.

    Raises:
        AnnotationError: If a file cannot be read, or is none of them.
    """
    items = []
    read_rows(paths[:1], FRAME.expected)  # no file at all is an error of its own
    for path in paths:
        task = _task_of(path)
        kind = task.name.removeprefix("tgif-")
        items += [replace(item, category=kind) for item in read_tgif([path], task)]
    return with_ids(items)


def _task_of(path: Path) -> Task:
    """Tell a file's set by the ids of its questions, else by what its first row holds."""
    rows = read_rows([path], FRAME.expected)
    by_prefix = {task.prefix: task for task in _TASKS}
    for name in ("vid_id", "video_id", "qid", "question_id"):
        match = _QUESTION_ID.fullmatch(rows[0].text_or_empty(name))
        if match is not None and match[1] in by_prefix:
            return by_prefix[match[1]]
    if rows[0].get("a1") is not None:
        return ACTION
    return COUNT if all(row.text_or_empty("answer").isdecimal() for row in rows) else FRAME


def _check_task(row: Row, task: Task) -> str:
    """Return the question's id, "" if there is none; IG-VLM calls it ``video_id``."""
    for name in ("vid_id", "video_id", "qid", "question_id"):
        value = row.text_or_empty(name)
        match = _QUESTION_ID.fullmatch(value)
        if match is None:
            continue
        for other in _TASKS:
            if match[1] == other.prefix and other is not task:
                raise row.error(
                    f"is question {value}, which is not of {task.name}",
                    hint=f"{task.expected} For this file: goldfish eval {other.name}",
                )
        return value
    return ""


def _video(row: Row) -> str:
    refuse_others(row, "tgif-frame")
    video = row.video(*_VIDEO_KEYS)
    refuse_strangers(row, video, _TITLE)
    return video


def _frame(row: Row, question_id: str) -> EvalItem:
    refuse_options(row)
    kind = row.text_or_empty("type", "question_type")
    return EvalItem(
        id=question_id,
        video=_video(row),
        question=row.text("question", "question"),
        answers=(row.text("answer", "answer"),),
        category=_FRAME_TYPES.get(kind, kind),
    )


def _count(row: Row, question_id: str) -> EvalItem:
    refuse_options(row)
    answer = row.text("answer", "answer")
    if not answer.isdecimal():
        raise row.error(f"has the answer {answer!r}, not a number")
    return EvalItem(
        id=question_id,
        video=_video(row),
        question=row.text("question", "question"),
        answers=(str(int(answer)),),
        rule="count",
    )


def _choice(row: Row, question_id: str) -> EvalItem:
    question = row.text("question", "question")
    options = columns_of_options(row, *_OPTIONS)
    correct = find_correct(row, row.text("answer", "answer"), options, ("index", "text"))
    return EvalItem(
        id=question_id,
        video=_video(row),
        question=question,
        answers=(options[correct],) if correct is not None else (),
        rule="choice",
        options=options,
        correct=correct,
    )


_SOURCE = "https://github.com/YunseokJANG/tgif-qa (arXiv:1704.04497)"

TGIF = Benchmark(
    name="tgif",
    title="TGIF-QA",
    read=read_all,
    prompt=with_form,
    split="test: frame 13,691, action 2,274, transition 6,232, count 3,554 questions; papers tell "
    "the four apart, and what those with a judge call TGIF-QA is the frame set",
    metric="by set: accuracy, of the count set mean squared error (L2)",
    source=_SOURCE,
    by="set",
)
TGIF_FRAME = Benchmark(
    name=FRAME.name,
    title="TGIF-QA FrameQA",
    read=partial(read_tgif, task=FRAME),
    prompt=with_form,
    split="test, 13,691 questions; it is what papers with a judge call TGIF-QA",
    metric="accuracy by exact match, or by a judge with a score of 0 to 5",
    source=_SOURCE,
)
TGIF_ACTION = Benchmark(
    name=ACTION.name,
    title="TGIF-QA Action",
    read=partial(read_tgif, task=ACTION),
    prompt=with_form,
    split="test, 2,274 questions",
    metric="accuracy of five choices",
    source=_SOURCE,
)
TGIF_TRANSITION = Benchmark(
    name=TRANSITION.name,
    title="TGIF-QA Transition",
    read=partial(read_tgif, task=TRANSITION),
    prompt=with_form,
    split="test, 6,232 questions",
    metric="accuracy of five choices",
    source=_SOURCE,
)
TGIF_COUNT = Benchmark(
    name=COUNT.name,
    title="TGIF-QA Count",
    read=partial(read_tgif, task=COUNT),
    prompt=with_form,
    split="test, 3,554 questions",
    metric="mean squared error of the counts (L2)",
    source=_SOURCE,
)
