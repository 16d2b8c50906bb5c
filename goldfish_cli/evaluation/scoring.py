"""Say of each answer whether it is right, by its rule and by judges. No number is averaged here."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from goldfish_cli.evaluation.items import Benchmark, Dimension, EvalItem
from goldfish_cli.evaluation.judges.many import Answered, judge_all
from goldfish_cli.evaluation.judges.verdict import Judge, Verdict
from goldfish_cli.evaluation.metrics.choice import find_choice
from goldfish_cli.evaluation.metrics.count import read_count
from goldfish_cli.evaluation.predictions import Condition, Prediction

LONGEST = 6000
"""Characters of an answer that are read; rules and judges would take minutes over a million."""
Verdicts = Mapping[tuple[str, Dimension], Verdict]
"""By the judge's name and what it was asked."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer with what it is worth."""

    item: EvalItem
    prediction: Prediction
    right: bool | None
    """``None`` where only grades are given."""
    score: float | None
    """Mean grade over what was judged; 0 where there is no answer; ``None`` without grades."""
    grades: Mapping[Dimension, float] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=dict)
    unreadable: bool = False
    """Whether no option, or no number, could be read out of the answer."""
    unjudged: bool = False
    """Whether the deciding judge gave no verdict."""

    @property
    def value(self) -> float:
        """What counts in comparisons: 1 or 0 for right or wrong, else the grade."""
        return float(self.right) if self.right is not None else (self.score or 0.0)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides what is right."""

    benchmark: Benchmark
    judge: Judge
    """Decides on free answers, unless the benchmark has a rule of its own."""
    beside: Sequence[Judge] = ()
    """Heard as well, to compare."""

    def rule_of(self, items: Iterable[EvalItem]) -> str:
        """Name who decides, for the results."""
        if self.benchmark.is_right is not None:
            return f"the rule of {self.benchmark.title}"
        rules = {item.rule for item in items}
        names = {"choice": "the option that is named", "count": "the number that is named"}
        told = [names[rule] for rule in ("choice", "count") if rule in rules]
        if rules & {"open", "judged"}:
            told.append(self.judge.name)
        return " and ".join(told)


def score_all(
    items: Sequence[EvalItem],
    predictions: Mapping[tuple[str, Condition], Prediction],
    deciding: Deciding,
    *,
    workers: int = 1,
) -> Generator[Scored, None, None]:
    """Score all predictions on questions with a truth, in the order of the conditions and items.

    Args:
        items: The questions.
        predictions: What was answered.
        deciding: Who decides.
        workers: Answers that are judged at a time.

    Raises:
        ModelError: If a judge's server refuses every request.
    """
    by_id = {item.id: item for item in items}
    wanted = [
        (by_id[item_id], prediction)
        for (item_id, _), prediction in predictions.items()
        if item_id in by_id and by_id[item_id].is_scorable
    ]
    heard: dict[tuple[str, Condition], dict[tuple[str, Dimension], Verdict]] = {}
    for judge in (deciding.judge, *deciding.beside):
        asked = [
            (
                prediction,
                Answered(item, shortened(prediction.prediction), dimension, prediction.second),
            )
            for item, prediction in wanted
            for dimension in _judged(item, deciding.benchmark)
            if not prediction.problem
        ]
        judged = judge_all(judge, (one for _, one in asked), workers=workers)
        for (prediction, _), (answered, verdict) in zip(asked, judged, strict=True):
            of_answer = heard.setdefault((prediction.id, prediction.condition), {})
            of_answer[judge.name, answered.dimension] = verdict
    for item, prediction in wanted:
        verdicts = heard.get((prediction.id, prediction.condition), {})
        yield _scored(item, prediction, verdicts, deciding)


def shortened(text: str) -> str:
    """Leave out the middle of an answer that goes on and on: what counts is at an end."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}\n[...]\n{text[-LONGEST // 2 :]}"


def _judged(item: EvalItem, benchmark: Benchmark) -> Sequence[Dimension]:
    if item.rule in ("choice", "count") or benchmark.is_right is not None:
        return ()
    return item.dimensions


def _scored(
    item: EvalItem, prediction: Prediction, verdicts: Verdicts, deciding: Deciding
) -> Scored:
    text = shortened(prediction.prediction)
    is_judged = bool(_judged(item, deciding.benchmark))
    if prediction.problem:
        has_grades = is_judged
        is_yes_no = "accuracy" in item.dimensions or not is_judged
        return Scored(
            item,
            prediction,
            right=False if is_yes_no else None,
            score=0.0 if has_grades else None,
            grades=dict.fromkeys(item.dimensions, 0.0) if has_grades else {},
        )
    if deciding.benchmark.is_right is not None:
        right = deciding.benchmark.is_right(item, text)
        return Scored(item, prediction, right, None)
    if item.rule == "choice":
        named = find_choice(text, item.options)
        right = named is not None and named == item.correct
        return Scored(item, prediction, right, None, unreadable=named is None)
    if item.rule == "count":
        number = read_count(text)
        right = number is not None and number == read_count(item.answers[0])
        return Scored(item, prediction, right, None, unreadable=number is None)
    own = {
        dimension: verdict
        for (name, dimension), verdict in verdicts.items()
        if name == deciding.judge.name
    }
    grades = {
        dimension: 0.0 if verdict.score is None else verdict.score
        for dimension, verdict in own.items()
    }
    yes = own.get("accuracy")
    return Scored(
        item,
        prediction,
        right=None if yes is None else bool(yes.correct),
        score=sum(grades.values()) / len(grades) if grades else None,
        grades=grades,
        verdicts=verdicts,
        unjudged=any(verdict.problem for verdict in own.values()),
    )
