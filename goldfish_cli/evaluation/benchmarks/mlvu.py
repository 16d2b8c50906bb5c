"""MLVU: nine tasks on videos of minutes to hours; seven with choices, two in free words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import choice_item
from goldfish_cli.evaluation.benchmarks.mvbench import refuse_task
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others
from goldfish_cli.evaluation.items import Benchmark, Dimension, EvalItem

_EXPECTED = (
    "MLVU has video, question, answer, question_type and, but for subPlot and summary, candidates "
    "a row."
)
_GENERATION: dict[str, Dimension] = {
    "subplot": "accuracy",
    "sub_scene": "accuracy",
    "summary": "summary",
}
"""The tasks in free words, and what a judge is asked: is the scene told right, how good is the
summary."""


def read_mlvu(paths: Sequence[Path]) -> list[EvalItem]:
    """Read any of the nine official files, or a flat one with the options inside the question.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of MLVU's.
    """
    return with_ids([_item(row) for row in read_rows(paths, _EXPECTED)])


def _item(row: Row) -> EvalItem:
    task = row.text_or_empty("question_type", "task_type", "type")
    if not task:
        raise row.error("names no task, such as question_type")
    refuse_task(row, task)
    refuse_others(row, "mlvu")
    dimension = _GENERATION.get(task.casefold())
    video = row.video("video", "video_name", "video_id")
    if dimension is None:
        return choice_item(
            row,
            id=row.text_or_empty("question_id", "id"),
            video=video,
            answer=row.get("answer"),
            category=task,
            duration=row.seconds("duration"),
        )
    return EvalItem(
        id=row.text_or_empty("question_id", "id"),
        video=video,
        question=row.text("question", "question"),
        answers=(row.text("answer", "answer"),),
        rule="judged",
        category=task,
        duration=row.seconds("duration"),
        dimensions=(dimension,),
    )


MLVU = Benchmark(
    name="mlvu",
    title="MLVU",
    read=read_mlvu,
    prompt=with_form,
    split="dev, 2,175 questions with choices and 418 in free words; the test split is another set",
    metric="mean of the tasks' accuracies (M-Avg), which differs from accuracy over all questions, "
    "and a judge's grade of the free answers (G-Avg, 2 to 10)",
    source="https://github.com/JUNJIE99/MLVU (arXiv:2406.04264)",
    is_long=True,
    by="task",
    also=("text", "meteor"),
)
