import math
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.statistics.distributions import (
    beta_cdf,
    beta_quantile,
    clopper_pearson,
    t_quantile,
)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.7062), (2, 4.3027), (5, 2.5706), (29, 2.0452), (100, 1.9840), (10**6, 1.95996)],
)
def test_quantiles_of_t_are_those_of_the_tables(degrees: int, expected: float) -> None:
    assert float(t_quantile(0.975, degrees)) == pytest.approx(expected, abs=1e-4)


def test_many_quantiles_of_t_are_found_at_once() -> None:
    found = t_quantile(0.975, np.array([[1, 29], [29, 5]]))
    assert found == pytest.approx(np.array([[12.7062, 2.0452], [2.0452, 2.5706]]), abs=1e-4)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129),
     (81, 263, 0.2527, 0.3676),
     (0, 0, 0.0, 1.0)],
)  # fmt: skip
def test_binomial_limits_are_those_of_the_tables(
    right: int, n: int, low: float, high: float
) -> None:
    assert clopper_pearson(right, n) == pytest.approx(np.array([low, high]), abs=1e-4)


@given(n=st.integers(1, 60), k=st.integers(1, 60), x=st.floats(0.01, 0.99))
def test_the_beta_distribution_sums_the_binomial_one(n: int, k: int, x: float) -> None:
    k = min(k, n)
    tail = sum(comb(n, i) * x**i * (1 - x) ** (n - i) for i in range(k, n + 1))
    assert float(beta_cdf(x, k, n - k + 1)) == pytest.approx(tail, abs=1e-10)


@given(
    share=st.floats(0.001, 0.999),
    a=st.floats(-1, 7).map(math.exp),
    b=st.floats(-1, 7).map(math.exp),
)
def test_a_quantile_is_where_the_distribution_reaches_the_share(
    share: float, a: float, b: float
) -> None:
    assert float(beta_cdf(beta_quantile(share, a, b), a, b)) == pytest.approx(share, abs=1e-8)
