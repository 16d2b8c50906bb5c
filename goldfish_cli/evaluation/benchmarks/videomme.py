"""Video-MME: four choices about videos of seconds to an hour, with subtitles and without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import choice_item
from goldfish_cli.evaluation.benchmarks.mvbench import refuse_task
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, inner_rows, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "Video-MME has video_id and a list of questions (question, options, answer) an item, or a "
    "question a row, with the options in a list or inside the question."
)


def read_videomme(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the official nested file (commas too many are forgiven) or a flat one.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of Video-MME's.
    """
    rows = [one for row in read_rows(paths, _EXPECTED) for one in inner_rows(row, "questions")]
    return with_ids([_item(row) for row in rows])


def _item(row: Row) -> EvalItem:
    refuse_others(row, "videomme")
    if row.get("task_type", "domain") is None:
        raise row.error("has neither task_type nor domain")
    refuse_task(row, row.text_or_empty("task_type"))
    return choice_item(
        row,
        id=row.text_or_empty("question_id", "id"),
        video=row.video("videoid", "video_id", "video"),
        answer=row.get("answer"),
        category=row.text_or_empty("task_type"),
        ways=("letter", "text", "index"),
    )


VIDEOMME = Benchmark(
    name="videomme",
    title="Video-MME",
    read=read_videomme,
    prompt=with_form,
    split="all 2,700 questions about 900 videos, a third of them short, medium and long",
    metric="accuracy of four choices, with subtitles and without",
    source="https://github.com/BradyFU/Video-MME (arXiv:2405.21075)",
    is_long=True,
    by="task type",
)
