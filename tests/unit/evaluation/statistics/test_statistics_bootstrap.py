import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.evaluation.statistics.bootstrap import bootstrap_interval, mean_interval


def answers(videos: int, per_video: int, share: float, seed: int) -> tuple[list[float], list[int]]:
    """Right and wrong answers that agree within a video."""
    generator = np.random.default_rng(seed)
    likely = generator.beta(share * 3, (1 - share) * 3, videos)  # correlation of 1 / 4
    owner = np.repeat(np.arange(videos), per_video)
    right = generator.random(len(owner)) < likely[owner]
    return right.astype(float).tolist(), owner.tolist()


@pytest.mark.parametrize(
    ("videos", "per_video", "share"), [(10, 5, 0.6), (30, 5, 0.8), (100, 3, 0.5), (40, 10, 0.3)]
)
def test_the_interval_of_a_mean_covers_the_truth(videos: int, per_video: int, share: float) -> None:
    covered = 0
    for seed in range(400):
        values, owner = answers(videos, per_video, share, seed)
        interval = mean_interval(values, owner, seed=seed, draws=500)
        covered += interval is not None and interval[0] <= share <= interval[1]
    assert covered / 400 >= 0.92


def test_questions_of_one_video_do_not_count_as_many() -> None:
    values, owner = answers(40, 25, 0.6, seed=3)
    by_video = mean_interval(values, owner)
    by_question = mean_interval(values, list(range(len(values))))
    assert by_video is not None
    assert by_question is not None
    assert by_video[1] - by_video[0] > 2 * (by_question[1] - by_question[0])


def test_one_video_gives_no_interval() -> None:
    assert mean_interval([0.0, 1.0, 1.0], ["a", "a", "a"]) is None
    assert mean_interval([], []) is None
    assert bootstrap_interval(lambda places: float(places.sum()), ["a", "a"]) is None
    assert bootstrap_interval(lambda places: 0.0, []) is None


def test_all_right_is_not_certain() -> None:
    assert mean_interval([1.0] * 10, list(range(10))) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert mean_interval([0.0] * 20, list(range(10)) * 2) == pytest.approx((0, 0.3085), abs=1e-4)
    assert mean_interval([3.0] * 10, list(range(10))) is None


def test_the_same_seed_gives_the_same_interval() -> None:
    owner = list(range(40))
    values = np.random.default_rng(1).normal(size=40).tolist()
    assert mean_interval(values, owner, seed=7) == mean_interval(values, owner, seed=7)
    assert mean_interval(values, owner, seed=7) != mean_interval(values, owner, seed=8)


def test_the_interval_of_a_statistic_is_that_of_the_mean_where_it_is_one() -> None:
    values, owner = answers(30, 4, 0.5, seed=1)
    numbers = np.array(values)
    found = bootstrap_interval(lambda places: float(numbers[places].mean()), owner, seed=5)
    assert found == pytest.approx(mean_interval(values, owner, seed=5))


def test_a_statistic_that_is_mostly_undefined_has_no_interval() -> None:
    assert bootstrap_interval(lambda places: float("nan"), [1, 2, 3]) is None
    assert bootstrap_interval(lambda places: 1.0, [1, 2, 3]) is None


def test_values_need_videos() -> None:
    with pytest.raises(ValueError, match="cannot belong"):
        mean_interval([1.0], [])


def test_fifty_thousand_questions_take_a_second_or_two() -> None:
    values, owner = answers(10_000, 5, 0.6, seed=0)
    began = time.perf_counter()
    assert mean_interval(values, owner) is not None
    assert time.perf_counter() - began < 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 5)), min_size=1, max_size=30))
def test_an_interval_lies_among_the_values(pairs: list[tuple[int, float]]) -> None:
    values = [value for _, value in pairs]
    interval = mean_interval(values, [video for video, _ in pairs], draws=200)
    if interval is not None and len(set(values)) > 1:
        assert min(values) - 1e-9 <= interval[0] <= interval[1] <= max(values) + 1e-9
