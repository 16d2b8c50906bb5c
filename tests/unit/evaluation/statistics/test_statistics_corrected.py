"""The interval must cover the truth at least 94 times in 100: 1,000 simulations of each setting."""

from itertools import product

import numpy as np
import pytest

from goldfish_cli.evaluation.statistics.corrected import (
    CorrectedAccuracy,
    corrected_accuracy,
    corrected_interval,
    linearised,
)

SIMULATIONS = 1000
TRUTHS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
JUDGES = tuple(product((0.7, 0.85, 0.98), repeat=2))
"""Sensitivity and specificity."""


@pytest.mark.parametrize(("labelled", "judged"), [
    (30, 1000), (200, 5000), *(pytest.param(*sizes, marks=pytest.mark.slow)
                               for sizes in ((30, 5000), (60, 1000), (60, 5000), (200, 1000)))
])  # fmt: skip
def test_the_interval_covers_the_truth(labelled: int, judged: int) -> None:
    coverage = {}
    generator = np.random.default_rng([labelled, judged])
    for truth, (sensitivity, specificity) in product(TRUTHS, JUDGES):
        shares = [
            truth * sensitivity,
            (1 - truth) * (1 - specificity),
            truth * (1 - sensitivity),
            (1 - truth) * specificity,
        ]
        known = generator.multinomial(labelled, shares, SIMULATIONS).astype(float)
        others = generator.multinomial(judged - labelled, shares, SIMULATIONS)
        yes, no = known[:, :2].sum(1), known[:, 2:].sum(1)
        says_yes = (yes + others[:, :2].sum(1)) / judged
        _, low, high = corrected_interval(
            says_yes, judged, known[:, 0], yes, known[:, 2], no, label_videos=labelled
        )
        coverage[truth, sensitivity, specificity] = np.mean((low <= truth) & (truth <= high))
    assert min(coverage.values()) >= 0.94, coverage


@pytest.mark.parametrize(("labelled", "labels_whole_videos"), [
    (30, False), (200, True), *(pytest.param(*sizes, marks=pytest.mark.slow)
                                for sizes in ((60, False), (200, False), (30, True), (60, True)))
])  # fmt: skip
def test_the_interval_covers_the_truth_when_answers_about_a_video_are_alike(
    labelled: int, labels_whole_videos: bool
) -> None:
    coverage = {}
    generator = np.random.default_rng([labelled, labels_whole_videos])
    settings = product((0.1, 0.3), ((0.7, 0.7, 0.95), (0.7, 0.98, 0.5), (0.98, 0.98, 0.95),
                                    (0.9, 0.9, 0.7), (0.98, 0.98, 0.1)))  # fmt: skip
    for correlation, (sensitivity, specificity, truth) in settings:
        found = [
            simulate(generator, truth, sensitivity, specificity, correlation, labelled,
                     labels_whole_videos)
            for _ in range(SIMULATIONS)
        ]  # fmt: skip
        numbers = {name: np.array([one[name] for one in found]) for name in found[0]}
        _, low, high = corrected_interval(judged=1000, **numbers)
        coverage[correlation, sensitivity, specificity, truth] = np.mean(
            (low <= truth) & (truth <= high)
        )
    assert min(coverage.values()) >= 0.94, coverage


def simulate(
    generator: np.random.Generator,
    truth: float,
    sensitivity: float,
    specificity: float,
    correlation: float,
    labelled: int,
    whole_videos: bool,
) -> dict[str, float]:
    """Answers to ten questions about each of 100 videos, and what the estimate takes of them."""
    owner = np.repeat(np.arange(100), 10)
    right = generator.random(1000) < alike(generator, truth, correlation)[owner]
    hears = alike(generator, sensitivity, correlation / 2)[owner]
    denies = alike(generator, specificity, correlation / 2)[owner]
    yes = generator.random(1000) < np.where(right, hears, 1 - denies)
    if whole_videos:
        is_labelled = np.isin(owner, generator.choice(100, labelled // 10, replace=False))
    else:
        is_labelled = np.isin(np.arange(1000), generator.choice(1000, labelled, replace=False))
    return linearised(yes.astype(float), right.astype(float), is_labelled, owner)


def alike(generator: np.random.Generator, mean: float, correlation: float) -> np.ndarray:
    """A share for each video, such that answers about it are so much correlated."""
    size = 1 / correlation - 1
    return generator.beta(mean * size, (1 - mean) * size, 100)


def example(labels: list[bool | None]) -> CorrectedAccuracy:
    verdicts = [place % 4 != 0 for place in range(200)]  # the judge says yes to 75 %
    return corrected_accuracy(verdicts, [*labels, *[None] * (200 - len(labels))], list(range(200)))


def test_a_judge_without_mistakes_is_believed_but_not_blindly() -> None:
    found = example([place % 4 != 0 for place in range(40)])
    assert found.accuracy == pytest.approx(0.75)
    assert found.judge_right == 1
    assert found.ci95[0] < 0.71
    assert found.ci95[1] > 0.79


def test_mistakes_move_the_estimate() -> None:
    # Of 30 yes, a third is wrong; of 10 no, all are right.
    labels = [place % 4 != 0 and place % 12 > 3 for place in range(40)]
    found = example(labels)
    yes = [label for place, label in enumerate(labels) if place % 4]
    assert found.accuracy == pytest.approx(0.75 * sum(yes) / 30)
    assert found.judged_accuracy == 0.75
    assert (found.judged, found.labelled) == (200, 40)
    assert found.ci95[0] < found.accuracy < found.ci95[1]


def test_it_is_the_prediction_powered_estimate_of_its_paper() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(500) < 0.6
    yes = np.where(generator.random(500) < 0.85, truth, ~truth)
    labels = [bool(one) if place < 80 else None for place, one in enumerate(truth)]
    found = corrected_accuracy(yes.tolist(), labels, list(range(500)))
    told, known = yes[:80].astype(float), truth[:80].astype(float)
    tuning = np.cov(told, known)[0, 1] / np.var(told, ddof=1)
    expected = known.mean() + tuning * (yes.mean() - told.mean())
    assert found.accuracy == pytest.approx(expected)


def test_more_labels_tell_more() -> None:
    widths = []
    for count in (20, 60, 180):
        low, high = example([place % 4 != 0 and place % 10 != 1 for place in range(count)]).ci95
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("label", [True, False])
def test_one_label_says_next_to_nothing(label: bool) -> None:
    low, high = example([label]).ci95
    assert high - low > 0.7


def test_labels_of_one_video_count_as_one() -> None:
    verdicts = [place % 4 != 0 for place in range(200)]
    labels = [one if place < 50 else None for place, one in enumerate(verdicts)]
    found = corrected_accuracy(verdicts, labels, [place // 50 for place in range(200)])
    assert found.ci95[1] - found.ci95[0] > 0.5


def test_without_labels_or_with_other_lengths_it_is_refused() -> None:
    with pytest.raises(ValueError, match="Without labels"):
        corrected_accuracy([True], [None], ["a"])
    with pytest.raises(ValueError, match="differ"):
        corrected_accuracy([True], [True, False], ["a"])
