"""Intervals by bootstrap over videos: the questions of one video are drawn together or not at all.

Questions about the same video are right or wrong together, so that as many questions about fewer
videos tell less; resampling single questions would claim a precision that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.evaluation.results import Interval
from goldfish_cli.evaluation.statistics.distributions import Floats, clopper_pearson, t_quantile

Ints: TypeAlias = NDArray[np.int64]

DRAWS = 2000
_UPPER = 0.975
_PER_BLOCK = 4_000_000  # numbers that are drawn at a time: 32 MB
_MOST_UNDEFINED = 0.05


def mean_interval(
    values: Sequence[float], videos: Sequence[Hashable], *, seed: int = 0, draws: int = DRAWS
) -> Interval | None:
    """95 % interval of a mean over questions.

    The percentile interval of a bootstrap over videos, widened as Student's t is against the
    normal distribution (Hesterberg 2015, "expanded percentile"), for without that it is too narrow
    for few videos. Where all answers are right, or all wrong, every resample says the same; then
    it is the exact binomial interval (Clopper and Pearson 1934) as if each video were one question.

    Args:
        values: What each question scored.
        videos: Which video each is about.
        seed: The same seed gives the same interval.
        draws: Bootstrap samples.

    Returns:
        Lower and upper end; ``None`` for fewer than two videos, and for equal values other than
        0 or 1, as nothing is known of how they would differ.

    Raises:
        ValueError: If there are not as many videos as values.
    """
    numbers, codes = _checked(values, videos)
    count = int(codes.max()) + 1 if codes.size else 0
    if count < 2:
        return None
    if np.all(numbers == numbers[0]):
        return _interval_of_equals(float(numbers[0]), count)
    sums = np.bincount(codes, numbers, minlength=count)
    sizes = np.bincount(codes, minlength=count)
    means = np.concatenate(
        [sums[drawn].sum(1) / sizes[drawn].sum(1) for drawn in draw_videos(count, draws, seed)]
    )
    return expanded_percentiles(means, count)


def bootstrap_interval(
    statistic: Callable[[Ints], float],
    videos: Sequence[Hashable],
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval | None:
    """95 % interval of anything that can be computed from some of the questions.

    Args:
        statistic: Given positions of questions, with repetitions, says the number; NaN where it is
            not defined for them.
        videos: Which video each question is about.
        seed: The same seed gives the same interval.
        draws: Bootstrap samples.

    Returns:
        Lower and upper end; ``None`` for fewer than two videos, where one in twenty samples is
        undefined, and where all samples give the same number.
    """
    codes = video_codes(videos)
    count = int(codes.max()) + 1 if codes.size else 0
    if count < 2:
        return None
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    found = [
        statistic(np.concatenate([members[video] for video in row]))
        for drawn in draw_videos(count, draws, seed)
        for row in drawn
    ]
    return interval_of(np.array(found, np.float64), count)


def interval_of(samples: Floats, num_videos: int) -> Interval | None:
    """Interval of bootstrap samples, some of which may be NaN; ``None`` where it would mislead."""
    defined = samples[np.isfinite(samples)]
    if defined.size < (1 - _MOST_UNDEFINED) * samples.size or np.ptp(defined) == 0:
        return None
    return expanded_percentiles(defined, num_videos)


def expanded_percentiles(samples: Floats, num_videos: int) -> Interval:
    """Percentiles of bootstrap samples that cover 95 % also for few videos (Hesterberg 2015).

    Args:
        samples: ``(draws,)``.
        num_videos: That were drawn from, 2 or more.
    """
    wider = math.sqrt(num_videos / (num_videos - 1)) * float(t_quantile(_UPPER, num_videos - 1))
    tail = NormalDist().cdf(-wider)
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def draw_videos(count: int, draws: int, seed: int) -> Iterator[Ints]:
    """Draw numbers of videos with replacement, in blocks of shape ``(some draws, count)``."""
    generator = np.random.default_rng(seed)
    per_block = max(1, _PER_BLOCK // count)
    for start in range(0, draws, per_block):
        yield generator.integers(0, count, (min(per_block, draws - start), count))


def video_codes(videos: Sequence[Hashable]) -> Ints:
    """Number the videos in the order of their first question: ``(questions,)``."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(video, len(numbers)) for video in videos], np.int64)


def _checked(values: Sequence[float], videos: Sequence[Hashable]) -> tuple[Floats, Ints]:
    if len(values) != len(videos):
        raise ValueError(f"{len(values)} values cannot belong to {len(videos)} videos.")
    return np.asarray(values, np.float64), video_codes(videos)


def _interval_of_equals(value: float, num_videos: int) -> Interval | None:
    if value not in (0.0, 1.0):
        return None
    low, high = clopper_pearson(value * num_videos, num_videos)
    return float(low), float(high)
