"""What an evaluation found, as values: the JSON of ``goldfish eval``, the report, ``compare``.

Numbers only; who made them and how they are shown is elsewhere. Shares lie between 0 and 1, grades
between 0 and 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError

Interval = tuple[float, float]
"""Lower and upper end of 95 %."""


@dataclass(frozen=True, slots=True)
class Score:
    """How a number of questions were answered."""

    n: int
    """Questions with a truth: the denominator, unanswered ones included."""
    accuracy: float | None = None
    """Share of right answers; ``None`` where only grades are given."""
    ci95: Interval | None = None
    """Of the accuracy, by bootstrap over videos; ``None`` where one video is all there is."""
    score: float | None = None
    """Mean grade; ``None`` where the judge gives none."""
    score_ci95: Interval | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Questions that have no answer, for one reason and one video."""

    video: str
    reason: str
    questions: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two judges agree on the same answers."""

    judges: tuple[str, str]
    n: int
    same: float
    """Share of answers on which they say the same."""
    kappa: float | None
    """Cohen's; ``None`` where it is not defined."""
    kappa_ci95: Interval | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The accuracy after a judge's mistakes, which a labelled handful tells of."""

    accuracy: float
    ci95: Interval
    labelled: int
    """Answers that a person labelled."""
    judge_right: float
    """Share of these on which the judge said the same."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well the clips with the evidence were found, in long videos."""

    n: int
    """Questions whose true spans are known."""
    recall: Mapping[str, float]
    """Share of questions with a true span among the first k, by k."""
    mrr: float
    ndcg: float
    """At 10."""
    iou: float
    """Mean over questions of the best overlap, intersection over union, among the first 5."""
    cited: float | None
    """Share of right answers that cite a place with an overlap above 0.3."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Where wrong answers about long videos come from, as shares of ``n``; the rest are right."""

    n: int
    """Answered questions whose true spans are known."""
    retrieval: float
    """The evidence was not among what was retrieved."""
    reader: float
    """It was, and the answer is wrong all the same."""
    judge: float
    """The answer equals the reference, and the judge said no."""


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A wrong answer to look at."""

    id: str
    video: str
    path: str
    """Where the video lies; "" if it is not at hand."""
    question: str
    reference: str
    prediction: str
    category: str
    score: float | None
    moment: Interval | None
    """Where the evidence is, in seconds, if known."""
    cited: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One run, scored. These are the keys of ``--json``."""

    benchmark: str
    title: str
    split: str
    n: int
    """Questions with a truth: the denominator of ``accuracy``."""
    accuracy: float | None
    score: float | None
    ci95: Interval | None
    judge: str
    """Who said what is right: a rule, or a judge with its version."""
    metric: str
    """What the benchmark's papers report."""
    answered: int
    """Of ``n``; the others count as wrong and are named in ``unanswered``."""
    controls: Mapping[str, Score]
    """The same questions under each other condition that was run."""
    by: Mapping[str, Mapping[str, Score]]
    """Breakdowns: by question type, by length of the video, by use of subtitles."""
    metrics: Mapping[str, float]
    """Everything else that was computed, by name."""
    flags: tuple[str, ...]
    """What a reader must know before believing the numbers, one sentence each."""
    unanswered: tuple[Unanswered, ...] = ()
    without_truth: int = 0
    """Questions for which the files publish no answer."""
    unjudged: int = 0
    """Answers that the judge gave no verdict on; they count as wrong."""
    guess: Mapping[str, float] = field(default_factory=dict)
    """What an answer without looking would score, exactly, by kind of guess."""
    agreement: Agreement | None = None
    corrected: Corrected | None = None
    retrieval: Retrieval | None = None
    faults: Faults | None = None
    worst: tuple[WorstCase, ...] = ()
    judging: Mapping[str, Any] = field(default_factory=dict)
    """What judging cost: requests, tokens, price, answers from the cache."""
    model: str = ""
    profile: str = ""
    predictions: str = ""
    """The file of the answers."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that was chosen, resolved."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Commit, versions, machine, hashes of the annotations and of the model."""
    seconds: float = 0.0
    score_ci95: Interval | None = None
    """Of the mean grade, as ``ci95`` is of the accuracy."""


def write_result(path: Path, result: EvalResult) -> None:
    """Write a result as JSON, whole or not at all."""
    beside = path.with_name(path.name + ".part")
    text = json.dumps(asdict(result), ensure_ascii=False, indent=1)
    beside.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    beside.replace(path)


def read_summary(path: Path) -> dict[str, Any]:
    """Read a result back as plain values.

    Raises:
        AnnotationError: If the file is no result of ours.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnnotationError(
            f"{path} cannot be read as a result.", hint="Name a folder that goldfish eval made"
        ) from error
    if not isinstance(values, dict) or not {"benchmark", "judge", "n"} <= set(values):
        raise AnnotationError(
            f"{path} holds no result of goldfish eval.",
            hint=f"A result has the keys {', '.join(one.name for one in fields(EvalResult)[:4])} …",
        )
    return values
