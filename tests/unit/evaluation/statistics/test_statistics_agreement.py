import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.evaluation.statistics.agreement import cohen_kappa


def test_kappa_is_the_one_of_the_textbook() -> None:
    one = [True] * 25 + [False] * 25
    other = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    found = cohen_kappa(one, other, list(range(50)))
    assert found.same == 0.7
    assert found.kappa == pytest.approx(0.4)
    assert found.ci95 is not None
    # Fleiss, Cohen and Everitt's standard error of these numbers is 0.127
    assert found.ci95 == pytest.approx((0.4 - 2.01 * 0.127, 0.4 + 2.01 * 0.127), abs=0.05)


def test_kappa_takes_any_number_of_classes() -> None:
    one, other = list("aabbccab"), list("aabbccba")
    expected = (6 / 8 - (9 + 9 + 4) / 64) / (1 - (9 + 9 + 4) / 64)
    assert cohen_kappa(one, other, list(range(8))).kappa == pytest.approx(expected)


def test_judges_that_know_one_word_have_no_kappa() -> None:
    found = cohen_kappa([True] * 9, [True] * 9, list(range(9)))
    assert (found.same, found.kappa, found.ci95) == (1, None, None)


def test_a_judge_that_knows_one_word_agrees_by_chance() -> None:
    found = cohen_kappa([True] * 10, [True] * 5 + [False] * 5, list(range(10)))
    assert found.kappa == 0


def test_judges_that_never_differ_are_not_certain_to_agree() -> None:
    said = [True, False] * 10
    found = cohen_kappa(said, said, list(range(20)))
    assert found.kappa == 1
    assert found.ci95 is not None
    # 20 of 20 is at least 0.8316; of which chance has 0.5
    assert found.ci95 == pytest.approx(((0.8316 - 0.5) / 0.5, 1), abs=1e-3)


def test_opposite_judges_have_kappa_minus_1() -> None:
    said = [True, False] * 10
    assert cohen_kappa(said, [not one for one in said], list(range(20))).kappa == -1


def test_one_video_gives_no_interval() -> None:
    found = cohen_kappa([True, False, True], [True, False, False], ["a"] * 3)
    assert found.kappa is not None
    assert found.ci95 is None


def test_the_interval_covers_the_truth() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        truth = generator.random(120) < 0.5
        one, other = (np.where(generator.random((2, 120)) < 0.9, truth, ~truth)).tolist()
        interval = cohen_kappa(one, other, (np.arange(120) // 2).tolist(), seed=seed, draws=400)
        assert interval.ci95 is not None
        covered += interval.ci95[0] <= 0.64 <= interval.ci95[1]  # (0.82 - 0.5) / 0.5
    assert covered / 300 >= 0.92


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=1, max_size=20))
def test_kappa_is_symmetric_and_lies_in_its_range(pairs: list[tuple[str, str]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    videos = [place // 2 for place in range(len(pairs))]
    here = cohen_kappa(one, other, videos, draws=100)
    there = cohen_kappa(other, one, videos, draws=100)
    assert here.kappa == pytest.approx(there.kappa)
    assert here.kappa is None or -1 <= here.kappa <= 1


def test_judgements_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        cohen_kappa([True], [True, False], ["a"])
