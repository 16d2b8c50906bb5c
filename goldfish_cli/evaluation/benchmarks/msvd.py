"""MSVD-QA: short clips, questions made from captions, answers of one word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.open_answers import (
    VIDEO_KEYS,
    question_word,
    refuse_options,
)
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.strangers import refuse_others, refuse_strangers
from goldfish_cli.evaluation.items import Benchmark, EvalItem


def read_captioned(paths: Sequence[Path], title: str) -> list[EvalItem]:
    """Read MSVD-QA or MSRVTT-QA: official JSON, or that of HQGA, IG-VLM, MA-LMM or Chat-UniVi.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of ``title``'s.
    """
    expected = f"{title} has a question, an answer of one word and a video_name or video_id a row."
    return with_ids([_item(row, title) for row in read_rows(paths, expected)])


def _item(row: Row, title: str) -> EvalItem:
    refuse_others(row)
    refuse_options(row)
    question = row.text("question", "question")
    video = row.video(*VIDEO_KEYS)
    refuse_strangers(row, video, title)
    return EvalItem(
        id=row.text_or_empty("question_id", "qid", "id"),
        video=video,
        question=question,
        answers=(row.text("answer", "answer"),),
        category=question_word(question),
    )


MSVD = Benchmark(
    name="msvd",
    title="MSVD-QA",
    read=partial(read_captioned, title="MSVD-QA"),
    prompt=with_form,
    split="test, 13,157 questions; Video-ChatGPT's own numbers are of validation, 6,415 questions "
    "(mbzuai-oryx/Video-ChatGPT#68): compare only what is of one split",
    metric="accuracy by exact match, or by a judge with a score of 0 to 5",
    source="https://github.com/xudejing/video-question-answering (Xu et al., ACM MM 2017)",
    by="question word",
)
