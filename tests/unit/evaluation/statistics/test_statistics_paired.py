from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.statistics.paired import compare_paired, mcnemar_p, sign_flip_p


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (10, 2, 0.03857), (7, 7, 1.0),
     (59, 6, 0.0000000000053)],
)  # fmt: skip
def test_mcnemars_test_is_exact(one: int, other: int, expected: float) -> None:
    assert mcnemar_p(one, other) == pytest.approx(expected, rel=0.01, abs=1e-11)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemars_test_is_two_tails_of_a_fair_coin(one: int, other: int) -> None:
    n = one + other
    tail = sum(comb(n, k) for k in range(min(one, other) + 1)) / 2**n
    assert mcnemar_p(one, other) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar_p(one, other) == mcnemar_p(other, one)


def test_mcnemars_test_of_very_many_questions_does_not_overflow() -> None:
    assert 0 < mcnemar_p(10_300, 10_000) < 0.05
    assert mcnemar_p(20_000, 1000) == 0


@given(st.lists(st.integers(-3, 3), max_size=8))
def test_flipping_signs_tries_all_ways_where_there_are_few(sums: list[int]) -> None:
    totals = [sum(s * x for s, x in zip(signs, sums, strict=True))
              for signs in product((-1, 1), repeat=len(sums))]  # fmt: skip
    expected = np.mean([abs(total) >= abs(sum(sums)) for total in totals])
    assert sign_flip_p(np.array(sums, float)) == pytest.approx(float(expected))


def test_random_flips_agree_with_all_flips() -> None:
    sums = np.random.default_rng(0).normal(0.4, 1, 13)
    padded = np.concatenate([sums, [1e-12]])  # one more than are all tried
    assert sign_flip_p(padded, permutations=40_000) == pytest.approx(sign_flip_p(sums), abs=0.01)


def test_a_clear_difference_is_found() -> None:
    generator = np.random.default_rng(1)
    owner = np.repeat(np.arange(60), 4)
    one = (generator.random(240) < 0.8).astype(float)
    other = (generator.random(240) < 0.5).astype(float)
    found = compare_paired(one.tolist(), other.tolist(), owner.tolist())
    assert (found.n, found.videos) == (240, 60)
    assert found.difference == pytest.approx(float(one.mean() - other.mean()))
    assert found.ci95 is not None
    assert 0 < found.ci95[0] < found.difference < found.ci95[1]
    assert found.p_value < 0.001


def test_equal_runs_do_not_differ() -> None:
    found = compare_paired([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], ["a", "b", "c"])
    assert (found.difference, found.p_value, found.ci95) == (0, 1, None)


def test_one_video_cannot_show_a_difference() -> None:
    found = compare_paired([1.0] * 50, [0.0] * 50, ["a"] * 50)
    assert found.difference == 1
    assert found.ci95 is None
    assert found.p_value == 1


def test_swapping_the_runs_swaps_the_difference() -> None:
    generator = np.random.default_rng(4)
    one, other = generator.random(60).tolist(), generator.random(60).tolist()
    owner = (np.arange(60) // 3).tolist()
    here, there = compare_paired(one, other, owner), compare_paired(other, one, owner)
    assert here.difference == pytest.approx(-there.difference)
    assert here.p_value == pytest.approx(there.p_value, abs=0.02)


def test_without_a_difference_p_is_small_as_seldom_as_it_says() -> None:
    generator = np.random.default_rng(2)
    owner = (np.arange(80) // 4).tolist()
    small = 0
    for seed in range(300):
        likely = np.repeat(generator.beta(2, 2, 20), 4)
        one, other = (generator.random((2, 80)) < likely).astype(float).tolist()
        compared = compare_paired(one, other, owner, seed=seed, draws=50, permutations=500)
        small += compared.p_value < 0.05
    assert small / 300 < 0.08


@pytest.mark.parametrize(("one", "other", "videos"), [([], [], []), ([1.0], [1.0, 0.0], ["a"])])
def test_runs_that_do_not_fit_are_refused(
    one: list[float], other: list[float], videos: list[str]
) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        compare_paired(one, other, videos)
