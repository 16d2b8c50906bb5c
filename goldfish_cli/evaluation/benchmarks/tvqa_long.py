"""TVQA-Long: TVQA's questions asked of whole episodes (arXiv:2407.12679)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.documents import is_json, read_document
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, document_rows, folded, read_rows
from goldfish_cli.evaluation.benchmarks.tvqa import clip_item
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = (
    "TVQA-Long is tvqa_val_edited.json: series, seasons, episodes, each with its questions; or "
    "TVQA's own tvqa_val.jsonl."
)


def read_tvqa_long(paths: Sequence[Path]) -> list[EvalItem]:
    """Read the nested file of TVQA-Long, LongTVQA's list, or TVQA's validation itself.

    The video is the episode, named as its clips are up to "_seg": ``castle_s01e02``, or ``s01e02``
    of The Big Bang Theory. Start and end are left out, for they count from the start of a clip.

    Raises:
        AnnotationError: If a file cannot be read, or holds other questions.
    """
    rows = [row for path in paths for row in _rows(path)] or read_rows(paths, _EXPECTED)
    return with_ids([_item(row) for row in rows])


def _rows(path: Path) -> list[Row]:
    if not is_json(path):
        return read_rows([path], _EXPECTED)
    document = read_document(path)
    if not isinstance(document, Mapping) or "q" in document:
        return document_rows(document, path, _EXPECTED)
    return list(_nested(document, path))


def _nested(document: Mapping[str, Any], path: Path) -> Iterator[Row]:
    """Go through series, seasons and episodes to their questions."""
    for show, seasons in document.items():
        for season, episodes in _inner(seasons, show, path):
            for episode, content in _inner(episodes, season, path):
                place = f"{show}, {season}, {episode}"
                questions = content.get("questions") if isinstance(content, Mapping) else None
                if not isinstance(questions, list):
                    raise AnnotationError(
                        f"{place} of {path.name} has no list of questions.", hint=_EXPECTED
                    )
                for number, question in enumerate(questions, start=1):
                    if not isinstance(question, Mapping):
                        raise AnnotationError(
                            f"Question {number} of {place} of {path.name} is "
                            f"{type(question).__name__}, not an object.",
                            hint=_EXPECTED,
                        )
                    values = {"show_name": show} | folded(question)
                    yield Row(path, f"Question {number} of {place}", values, _EXPECTED)


def _inner(value: Any, name: str, path: Path) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise AnnotationError(
            f"{name} of {path.name} holds no seasons or episodes.", hint=_EXPECTED
        )
    yield from value.items()


def _item(row: Row) -> EvalItem:
    item = clip_item(row)
    episode = row.text_or_empty("episode_name") or item.video.partition("_seg")[0]
    return replace(item, video=episode, start=None, end=None)


TVQA_LONG = Benchmark(
    name="tvqa-long",
    title="TVQA-Long",
    read=read_tvqa_long,
    prompt=with_form,
    split="validation, 15,253 questions, those of TVQA's validation",
    metric="accuracy of five choices, with subtitles and without; Goldfish's paper reports a "
    "judge's accuracy",
    source="https://huggingface.co/datasets/Vision-CAIR/TVQA-Long (arXiv:2407.12679)",
    is_long=True,
    by="series",
)
