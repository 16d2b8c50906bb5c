"""What a result says in sentences, the same on the page and in Markdown. Plain text, no markup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goldfish_cli.evaluation.report.numbers import (
    SPACE,
    UNKNOWN,
    count,
    counted,
    grade,
    grade_interval,
    known,
    percent,
    percent_interval,
    with_unit,
)
from goldfish_cli.evaluation.results import EvalResult, Score

SHOWN = {
    "full": "the video and what is said",
    "blind": "the question alone",
    "subtitles": "grey pictures and what is said",
    "other video": "another video's pictures, this one's subtitles",
    "moment": "only the part that the question is about",
}
"""What a model is given under each condition."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The number that a benchmark's papers report."""

    name: str
    value: str
    interval: str
    """A dash where there is none."""


def full(result: EvalResult) -> Score:
    """Give the run itself in the form in which its controls are given."""
    return Score(result.n, result.accuracy, result.ci95, result.score, result.score_ci95)


def is_graded(result: EvalResult) -> bool:
    """Whether the main number is a grade, since nothing says right or wrong."""
    return known(result.accuracy) is None and known(result.score) is not None


def has_grades(result: EvalResult) -> bool:
    """Whether grades were given under any condition."""
    parts = [part for by in result.by.values() for part in by.values()]
    return any(
        known(one.score) is not None for one in (full(result), *result.controls.values(), *parts)
    )


def headlines(result: EvalResult) -> list[Headline]:
    """Give the main number first, then the mean grade and the corrected estimate, if there are."""
    right = Headline(
        "right answers",
        with_unit(percent(result.accuracy), "%"),
        with_unit(percent_interval(result.ci95), "%"),
    )
    graded = Headline(
        "mean grade", with_unit(grade(result.score), "of 5"), grade_interval(result.score_ci95)
    )
    found = [graded] if is_graded(result) else [right]
    if known(result.score) is not None and not is_graded(result):
        found.append(graded)
    if result.corrected is not None:
        corrected = result.corrected
        found.append(
            Headline(
                "corrected for judge errors",
                with_unit(percent(corrected.accuracy), "%"),
                with_unit(percent_interval(corrected.ci95), "%"),
            )
        )
    return found


def denominator(result: EvalResult) -> list[str]:
    """Say what the main number is a share of, and what became of every question."""
    missing = result.n - result.answered
    worth = "with grade 0" if is_graded(result) else "as wrong"
    were = "was" if result.answered == 1 else "were"
    said = [
        f"Of {counted(result.n, 'question')} with a known answer, {count(result.answered)} {were} "
        "answered."
    ]
    if missing:
        does = "is unanswered and counts" if missing == 1 else "are unanswered and count"
        said.append(
            f"{counted(missing, 'question')} {does} {worth}; they are named below by video and "
            "reason."
        )
    if result.unjudged:
        does = "counts" if result.unjudged == 1 else "count"
        said.append(
            f"{counted(result.unjudged, 'answer')} got no verdict from the judge and {does} "
            f"{worth}."
        )
    if result.without_truth:
        does = "stays" if result.without_truth == 1 else "stay"
        said.append(
            f"{counted(result.without_truth, 'more question')} {does} out, since the files "
            "publish no answer."
        )
    return said


def judged_by(result: EvalResult) -> str:
    """Say who decided, with the versions that a judge's server told."""
    told = " and ".join(judge_versions(result.judging))
    return f"Judged by {result.judge or 'nobody that is named'}{told and f', answering as {told}'}."


def judge_versions(judging: Any) -> list[str]:
    """List the versions of itself that a judge's server told, in order; often there are none."""
    versions = judging.get("versions") if isinstance(judging, Mapping) else None
    return sorted(map(str, versions)) if isinstance(versions, Mapping) else []


def correction(result: EvalResult) -> str:
    """Say what the corrected estimate rests on; "" where there is none."""
    one = result.corrected
    if one is None:
        return ""
    return (
        f"A person labelled {counted(one.labelled, 'answer')}; on "
        f"{with_unit(percent(one.judge_right), '%')} of these the judge said the same. Corrected "
        f"for that, {with_unit(percent(one.accuracy), '%')} of all answers are right "
        f"(95{SPACE}%: {percent_interval(one.ci95)})."
    )


def interval_words(headline: Headline) -> str:
    """Put the interval of a main number into words."""
    if headline.interval == UNKNOWN:
        return "no interval: too few videos to tell one"
    return f"95\N{NO-BREAK SPACE}% interval {headline.interval}"
