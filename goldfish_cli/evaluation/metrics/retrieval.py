"""Score ranked spans of time against the true ones, for one question; seconds throughout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Span = tuple[float, float]


def temporal_iou(one: Span, other: Span) -> float:
    """Intersection over union of two spans; 0 if both are empty.

    Raises:
        ValueError: If a span ends before it starts.
    """
    for start, end in (one, other):
        if end < start:
            raise ValueError(f"A span cannot end at {end} before it starts at {start}.")
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (one[1] - one[0]) + (other[1] - other[0]) - shared
    return shared / union if union > 0 else 0.0


def best_iou(spans: Iterable[Span], truth: Sequence[Span]) -> float:
    """The largest intersection over union of any span with any true one; 0 without spans."""
    return max((temporal_iou(span, true) for span in spans for true in truth), default=0.0)


def recall(spans: Sequence[Span], truth: Sequence[Span], k: int, *, min_iou: float = 0.0) -> float:
    """Tell whether a true span is among the first ``k``: 1 or 0. The mean is recall@k.

    With ``min_iou`` this is "R@k, IoU ≥ threshold" of moment retrieval (Gao et al. 2017,
    arXiv:1705.02101).

    Args:
        spans: What was found, the best first.
        truth: The true spans; any of them will do.
        k: How many of those found count, 1 or more.
        min_iou: Overlap from which on a span is found; at 0 a shared moment is enough, as clips
            are mostly longer or shorter than the evidence.
    """
    return float(any(_found(span, truth, min_iou) for span in spans[: _positive(k)]))


def reciprocal_rank(spans: Sequence[Span], truth: Sequence[Span], *, min_iou: float = 0.0) -> float:
    """One over the rank of the first span that finds a true one, from 1; 0 if none does.

    The mean over questions is the MRR (Voorhees 1999).
    """
    for rank, span in enumerate(spans, start=1):
        if _found(span, truth, min_iou):
            return 1 / rank
    return 0.0


def ndcg(spans: Sequence[Span], truth: Sequence[Span], k: int, *, min_iou: float = 0.0) -> float:
    """Normalised discounted cumulative gain of the first ``k`` (Järvelin and Kekäläinen 2002).

    A span gains 1 for each true span that none before it has found, so that cutting the same
    evidence into more clips does not pay. The ideal finds one true span at each rank; a clip that
    finds several at once cannot score above 1.

    Args:
        spans: What was found, the best first.
        truth: The true spans.
        k: How many of those found count, 1 or more.
        min_iou: As in ``recall``.
    """
    missing = set(truth)
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(_positive(k), len(missing))))
    gained = 0.0
    for rank, span in enumerate(spans[:k]):
        found = {true for true in missing if _found(span, [true], min_iou)}
        gained += len(found) / math.log2(rank + 2)
        missing -= found
    return min(1.0, gained / ideal) if ideal else 0.0


def _found(span: Span, truth: Iterable[Span], min_iou: float) -> bool:
    if min_iou > 0:
        return any(temporal_iou(span, true) >= min_iou for true in truth)
    return any(_meets(span, true) for true in truth)


def _meets(span: Span, true: Span) -> bool:
    """Whether they share a moment; a true span may be a single point."""
    if true[0] == true[1]:
        return span[0] <= true[0] <= span[1]
    return min(span[1], true[1]) > max(span[0], true[0])


def _positive(k: int) -> int:
    if k < 1:
        raise ValueError(f"The first {k} of what was found are none.")
    return k
