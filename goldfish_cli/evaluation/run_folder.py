"""The folder of an evaluation: what was answered, what each answer is worth, and the result."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.evaluation.results import EvalResult, read_summary, write_result
from goldfish_cli.evaluation.scoring import Scored

RESULT, SCORES = "result.json", "scores.jsonl"


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run that was scored before."""

    name: str
    result: dict[str, Any]
    rows: dict[tuple[str, str], dict[str, Any]]
    """What each answer is worth, by question and condition."""


def write_run(folder: Path, result: EvalResult, scored: Sequence[Scored]) -> None:
    """Write the result, and what each answer is worth, beside the answers.

    Raises:
        UsageError: If the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{SCORES}.part"
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for one in scored:
                file.write(json.dumps(_row(one), ensure_ascii=False) + "\n")
        beside.replace(folder / SCORES)
        write_result(folder / RESULT, result)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", hint="Name another --out"
        ) from error


def check_is_of(folder: Path, benchmark: str) -> None:
    """Refuse a folder that holds a run of another benchmark: their answers would be mixed.

    Raises:
        UsageError: If it does.
    """
    path = folder / RESULT
    there = read_summary(path)["benchmark"] if path.is_file() else benchmark
    if there != benchmark:
        raise UsageError(
            f"{folder} holds a run of {there}, not of {benchmark}.", hint="Name another --out"
        )


def read_run(folder: Path) -> EarlierRun:
    """Read a run back.

    Raises:
        AnnotationError: If the folder holds none.
    """
    if not (folder / RESULT).is_file() or not (folder / SCORES).is_file():
        raise AnnotationError(
            f"{folder} holds no run of goldfish eval.",
            hint="Name the --out folder of a run; one of --predictions needs --out as well",
        )
    rows = {}
    for number, line in enumerate((folder / SCORES).read_bytes().split(b"\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            if not math.isfinite(row["value"]):
                raise ValueError("no number")
            rows[row["id"], row["condition"]] = row
        except (ValueError, TypeError, KeyError) as error:
            raise AnnotationError(
                f"Line {number} of {folder / SCORES} is damaged.", hint="Score the run again"
            ) from error
    return EarlierRun(str(folder), read_summary(folder / RESULT), rows)


def _row(one: Scored) -> dict[str, Any]:
    return {
        "id": one.item.id,
        "video": one.item.video,
        "condition": one.prediction.condition,
        "category": one.item.category,
        "value": one.value,
        "right": one.right,
        "score": one.score,
        "prediction": one.prediction.prediction,
        "verdicts": [
            {"judge": judge, "dimension": dimension, "correct": said.correct, "score": said.score,
             "version": said.version, "problem": said.problem}
            for (judge, dimension), said in one.verdicts.items()
        ],
    }  # fmt: skip
