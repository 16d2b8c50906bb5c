"""Everything that is computed beside accuracy and grade, by the rules of a benchmark's field."""

from __future__ import annotations

import statistics as plain
from collections import defaultdict
from collections.abc import Callable, Sequence

from goldfish_cli.errors import InputError, MissingPackageError
from goldfish_cli.evaluation.items import Benchmark, Extra
from goldfish_cli.evaluation.metrics.activitynet import TYPES, score_activitynet
from goldfish_cli.evaluation.metrics.count import read_count, score_counts
from goldfish_cli.evaluation.metrics.match import is_exact, is_normalised_match
from goldfish_cli.evaluation.metrics.text import bleu, cider, meteor, rouge_l
from goldfish_cli.evaluation.metrics.wups import wordnet_similarity, wups
from goldfish_cli.evaluation.scoring import Scored


def measures(benchmark: Benchmark, scored: Sequence[Scored]) -> tuple[dict[str, float], list[str]]:
    """Compute what papers report.

    Returns:
        Values by name, shares between 0 and 1; and what could not be computed, with why.
    """
    found = {
        **_matches([one for one in scored if one.item.rule == "open"]),
        **_counts([one for one in scored if one.item.rule == "count"]),
        **_grades(scored),
        **_mean_of_types(scored),
    }
    notes = []
    for extra in benchmark.also:
        try:
            found |= _EXTRAS[extra](scored)
        except (MissingPackageError, InputError) as error:
            notes.append(f"{_NAMES[extra]} is not computed: {error} {error.hint}.")
    return found, notes


def _matches(free: Sequence[Scored]) -> dict[str, float]:
    """Shares of free answers that equal a reference, to the letter and but for their form."""
    if not free:
        return {}
    ways = {"exact match": is_exact, "normalised match": is_normalised_match}
    return {
        name: plain.fmean(
            any(way(one.prediction.prediction, answer) for answer in one.item.answers)
            for one in free
        )
        for name, way in ways.items()
    }


def _counts(counted: Sequence[Scored]) -> dict[str, float]:
    truths = [read_count(one.item.answers[0]) for one in counted]
    pairs = [(one, truth) for one, truth in zip(counted, truths, strict=True) if truth is not None]
    if not pairs:
        return {}
    told = [
        None if one.prediction.problem else read_count(one.prediction.prediction)
        for one, _ in pairs
    ]
    return {
        "mean squared error": score_counts(told, [truth for _, truth in pairs]).mean_squared_error
    }


def _grades(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean grade of each dimension, where there are several or another one than accuracy."""
    grades: dict[str, list[float]] = defaultdict(list)
    for one in scored:
        for dimension, grade in one.grades.items():
            grades[dimension].append(grade)
    if set(grades) <= {"accuracy"}:
        return {}
    return {f"grade of {name}": plain.fmean(values) for name, values in grades.items()}


def _mean_of_types(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean of the types' accuracies, each type counting the same: MLVU's M-Avg, for one.

    Where there are questions with choices, of these alone.
    """
    types: dict[str, list[bool]] = defaultdict(list)
    choices = [one for one in scored if one.item.rule == "choice"]
    for one in choices or scored:
        if one.right is not None:
            types[one.item.category].append(one.right)
    if len(types) < 2:
        return {}
    return {"mean of types": plain.fmean(plain.fmean(right) for right in types.values())}


def _free(scored: Sequence[Scored]) -> dict[str, float]:
    """ActivityNet-QA's exact match over the questions that are free, of types 3 to 8."""
    known = [one for one in scored if one.item.category in TYPES]
    if not known:
        return {}
    result = score_activitynet(
        [one.prediction.prediction for one in known],
        [one.item.answers[0] for one in known],
        [TYPES.index(one.item.category) for one in known],
    )
    return {} if result.free is None else {"exact match of free questions": result.free}


def _wups(scored: Sequence[Scored]) -> dict[str, float]:
    free = [one for one in scored if one.item.rule == "open"]
    if not free:
        return {}
    similarity = wordnet_similarity()
    return {
        f"WUPS@{threshold:g}": plain.fmean(
            max(
                wups(one.prediction.prediction, answer, similarity, threshold=threshold)
                for answer in one.item.answers
            )
            for one in free
        )
        for threshold in (0.0, 0.9)
    }


def _text(scored: Sequence[Scored]) -> dict[str, float]:
    told, references = _sentences(scored)
    if not told:
        return {}
    orders = enumerate(bleu(told, references), 1)
    return {
        **{f"BLEU-{order}": value for order, value in orders},
        "ROUGE-L": rouge_l(told, references),
        "CIDEr": cider(told, references),
    }


def _meteor(scored: Sequence[Scored]) -> dict[str, float]:
    told, references = _sentences(scored)
    return {"METEOR": meteor(told, references)} if told else {}


def _sentences(scored: Sequence[Scored]) -> tuple[list[str], list[list[str]]]:
    """Free answers, and the references of each."""
    free = [one for one in scored if one.item.rule in ("open", "judged")]
    return (
        [one.prediction.prediction for one in free],
        [list(one.item.answers) for one in free],
    )


_EXTRAS: dict[Extra, Callable[[Sequence[Scored]], dict[str, float]]] = {
    "free": _free,
    "wups": _wups,
    "text": _text,
    "meteor": _meteor,
}
_NAMES: dict[Extra, str] = {
    "free": "The accuracy on free questions",
    "wups": "WUPS",
    "text": "One of BLEU, ROUGE-L and CIDEr",
    "meteor": "METEOR",
}
