"""Two runs question by question: how much they differ, and whether that is more than chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.run_folder import EarlierRun
from goldfish_cli.evaluation.statistics.paired import compare_paired, mcnemar_p

_NO_SETTINGS = {"data", "seed", "judge"}  # compared by content, or on their own


@dataclass(frozen=True, slots=True)
class Difference:
    """How the second run differs from the first on the same questions."""

    n: int
    videos: int
    first: float
    """Mean of the first: share of right answers, or grade."""
    second: float
    difference: float
    ci95: tuple[float, float] | None
    """By bootstrap over videos."""
    p: float
    """By permutation over videos: how often chance alone makes as large a difference."""
    only_first: int
    """Questions that the first alone answers better."""
    only_second: int
    mcnemar_p: float | None
    """Exact, of right and wrong answers; ``None`` for grades."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs beside each other: the keys of ``goldfish eval compare --json``."""

    first: str
    second: str
    benchmark: str
    whole: Difference
    by: Mapping[str, Difference]
    """By type of question."""
    warnings: tuple[str, ...]
    settings: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Those that differ."""


def compare_runs(first: EarlierRun, second: EarlierRun, *, seed: int = 0) -> Comparison:
    """Compare two runs on the questions that both have answered.

    Raises:
        AnnotationError: If they are of different benchmarks, or share no question.
    """
    one, two = first.result, second.result
    if one["benchmark"] != two["benchmark"]:
        raise AnnotationError(
            f"{first.name} is of {one['benchmark']}, {second.name} of {two['benchmark']}.",
            hint="Compare runs of one benchmark",
        )
    shared = [key for key in first.rows if key in second.rows and key[1] == "full"]
    if not shared:
        raise AnnotationError(
            f"{first.name} and {second.name} share no question.",
            hint="Are they of the same annotation file?",
        )
    pairs = [(first.rows[key], second.rows[key]) for key in shared]
    by: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for pair in pairs:
        by[pair[0]["category"]].append(pair)
    return Comparison(
        first.name,
        second.name,
        one["benchmark"],
        _difference(pairs, seed),
        {name: _difference(some, seed) for name, some in by.items()} if len(by) > 1 else {},
        tuple(_warnings(first, second, len(shared))),
        _settings(one.get("settings") or {}, two.get("settings") or {}),
    )


def _difference(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]], seed: int) -> Difference:
    first = [float(one["value"]) for one, _ in pairs]
    second = [float(two["value"]) for _, two in pairs]
    videos = [one["video"] for one, _ in pairs]
    found = compare_paired(second, first, videos, seed=seed)
    only_first = sum(one > two for one, two in zip(first, second, strict=True))
    only_second = sum(two > one for one, two in zip(first, second, strict=True))
    is_yes_no = all(one["right"] is not None and two["right"] is not None for one, two in pairs)
    return Difference(
        len(pairs),
        found.videos,
        sum(first) / len(first),
        sum(second) / len(second),
        found.difference,
        found.ci95,
        found.p_value,
        only_first,
        only_second,
        mcnemar_p(only_first, only_second) if is_yes_no else None,
    )


def _warnings(first: EarlierRun, second: EarlierRun, shared: int) -> list[str]:
    one, two = first.result, second.result
    found = []
    if one["judge"] != two["judge"]:
        found.append(
            f"Different judges decided: {one['judge']}, and {two['judge']}. A difference may be "
            "theirs alone; score both with the same."
        )
    for name, run in (("first", first), ("second", second)):
        left = sum(condition == "full" for _, condition in run.rows) - shared
        if left:
            found.append(f"{left} questions of the {name} run are not in the other.")
    versions = [(run.result.get("judging") or {}).get("versions") or {} for run in (first, second)]
    if one["judge"] == two["judge"] and set(versions[0]) != set(versions[1]):
        found.append("The judge's server reported different versions in the two runs.")
    files = [
        (run.result.get("provenance") or {}).get("annotations") or {} for run in (first, second)
    ]
    if sorted(files[0].values()) != sorted(files[1].values()):
        found.append("The annotation files differ.")
    return found


def _settings(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [name for name in (*one, *two) if name not in _NO_SETTINGS]
    return {
        name: (one.get(name), two.get(name))
        for name in dict.fromkeys(names)
        if one.get(name) != two.get(name)
    }
