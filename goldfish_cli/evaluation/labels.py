"""What people say of some answers, against what judges say of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.results import Agreement, Corrected
from goldfish_cli.evaluation.scoring import Deciding, Scored
from goldfish_cli.evaluation.statistics.agreement import cohen_kappa
from goldfish_cli.evaluation.statistics.corrected import corrected_accuracy

_EXPECTED = "Labels are rows of id and correct (yes or no), such as 100 of the answers at random."
_YES = {"yes", "true", "1", "right", "correct"}
_NO = {"no", "false", "0", "wrong", "incorrect"}


def read_labels(path: Path) -> dict[str, bool]:
    """Read what a person says of answers: JSON, JSONL or a table with ``id`` and ``correct``.

    Raises:
        AnnotationError: If it cannot be read, or holds something else, or labels one answer twice
            and differently.
    """
    found: dict[str, bool] = {}
    for row in read_rows([path], _EXPECTED):
        name = row.text("id", "id", "question_id", "qid")
        label = _label(row)
        if found.setdefault(name, label) != label:
            raise row.error(f"labels {name} otherwise than a row before it")
    return found


def _label(row: Row) -> bool:
    value: Any = row.get("correct", "label", "right")
    told = str(value).strip().casefold()
    if told in _YES:
        return True
    if told in _NO:
        return False
    raise row.error(f"has as correct {value!r}, which is neither yes nor no")


def corrected(
    labels: Mapping[str, bool], scored: Sequence[Scored]
) -> tuple[Corrected | None, list[str]]:
    """Take a judge's mistakes out of its accuracy.

    Args:
        labels: What a person says, by question.
        scored: The answers as the judge decided.

    Returns:
        The corrected accuracy, ``None`` where the judge gives grades alone; and what is to be
        known of the labels.

    Raises:
        AnnotationError: If no label is for one of these answers.
    """
    known = [one for one in scored if one.right is not None]
    used = [one for one in known if one.item.id in labels]
    if not known:
        return None, [
            "Labels correct answers that are judged right or wrong; here are only grades."
        ]
    if not used:
        raise AnnotationError(
            f"None of the {len(labels)} labels is for one of these answers.", hint=_EXPECTED
        )
    notes = []
    if len(used) < len(labels):
        notes.append(f"{len(labels) - len(used)} labels are for none of these answers.")
    found = corrected_accuracy(
        [bool(one.right) for one in known],
        [labels.get(one.item.id) for one in known],
        [one.item.video for one in known],
    )
    return Corrected(found.accuracy, found.ci95, found.labelled, found.judge_right), notes


def agreement(scored: Sequence[Scored], deciding: Deciding, seed: int) -> Agreement | None:
    """How far the deciding judge and the rules agree; ``None`` where one alone was heard."""
    names = (deciding.judge.name, *(judge.name for judge in deciding.beside[:1]))
    if len(names) < 2:
        return None
    pairs = []
    for one in scored:
        said = [one.verdicts.get((name, "accuracy")) for name in names]
        if all(verdict is not None and verdict.correct is not None for verdict in said):
            pairs.append((*(verdict.correct for verdict in said if verdict), one.item.video))
    if not pairs:
        return None
    first, second, videos = zip(*pairs, strict=True)
    found = cohen_kappa(first, second, videos, seed=seed)
    return Agreement((names[0], names[1]), found.n, found.same, found.kappa, found.ci95)
