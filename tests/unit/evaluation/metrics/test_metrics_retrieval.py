import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.metrics.retrieval import (
    best_iou,
    ndcg,
    recall,
    reciprocal_rank,
    temporal_iou,
)

SPAN = st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1]))
SPANS = st.lists(SPAN, max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 10), (0, 10), 1.0),
        ((0, 10), (5, 15), 5 / 15),
        ((0, 10), (2, 4), 0.2),
        ((0, 10), (10, 20), 0.0),
        ((0, 10), (12, 20), 0.0),
        ((3, 3), (3, 3), 0.0),
        ((3, 3), (0, 10), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(
    one: tuple[float, float], other: tuple[float, float], expected: float
) -> None:
    assert temporal_iou(one, other) == pytest.approx(expected)
    assert temporal_iou(other, one) == pytest.approx(expected)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        temporal_iou((5, 2), (0, 1))


def test_recall_asks_whether_a_true_span_is_among_the_first() -> None:
    spans, truth = [(0, 10), (10, 20), (20, 30)], [(22.0, 26.0)]
    assert [recall(spans, truth, k) for k in (1, 2, 3)] == [0, 0, 1]
    assert recall(spans, truth, 3, min_iou=0.4) == 1
    assert recall(spans, truth, 3, min_iou=0.5) == 0
    assert recall(spans, [(30.0, 40.0)], 3) == 0  # they touch and share no moment
    assert recall(spans, [(25.0, 25.0)], 3) == 1  # a point
    assert recall([], truth, 3) == 0
    with pytest.raises(ValueError, match="are none"):
        recall(spans, truth, 0)


def test_reciprocal_rank_is_of_the_first_that_finds() -> None:
    spans = [(0, 10), (10, 20), (20, 30)]
    assert reciprocal_rank(spans, [(12, 13), (22, 23)]) == 1 / 2
    assert reciprocal_rank(spans, [(40, 50)]) == 0


def test_ndcg_is_the_one_computed_by_hand() -> None:
    spans, truth = [(0, 10), (10, 20), (20, 30)], [(12, 13), (22, 23)]
    dcg = 1 / math.log2(3) + 1 / math.log2(4)
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    assert ndcg(spans, truth, 10) == pytest.approx(dcg / ideal)
    assert ndcg(spans, truth, 2) == pytest.approx(1 / math.log2(3) / ideal)
    assert ndcg(spans, truth, 1) == 0


def test_finding_the_same_evidence_again_gains_nothing() -> None:
    truth = [(12, 13), (22, 23)]
    once = ndcg([(10, 14), (0, 5)], truth, 10)
    assert ndcg([(10, 14), (11, 15), (12, 16)], truth, 10) == pytest.approx(once)
    assert ndcg([(10, 30)], truth, 10) == 1


@given(spans=SPANS, truth=SPANS, k=st.integers(1, 10))
def test_all_scores_lie_between_0_and_1_and_recall_grows_with_k(
    spans: list[tuple[float, float]], truth: list[tuple[float, float]], k: int
) -> None:
    scores = [ndcg(spans, truth, k), reciprocal_rank(spans, truth), best_iou(spans, truth)]
    assert all(0 <= score <= 1 for score in scores)
    assert recall(spans, truth, k) <= recall(spans, truth, k + 1)
    assert (reciprocal_rank(spans, truth) >= 1 / k) == bool(recall(spans, truth, k))


@given(truth=st.lists(SPAN, min_size=1, max_size=5, unique=True))
def test_the_true_spans_themselves_score_1(truth: list[tuple[float, float]]) -> None:
    assert ndcg(truth, truth, 10) == pytest.approx(1)
    assert reciprocal_rank(truth, truth) == 1
