"""WUPS: credit for answers that are near the truth in WordNet (Malinowski and Fritz 2014).

It compares sets of words: each side's words must find a near one on the other side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from goldfish_cli.evaluation.metrics.wordnet import open_wordnet

Similarity = Callable[[str, str], float]
"""Of two words, from 0 to 1."""
PENALTY = 0.1
"""What is left of a similarity below the threshold."""


def wups(
    prediction: str, reference: str, similarity: Similarity, *, threshold: float = 0.9
) -> float:
    """Score one answer (arXiv:1410.0210, equation 8); the mean over questions is WUPS.

    Args:
        prediction: What was answered; commas part the members of a set.
        reference: The true answer, likewise.
        similarity: Such as ``wordnet_similarity()``.
        threshold: Similarities below it count a tenth: 0.9 and 0.0 are customary.
    """
    told, true = _members(prediction), _members(reference)
    if not told or not true:
        return float(told == true)
    near = [[_penalised(similarity(one, other), threshold) for other in true] for one in told]
    from_told = math.prod(max(row) for row in near)
    from_true = math.prod(max(column) for column in zip(*near, strict=True))
    return min(from_told, from_true)


def mean_wups(
    predictions: Sequence[str],
    references: Sequence[str],
    similarity: Similarity,
    *,
    threshold: float = 0.9,
) -> float:
    """Mean WUPS of many answers.

    Raises:
        ValueError: If the lengths differ, or there are no answers.
    """
    if not references or len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions, {len(references)} references.")
    pairs = zip(predictions, references, strict=True)
    scores = [wups(told, true, similarity, threshold=threshold) for told, true in pairs]
    return math.fsum(scores) / len(scores)


def wordnet_similarity(folder: Path | None = None) -> Similarity:
    """Wu and Palmer's similarity of two words: of their nearest meanings as nouns.

    Equal words are 1 also where WordNet has neither; otherwise words it does not have are 0.

    Args:
        folder: Of WordNet's files; ``None`` looks where they usually are.

    Raises:
        MissingPackageError: If NLTK is not installed.
        InputError: If WordNet is not there.
    """
    wordnet = open_wordnet(folder)

    @lru_cache(maxsize=100_000)
    def similarity(one: str, other: str) -> float:
        if one == other:
            return 1.0
        meanings, others = (
            wordnet.synsets(word.replace(" ", "_"), pos="n") for word in (one, other)
        )
        return max(
            (float(a.wup_similarity(b) or 0.0) for a in meanings for b in others), default=0.0
        )

    return similarity


def _members(answer: str) -> list[str]:
    return list(dict.fromkeys(word for part in answer.casefold().split(",")
                              if (word := " ".join(part.split()))))  # fmt: skip


def _penalised(similarity: float, threshold: float) -> float:
    return similarity if similarity >= threshold else PENALTY * similarity
