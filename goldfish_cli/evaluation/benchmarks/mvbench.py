"""MVBench: twenty tasks of time in short clips, three to five choices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import choice_item
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "MVBench has video, question, candidates and answer a row, a file each task; or all in one "
    "with task_type and the options inside the question."
)


TASKS = frozenset(
    {
        *("action_sequence", "action_prediction", "action_antonym", "fine_grained_action"),
        *("unexpected_action", "object_existence", "object_interaction", "object_shuffle"),
        *("moving_direction", "action_localization", "scene_transition", "action_count"),
        *("moving_count", "moving_attribute", "state_change", "fine_grained_pose"),
        *("character_order", "egocentric_navigation", "episodic_reasoning"),
        "counterfactual_inference",
    }
)


def read_mvbench(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the official files, whose names are the tasks, or a flat one that names them.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of MVBench's.
    """
    return with_ids([_item(row) for row in read_rows(paths, _EXPECTED)])


def _item(row: Row) -> EvalItem:
    refuse_others(row, "mvbench")
    return choice_item(
        row,
        id=row.text_or_empty("question_id", "id"),
        video=row.video("video", "video_name", "video_id"),
        answer=row.get("answer"),
        category=_task(row),
        start=row.seconds("start"),
        end=row.seconds("end"),
    )


def _task(row: Row) -> str:
    named = row.text_or_empty("task_type", "task") or row.path.stem
    task = as_task(named)
    if task not in TASKS:
        raise row.error(
            f"is of no task of MVBench: {named!r}",
            hint=f"{_EXPECTED} Tasks are: {', '.join(sorted(TASKS))}",
        )
    return task


def refuse_task(row: Row, task: str) -> None:
    """Refuse, for another benchmark, a row of one of MVBench's tasks.

    Raises:
        AnnotationError: If it is.
    """
    if as_task(task) in TASKS:
        raise row.error(
            f"is of task {task}, which is MVBench's",
            hint=f"{row.expected} For that one: goldfish eval mvbench",
        )


def as_task(name: str) -> str:
    """Write a task's name as its file is named: ``Fine-grained Pose``, ``fine_grained_pose``."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


MVBENCH = Benchmark(
    name="mvbench",
    title="MVBench",
    read=read_mvbench,
    prompt=with_form,
    split="all 4,000 questions, 200 of each of 20 tasks",
    metric="mean of the tasks' accuracies",
    source="https://huggingface.co/datasets/OpenGVLab/MVBench (arXiv:2311.17005)",
    cuts=True,
    by="task",
)
