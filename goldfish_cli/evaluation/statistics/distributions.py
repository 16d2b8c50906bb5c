"""The few quantiles that the intervals need, in numpy alone: beta, Student's t, binomial limits."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

_TINY = 1e-300
_PRECISION = 1e-9
_MOST_STEPS = 100
_MOST_TERMS = 500
_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])


def beta_cdf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """Probability that a beta variable is at most ``x``, for any shapes that broadcast.

    By Lentz's continued fraction (DLMF 8.17.22), on the side of the mean where it converges fast.

    Args:
        x: From 0 to 1.
        a: First parameter, above 0.
        b: Second parameter, above 0.
    """
    x, a, b = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in (x, a, b)))
    return _cdf(x, a, b, _log_front(a, b))


def beta_quantile(share: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """Where ``beta_cdf`` reaches ``share``, by Newton's method.

    Where a step would leave what is known to hold the quantile, that is halved in its place.

    Args:
        share: From 0 to 1.
        a: First parameter, above 0.
        b: Second parameter, above 0.
    """
    given = np.broadcast_arrays(*(np.asarray(one, np.float64) for one in (share, a, b)))
    different, places = np.unique(np.reshape(given, (3, -1)), axis=1, return_inverse=True)
    return _quantile(*different)[places].reshape(given[0].shape)


def t_quantile(share: float, degrees: ArrayLike) -> Floats:
    """Quantile of Student's t.

    Args:
        share: Above 0.5 and below 1.
        degrees: Of freedom, above 0.
    """
    freedom = np.asarray(degrees, np.float64)
    x = beta_quantile(2 * (1 - share), freedom / 2, 0.5)
    return np.asarray(np.sqrt(freedom * (1 - x) / x))


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, share: float = 0.95) -> Floats:
    """Exact limits of a binomial proportion (Clopper and Pearson 1934).

    Args:
        successes: How many; fractions are allowed, as effective numbers have them.
        trials: Out of how many; 0 gives the limits 0 and 1.
        share: What the interval covers at the least.

    Returns:
        ``(2, ...)``: lower and upper limits.
    """
    right, n = np.broadcast_arrays(
        np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    )
    tail = (1 - share) / 2
    some, some_not = np.maximum(right, _TINY), np.maximum(n - right, _TINY)
    low = beta_quantile(tail, some, n - right + 1)
    high = beta_quantile(1 - tail, right + 1, some_not)
    return np.stack([np.where(right > 0, low, 0.0), np.where(right < n, high, 1.0)])


def _quantile(share: Floats, a: Floats, b: Floats) -> Floats:
    front = _log_front(a, b)
    low, high = np.zeros(a.shape), np.ones(a.shape)
    found = a / (a + b)
    for _ in range(_MOST_STEPS):
        gap = _cdf(found, a, b, front) - share
        low, high = np.where(gap < 0, found, low), np.where(gap < 0, high, found)
        with np.errstate(all="ignore"):
            density = np.exp(front + (a - 1) * np.log(found) + (b - 1) * np.log1p(-found))
            step = found - gap / density
        is_inside = np.isfinite(step) & (step > low) & (step < high)
        previous, found = found, np.where(is_inside, step, (low + high) / 2)
        if np.all(np.abs(found - previous) <= _PRECISION * found):
            break
    return np.asarray(found)


def _log_front(a: Floats, b: Floats) -> Floats:
    return np.asarray(_log_gamma(a + b) - _log_gamma(a) - _log_gamma(b))


def _cdf(x: Floats, a: Floats, b: Floats, front: Floats) -> Floats:
    is_left = x < (a + 1) / (a + b + 2)
    inner = np.where(is_left, x, 1 - x)
    first, second = np.where(is_left, a, b), np.where(is_left, b, a)
    with np.errstate(divide="ignore"):
        logs = front + first * np.log(inner) + second * np.log1p(-inner)
    tail = np.exp(logs) / first / _continued(inner, first, second)
    return np.asarray(np.where(is_left, tail, 1 - tail))


def _continued(x: Floats, a: Floats, b: Floats) -> Floats:
    """Denominator of the continued fraction of the incomplete beta function."""
    value, c, d = np.ones(x.shape), np.ones(x.shape), np.zeros(x.shape)
    for step in range(1, _MOST_TERMS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + term * d)
        c = _away_from_zero(1 + term / c)
        value = value * c * d
        if step > 2 and np.all(np.abs(c * d - 1) < 1e-14):
            break
    return value


def _away_from_zero(value: Floats) -> Floats:
    return np.where(np.abs(value) < _TINY, _TINY, value)
