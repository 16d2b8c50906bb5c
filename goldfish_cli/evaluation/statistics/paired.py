"""Compare two runs on the same questions: by how much they differ, and whether that is chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from goldfish_cli.evaluation.results import Interval
from goldfish_cli.evaluation.statistics.bootstrap import (
    DRAWS,
    draw_videos,
    interval_of,
    video_codes,
)
from goldfish_cli.evaluation.statistics.distributions import Floats

PERMUTATIONS = 10_000
_MOST_EXACT = 13  # videos: 8192 ways to flip them are all tried
_PER_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Paired:
    """How one run compares with another on the same questions."""

    n: int
    videos: int
    difference: float
    """Mean of the first run minus mean of the second."""
    ci95: Interval | None
    """By bootstrap over videos; ``None`` for one video, and where no video differs from another."""
    p_value: float
    """Of no difference, two-sided: from flipping which run is which, by whole videos."""


def compare_paired(
    one: Sequence[float],
    other: Sequence[float],
    videos: Sequence[Hashable],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
) -> Paired:
    """Compare two runs, question by question.

    If the runs are alike, each video's difference could as well have the other sign (Fisher's
    randomisation test). With few videos that differ, all ways to flip them are tried; else
    ``permutations`` at random, where the one that was seen is counted too, so that p is never 0
    (Phipson and Smyth 2010).

    Args:
        one: What each question scored in the first run.
        other: The same of the second, in the same order.
        videos: Which video each question is about.
        seed: The same seed gives the same numbers.
        draws: Bootstrap samples.
        permutations: Random flips.

    Raises:
        ValueError: If the lengths differ, or there are no questions.
    """
    if not one or not len(one) == len(other) == len(videos):
        raise ValueError(
            f"{len(one)} and {len(other)} answers about {len(videos)} videos are no pairs."
        )
    gaps = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    codes = video_codes(videos)
    count = int(codes.max()) + 1
    sums = np.bincount(codes, gaps).astype(np.float64)
    sizes = np.bincount(codes)
    samples = np.concatenate(
        [sums[drawn].sum(1) / sizes[drawn].sum(1) for drawn in draw_videos(count, draws, seed)]
    )
    return Paired(
        len(one),
        count,
        float(gaps.mean()),
        interval_of(samples, count) if count > 1 else None,
        sign_flip_p(sums, seed=seed, permutations=permutations),
    )


def sign_flip_p(sums: Floats, *, seed: int = 0, permutations: int = PERMUTATIONS) -> float:
    """How often flipped signs give a total as far from 0 as the one that was seen.

    Args:
        sums: ``(videos,)``, the total difference of each.
        seed: The same seed gives the same p.
        permutations: Random flips, where there are too many to try all.
    """
    moved = sums[sums != 0]
    if not moved.size:
        return 1.0
    seen = abs(moved.sum()) - 1e-9 * np.abs(moved).sum()  # equal totals may differ by rounding
    if moved.size <= _MOST_EXACT:
        bits = np.arange(2**moved.size)[:, None] >> np.arange(moved.size) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ moved) >= seen))
    generator = np.random.default_rng(seed)
    per_block = max(1, _PER_BLOCK // moved.size)
    as_far = 0
    for start in range(0, permutations, per_block):
        shape = (min(per_block, permutations - start), moved.size)
        kept = generator.integers(0, 2, shape, dtype=np.int8).astype(np.float64)
        as_far += int(np.sum(np.abs(2 * (kept @ moved) - moved.sum()) >= seen))
    return (1 + as_far) / (1 + permutations)


def mcnemar_p(only_one: int, only_other: int) -> float:
    """McNemar's exact test of yes/no answers, two-sided (McNemar 1947, in its binomial form).

    It takes questions as independent; where videos have many questions, ``compare_paired`` is the
    one to believe.

    Args:
        only_one: Questions that only the first run answers right.
        only_other: Questions that only the second run answers right.
    """
    n, fewer = only_one + only_other, min(only_one, only_other)
    if 2 * fewer == n:
        return 1.0
    ways = total = 1
    for k in range(1, fewer + 1):
        ways = ways * (n - k + 1) // k
        total += ways
    return total / 2 ** (n - 1)
