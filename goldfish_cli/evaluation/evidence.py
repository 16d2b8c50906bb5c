"""Questions about long videos: was the evidence found, and whose fault is a wrong answer."""

from __future__ import annotations

import statistics as plain
from collections.abc import Sequence

from goldfish_cli.evaluation.metrics.match import is_normalised_match
from goldfish_cli.evaluation.metrics.retrieval import best_iou, ndcg, recall, reciprocal_rank
from goldfish_cli.evaluation.results import Faults, Retrieval
from goldfish_cli.evaluation.scoring import Scored

DEPTHS = (1, 3, 5, 10)
POINTS_THERE = 0.3
"""Intersection over union from which on a citation points to the evidence."""


def retrieval(scored: Sequence[Scored]) -> Retrieval | None:
    """Score what retrieval found against the true spans; ``None`` where no span is known."""
    known = [one for one in scored if one.item.moments]
    if not known:
        return None
    found = [(one.prediction.retrieved, one.item.moments) for one in known]
    right = [one for one in known if one.right]
    pointing = [
        any(best_iou([cited], one.item.moments) > POINTS_THERE for cited in one.prediction.cited)
        for one in right
    ]
    return Retrieval(
        len(known),
        {str(k): plain.fmean(recall(spans, truth, k) for spans, truth in found) for k in DEPTHS},
        plain.fmean(reciprocal_rank(spans, truth) for spans, truth in found),
        plain.fmean(ndcg(spans, truth, 10) for spans, truth in found),
        plain.fmean(best_iou(spans[:5], truth) for spans, truth in found),
        plain.fmean(pointing) if pointing else None,
    )


def faults(scored: Sequence[Scored]) -> Faults | None:
    """Attribute each wrong answer to retrieval, reader or judge; ``None`` without true spans.

    An answer that equals the reference and was judged wrong is the judge's fault; else, if no clip
    that was retrieved or cited shares a moment with the evidence, it is retrieval's; else the
    reader's.
    """
    known = [one for one in scored if one.item.moments and not one.prediction.problem]
    if not known:
        return None
    counts = {"retrieval": 0, "reader": 0, "judge": 0}
    for one in known:
        if not one.right:
            counts[_fault(one)] += 1
    shares = {name: count / len(known) for name, count in counts.items()}
    return Faults(len(known), **shares)


def _fault(one: Scored) -> str:
    answer = one.prediction.prediction
    if any(is_normalised_match(answer, reference) for reference in one.item.answers):
        return "judge"
    found = (*one.prediction.retrieved, *one.prediction.cited)
    is_found = bool(found) and recall(found, one.item.moments, len(found)) > 0
    return "reader" if is_found else "retrieval"
