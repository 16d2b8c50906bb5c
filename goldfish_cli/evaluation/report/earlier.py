"""Earlier results beside a new one, with what forbids comparing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from goldfish_cli.evaluation.report.numbers import (
    UNKNOWN,
    count,
    grade,
    known,
    percent,
    percent_interval,
)
from goldfish_cli.evaluation.report.tables import MAX_ROWS, Table
from goldfish_cli.evaluation.report.words import judge_versions
from goldfish_cli.evaluation.results import EvalResult


def earlier_runs(result: EvalResult, earlier: Sequence[Mapping[str, Any]]) -> Table | None:
    """Set earlier results beside this one, and say which must not be compared with it."""
    if not earlier:
        return None
    kept = list(earlier)[-MAX_ROWS:]
    graded = result.score is not None or any(known(one.get("score")) is not None for one in kept)
    now = {
        "model": result.model,
        "judge": result.judge,
        "n": result.n,
        "accuracy": result.accuracy,
        "ci95": result.ci95,
        "score": result.score,
        "provenance": result.provenance,
    }
    rows = [
        (
            _date(one) or ("this run" if one is now else f"earlier {place}"),
            str(one.get("model") or UNKNOWN),
            str(one.get("judge") or UNKNOWN),
            "this run" if one is now else difference_in_kind(result, one) or "comparable",
            count(one.get("n")),
            percent(one.get("accuracy")),
            percent_interval(one.get("ci95")),
            *((grade(one.get("score")),) if graded else ()),
        )
        for place, one in enumerate([*kept, now], 1)
    ]
    head = ("when", "model", "judge", "comparable?", "n", "accuracy, %", "95 %")
    note = "Results of different judges or questions say nothing about each other."
    if len(earlier) > len(kept):
        note += f" {len(earlier) - len(kept):,} earlier ones are left out."
    return Table(
        "Beside earlier results",
        (*head, "grade") if graded else head,
        tuple(rows),
        note,
        texts=4,
    )


def difference_in_kind(result: EvalResult, earlier: Mapping[str, Any]) -> str:
    """Say why an earlier result must not be compared with this one; "" if it may."""
    reasons = []
    if earlier.get("benchmark") != result.benchmark:
        reasons.append(f"other benchmark ({earlier.get('benchmark')})")
    if earlier.get("judge") != result.judge:
        reasons.append("other judge")
    elif judge_versions(earlier.get("judging")) != judge_versions(result.judging):
        reasons.append("other version of the judge")
    if earlier.get("n") != result.n:
        reasons.append("other questions")
    return f"no: {', '.join(reasons)}" if reasons else ""


def _date(one: Mapping[str, Any]) -> str:
    provenance = one.get("provenance")
    date = provenance.get("date") if isinstance(provenance, Mapping) else None
    return str(date)[:16].replace("T", " ") if date else ""
