"""The tables of a report as plain texts, which the page and Markdown each draw in their own way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goldfish_cli.evaluation.report.numbers import (
    UNKNOWN,
    coefficient,
    coefficient_interval,
    count,
    counted,
    grade,
    grade_interval,
    known,
    percent,
    percent_interval,
    points,
)
from goldfish_cli.evaluation.report.words import SHOWN, full, has_grades
from goldfish_cli.evaluation.results import EvalResult, Score

MAX_ROWS = 200
"""Rows of one table; the rest is counted."""
_SHARES = ("match", "accuracy", "share", "recall", "precision", "f1", "unreadable", "mean of types")
"""Words in the names of metrics that are shares, and shown as percentages."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under a head; the first cell of each row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """What must be known to read it."""
    texts: int = 1
    """Columns from the left that hold words; the others hold numbers."""


def comparison(result: EvalResult) -> Table:
    """Set the run beside its controls and what guesses would score."""
    graded = has_grades(result)
    whole = full(result)
    conditions = {"full": whole, **result.controls}
    rows = [
        (
            name,
            *_numbers(one, graded=graded),
            "" if name == "full" else _advantage(whole, one),
        )
        for name, one in conditions.items()
    ]
    rows += [
        (
            f"guess: {name}",
            UNKNOWN,
            percent(value),
            UNKNOWN,
            *((UNKNOWN, UNKNOWN) if graded else ()),
            points(_difference(whole.accuracy, value)),
        )
        for name, value in result.guess.items()
    ]
    head = ("shown", *_head(graded=graded), "full is better by, points")
    note = _comparison_note(result)
    return Table("The same questions under each condition", head, tuple(rows), note)


def _comparison_note(result: EvalResult) -> str:
    shown = [f"{name}: {SHOWN[name]}" for name in ("full", *result.controls) if name in SHOWN]
    if result.guess:
        shown.append("guess: no model, computed exactly")
    said = f"What was given. {'; '.join(shown)}."
    if any(one.n != result.n for one in result.controls.values()):
        said += " Conditions with another n hold other questions; no difference is given for them."
    return said


def breakdown(what: str, parts: Mapping[str, Score], *, graded: bool) -> Table:
    """Break a score down, in the order given; of too many parts the largest are kept."""
    kept = largest(parts, MAX_ROWS)
    rows = tuple((name or "(unnamed)", *_numbers(one, graded=graded)) for name, one in kept.items())
    left_out = len(parts) - len(kept)
    note = f"{counted(left_out, 'smaller part')} left out." if left_out else ""
    return Table(f"By {what}", (what, *_head(graded=graded)), rows, note)


def largest(parts: Mapping[str, Score], most: int) -> dict[str, Score]:
    """Keep the parts with the most questions, in their own order."""
    if len(parts) <= most:
        return dict(parts)
    by_size = sorted(parts, key=lambda name: -parts[name].n)
    kept = set(by_size[:most])
    return {name: one for name, one in parts.items() if name in kept}


def metrics(result: EvalResult) -> Table | None:
    """List everything else that was computed."""
    if not result.metrics:
        return None
    kept = list(result.metrics.items())[:MAX_ROWS]
    left_out = len(result.metrics) - len(kept)
    return Table(
        "All metrics",
        ("metric", "value"),
        tuple((name, _metric(name, value)) for name, value in kept),
        f"{left_out:,} more are left out." if left_out else "",
    )


def agreement(result: EvalResult) -> Table | None:
    """Say how far two judges agree."""
    one = result.agreement
    if one is None:
        return None
    row = (" and ".join(one.judges), count(one.n), percent(one.same), coefficient(one.kappa))
    return Table(
        "Agreement of the judges",
        ("judges", "answers", "same verdict, %", "Cohen's kappa", "95 %"),
        ((*row, coefficient_interval(one.kappa_ci95)),),
    )


def retrieval(result: EvalResult) -> Table | None:
    """Say how well the evidence was found in long videos."""
    one = result.retrieval
    if one is None:
        return None
    rows = [
        *((f"recall at {k}, %", percent(value)) for k, value in one.recall.items()),
        ("mean reciprocal rank", coefficient(one.mrr)),
        ("nDCG at 10", coefficient(one.ndcg)),
        ("best overlap among the first 5 (IoU)", coefficient(one.iou)),
        ("right answers that cite the true place, %", percent(one.cited)),
    ]
    return Table(
        "Retrieval of the evidence",
        ("measure", "value"),
        tuple(rows),
        f"Over {counted(one.n, 'question')} whose true place in the video is known.",
    )


def faults(result: EvalResult) -> Table | None:
    """Say where wrong answers come from."""
    one = result.faults
    if one is None:
        return None
    rows = tuple((name, what, percent(share)) for name, what, share in fault_shares(result))
    return Table(
        "Where errors come from",
        ("part", "what it means", "share, %"),
        rows,
        f"Over {counted(one.n, 'answered question')} whose true place in the video is known.",
        texts=2,
    )


def fault_shares(result: EvalResult) -> list[tuple[str, str, float | None]]:
    """Name the parts that all questions fall into, with what each means and its share."""
    one = result.faults
    if one is None:
        return []
    shares = [known(one.retrieval), known(one.reader), known(one.judge)]
    rest = max(0.0, 1 - sum(share or 0.0 for share in shares))
    return [
        ("right", "no fault to find", rest),
        ("retrieval", "the evidence was not among what was retrieved", shares[0]),
        ("reader", "the evidence was there, and the answer is wrong all the same", shares[1]),
        ("judge", "the answer equals the reference, and the judge said no", shares[2]),
    ]


def judging(result: EvalResult) -> Table | None:
    """Say what judging cost."""
    found = _flat(result.judging)
    if not found:
        return None
    rows = tuple((name.replace("_", " "), _amount(value)) for name, value in found[:MAX_ROWS])
    return Table("What judging cost", ("what", "amount"), rows)


def unanswered_reasons(result: EvalResult) -> Table | None:
    """Count unanswered questions by reason, the most frequent first."""
    if not result.unanswered:
        return None
    questions: Counter[str] = Counter()
    videos: Counter[str] = Counter()
    for one in result.unanswered:
        questions[one.reason] += one.questions
        videos[one.reason] += 1
    kept = questions.most_common(MAX_ROWS)
    left_out = len(questions) - len(kept)
    return Table(
        "Unanswered questions by reason",
        ("reason", "videos", "questions"),
        tuple((reason, count(videos[reason]), count(number)) for reason, number in kept),
        f"{counted(left_out, 'more reason')} left out." if left_out else "",
    )


def unanswered_videos(result: EvalResult) -> Table | None:
    """Name the videos whose questions are unanswered, as many as a page can bear."""
    if not result.unanswered:
        return None
    kept = result.unanswered[:MAX_ROWS]
    left_out = result.unanswered[MAX_ROWS:]
    questions = sum(one.questions for one in left_out)
    note = (
        f"{counted(len(left_out), 'more row')} with {counted(questions, 'question')} left out; "
        "the result's JSON file names all."
        if left_out
        else ""
    )
    return Table(
        "Unanswered questions by video",
        ("video", "reason", "questions"),
        tuple((one.video, one.reason, count(one.questions)) for one in kept),
        note,
        texts=2,
    )


def pairs(caption: str, values: Mapping[str, Any]) -> Table | None:
    """List nested settings by dotted names."""
    found = [(name, plain(value)) for name, value in _flat(values)]
    if not found:
        return None
    kept = found[:MAX_ROWS]
    left_out = len(found) - len(kept)
    note = f"{left_out:,} more are left out." if left_out else ""
    return Table(caption, ("name", "value"), tuple(kept), note, texts=2)


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found


def plain(value: Any) -> str:
    """Write a setting: texts as they are, nothing as a dash, everything else as JSON."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(value)


def _head(*, graded: bool) -> tuple[str, ...]:
    head = ("n", "accuracy, %", "95 %")
    return (*head, "grade, 0 to 5", "95 %") if graded else head


def _numbers(one: Score, *, graded: bool) -> tuple[str, ...]:
    numbers = (count(one.n), percent(one.accuracy), percent_interval(one.ci95))
    return (*numbers, grade(one.score), grade_interval(one.score_ci95)) if graded else numbers


def _advantage(whole: Score, control: Score) -> str:
    """How much better the full run is; grades are no percentage points, so they give none."""
    if control.n != whole.n:
        return UNKNOWN
    return points(_difference(whole.accuracy, control.accuracy))


def _difference(one: float | None, other: float | None) -> float | None:
    first, second = known(one), known(other)
    return None if first is None or second is None else first - second


def _amount(value: Any) -> str:
    number = known(value)
    if number is None:
        return UNKNOWN if isinstance(value, float) else plain(value)
    return count(value) if isinstance(value, int) else f"{number:,.4f}"


def _metric(name: str, value: float) -> str:
    is_share = any(word in name.lower() for word in _SHARES)
    text = percent(value) if is_share else coefficient(value)
    return f"{text} %" if is_share and text != UNKNOWN else text
