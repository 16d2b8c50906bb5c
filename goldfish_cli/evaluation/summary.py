"""From what each answer is worth to a result: means, intervals, breakdowns, and what to doubt."""

from __future__ import annotations

import statistics as plain
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.evaluation.doubts import flags
from goldfish_cli.evaluation.evidence import faults, retrieval
from goldfish_cli.evaluation.items import Benchmark, EvalItem
from goldfish_cli.evaluation.judges.agent import LanguageModelJudge
from goldfish_cli.evaluation.labels import agreement, corrected
from goldfish_cli.evaluation.measures import measures
from goldfish_cli.evaluation.predictions import CONDITIONS
from goldfish_cli.evaluation.results import EvalResult, Score, Unanswered, WorstCase
from goldfish_cli.evaluation.runner import find_video
from goldfish_cli.evaluation.scoring import Deciding, Scored
from goldfish_cli.evaluation.statistics.bootstrap import mean_interval
from goldfish_cli.evaluation.statistics.expected import guesses

MOST_WORST = 24
LENGTHS = ((15, "up to 15 s"), (60, "15 s to 1 min"), (300, "1 to 5 min"), (1800, "5 to 30 min"))
LONGER = "over 30 min"


@dataclass(frozen=True, slots=True)
class Run:
    """What was run, beside what came of it."""

    benchmark: Benchmark
    items: Sequence[EvalItem]
    """Those that were asked, with a truth or without."""
    deciding: Deciding
    num_all: int
    """Questions in the files."""
    predictions: str
    videos: Path | None = None
    labels: Mapping[str, bool] | None = None
    """What a person says of some answers, by question."""
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def summarise(run: Run, scored: Sequence[Scored]) -> EvalResult:
    """Turn scored answers into a result.

    Args:
        run: What was run.
        scored: Of all conditions, from ``score_all``.
    """
    by_condition: dict[str, list[Scored]] = {name: [] for name in CONDITIONS}
    for one in scored:
        by_condition[one.prediction.condition].append(one)
    whole = by_condition["full"]
    main = score_of(whole, run.seed)
    controls = {
        name: score_of(some, run.seed)
        for name, some in by_condition.items()
        if name != "full" and some
    }
    judge = run.deciding.judge
    fixed, notes = (None, []) if run.labels is None else corrected(run.labels, whole)
    metrics, left_out = measures(run.benchmark, whole)
    result = EvalResult(
        benchmark=run.benchmark.name,
        title=run.benchmark.title,
        split=run.benchmark.split,
        n=main.n,
        accuracy=main.accuracy,
        score=main.score,
        ci95=main.ci95,
        judge=run.deciding.rule_of(run.items),
        metric=run.benchmark.metric,
        answered=sum(not one.prediction.problem for one in whole),
        controls=controls,
        by=breakdowns(run.benchmark, whole, run.seed),
        metrics=metrics,
        flags=(),
        unanswered=_unanswered(whole),
        without_truth=sum(not item.is_scorable for item in run.items),
        unjudged=sum(one.unjudged for one in whole),
        guess=_guesses([one.item for one in whole]),
        agreement=agreement(whole, run.deciding, run.seed),
        corrected=fixed,
        retrieval=retrieval(whole) if run.benchmark.is_long else None,
        faults=faults(whole) if run.benchmark.is_long else None,
        worst=_worst(run, whole),
        judging=_judging(judge) if isinstance(judge, LanguageModelJudge) else {},
        model=str(run.settings.get("model") or _model_of(whole)),
        profile=str((run.settings.get("profile") or {}).get("name", "")),
        predictions=run.predictions,
        settings=run.settings,
        provenance=run.provenance,
        seconds=round(run.seconds, 3),
        score_ci95=main.score_ci95,
    )
    return replace(result, flags=(*notes, *left_out, *flags(result, by_condition, run)))


def _guesses(items: Sequence[EvalItem]) -> dict[str, float]:
    """What guesses score: one for all, and the best for each type of question."""
    types: dict[str, list[EvalItem]] = defaultdict(list)
    items = [item for item in items if item.rule != "judged"]
    for item in items:
        types[item.category].append(item)
    found = guesses(items)
    if found and len(types) > 1:
        best = (len(some) * max(guesses(some).values(), default=0.0) for some in types.values())
        found["the best for each type"] = sum(best) / len(items)
    return found


def score_of(scored: Sequence[Scored], seed: int) -> Score:
    """Average what some answers are worth, with intervals by bootstrap over videos."""
    videos = [one.item.video for one in scored]
    right = [one.right for one in scored if one.right is not None]
    grades = [one.score for one in scored if one.score is not None]
    accuracy = plain.fmean(right) if right else None
    score = plain.fmean(grades) if grades else None
    return Score(
        len(scored),
        accuracy,
        _interval(scored, videos, lambda one: one.right, seed) if right else None,
        score,
        _interval(scored, videos, lambda one: one.score, seed) if grades else None,
    )


def _interval(
    scored: Sequence[Scored],
    videos: Sequence[str],
    value: Callable[[Scored], float | None],
    seed: int,
) -> tuple[float, float] | None:
    pairs = [
        (float(found), video)
        for one, video in zip(scored, videos, strict=True)
        if (found := value(one)) is not None
    ]
    return mean_interval([found for found, _ in pairs], [video for _, video in pairs], seed=seed)


def breakdowns(
    benchmark: Benchmark, scored: Sequence[Scored], seed: int
) -> dict[str, dict[str, Score]]:
    """Score the parts of a set: by type of question, length of the video, use of subtitles."""
    ways: dict[str, Callable[[Scored], str]] = {
        benchmark.by: lambda one: one.item.category,
        "length": _length,
        "subtitles": _subtitles,
    }
    found: dict[str, dict[str, Score]] = {}
    for name, way in ways.items():
        parts: dict[str, list[Scored]] = defaultdict(list)
        for one in scored:
            parts[way(one)].append(one)
        if set(parts) - {""}:
            found[name] = {
                part or "not told": score_of(some, seed) for part, some in _ordered(name, parts)
            }
    return found


def _ordered(
    name: str, parts: Mapping[str, Sequence[Scored]]
) -> list[tuple[str, Sequence[Scored]]]:
    if name != "length":
        return list(parts.items())
    order = [*(told for _, told in LENGTHS), LONGER, ""]
    return sorted(parts.items(), key=lambda pair: order.index(pair[0]))


def _length(one: Scored) -> str:
    seconds = one.prediction.duration or one.item.duration
    if seconds is None:
        return ""
    return next((told for most, told in LENGTHS if seconds <= most), LONGER)


def _subtitles(one: Scored) -> str:
    if one.prediction.problem or one.prediction.frames is None:
        return ""
    return "none" if one.prediction.subtitles == "none" else "used"


def _unanswered(scored: Sequence[Scored]) -> tuple[Unanswered, ...]:
    counts = Counter(
        (one.item.video, one.prediction.problem) for one in scored if one.prediction.problem
    )
    return tuple(Unanswered(video, reason, n) for (video, reason), n in counts.items())


def _worst(run: Run, scored: Sequence[Scored]) -> tuple[WorstCase, ...]:
    """Wrong answers, the worst graded first, of as many types of question as there are."""
    wrong = [
        one
        for one in scored
        if not one.prediction.problem
        and (one.right is False or (one.right is None and one.score is not None))
    ]
    wrong.sort(key=lambda one: one.score or 0.0)
    seen: Counter[str] = Counter()
    ranked = []
    for place, one in enumerate(wrong):
        ranked.append((seen[one.item.category], place, one))
        seen[one.item.category] += 1
    ranked.sort(key=lambda row: row[:2])
    videos = MediaFolder(run.videos) if run.videos is not None else None
    return tuple(_case(one, run.benchmark, videos) for *_, one in ranked[:MOST_WORST])


def _case(one: Scored, benchmark: Benchmark, videos: MediaFolder | None) -> WorstCase:
    item = one.item
    path = find_video(videos, benchmark, item.video) if videos else None
    reference = "; ".join(item.answers)
    if item.correct is not None:
        reference = item.options[item.correct]
    return WorstCase(
        item.id,
        item.video,
        str(path or ""),
        item.question,
        reference,
        one.prediction.prediction,
        item.category,
        one.score,
        item.moments[0] if item.moments else None,
        one.prediction.cited,
    )


def _judging(judge: LanguageModelJudge) -> dict[str, Any]:
    return {**asdict(judge.usage), "cost": judge.cost, "versions": judge.versions}


def _model_of(scored: Sequence[Scored]) -> str:
    return ", ".join(sorted({one.prediction.model for one in scored} - {""}))
