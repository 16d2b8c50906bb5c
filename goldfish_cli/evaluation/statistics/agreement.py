"""How far two judges agree beyond chance: Cohen's kappa with its interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from goldfish_cli.evaluation.results import Interval
from goldfish_cli.evaluation.statistics.bootstrap import (
    DRAWS,
    Ints,
    draw_videos,
    interval_of,
    video_codes,
)
from goldfish_cli.evaluation.statistics.distributions import Floats, clopper_pearson


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement of two judges on the same answers."""

    n: int
    same: float
    """Share of answers on which they say the same."""
    kappa: float | None
    """Cohen's; ``None`` where both say always the same one thing, for then chance agrees fully."""
    ci95: Interval | None
    """``None`` for one video, and where too many resamples have no kappa."""


def cohen_kappa(
    one: Sequence[Hashable],
    other: Sequence[Hashable],
    videos: Sequence[Hashable],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Kappa:
    """Cohen's kappa (Cohen 1960) with a 95 % interval by bootstrap over videos.

    Judges that never differ do not differ in any resample either. Their interval ends at 1 and
    begins where kappa would be if they agreed as seldom as the exact binomial interval allows, with
    each video as one answer.

    Args:
        one: What the first judge says of each answer.
        other: The same of the second, in the same order.
        videos: Which video each answer is about.
        seed: The same seed gives the same interval.
        draws: Bootstrap samples.

    Raises:
        ValueError: If the lengths differ, or there are no answers.
    """
    if not one or not len(one) == len(other) == len(videos):
        raise ValueError(
            f"{len(one)} and {len(other)} judgements about {len(videos)} videos are no pairs."
        )
    codes = video_codes(videos)
    count = int(codes.max()) + 1
    tables = _tables(one, other, codes, count)
    whole = tables.sum(0)
    same = float(np.trace(whole) / whole.sum())
    kappa = float(_kappa(whole[None])[0])
    if not np.isfinite(kappa):
        return Kappa(len(one), same, None, None)
    if count < 2:
        return Kappa(len(one), same, kappa, None)
    if same == 1:
        chance = _chance(whole[None])[0]
        low = (float(clopper_pearson(count, count)[0]) - chance) / (1 - chance)
        return Kappa(len(one), same, kappa, (max(-1.0, float(low)), 1.0))
    return Kappa(len(one), same, kappa, interval_of(_resampled(tables, draws, seed), count))


def _tables(one: Sequence[Hashable], other: Sequence[Hashable], codes: Ints, count: int) -> Floats:
    """Count what is said of the answers of each video: ``(videos, classes, classes)``."""
    numbers = {said: number for number, said in enumerate(dict.fromkeys((*one, *other)))}
    tables = np.zeros((count, len(numbers), len(numbers)))
    rows = np.array([numbers[said] for said in one])
    columns = np.array([numbers[said] for said in other])
    np.add.at(tables, (codes, rows, columns), 1)
    return tables


def _resampled(tables: Floats, draws: int, seed: int) -> Floats:
    count, classes, _ = tables.shape
    flat = tables.reshape(count, -1)
    found = []
    for drawn in draw_videos(count, draws, seed):
        offsets = np.arange(len(drawn))[:, None] * count
        weights = np.bincount((drawn + offsets).ravel(), minlength=len(drawn) * count)
        sums = weights.reshape(len(drawn), count) @ flat
        found.append(_kappa(sums.reshape(-1, classes, classes)))
    return np.concatenate(found)


def _chance(tables: Floats) -> Floats:
    """Agreement of judges with the same habits that do not look: ``(n, c, c)`` to ``(n,)``."""
    totals = tables.sum((1, 2))
    return np.asarray((tables.sum(1) * tables.sum(2)).sum(1) / totals**2)


def _kappa(tables: Floats) -> Floats:
    seen = np.trace(tables, axis1=1, axis2=2) / tables.sum((1, 2))
    chance = _chance(tables)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(chance < 1, (seen - chance) / (1 - chance), np.nan))
