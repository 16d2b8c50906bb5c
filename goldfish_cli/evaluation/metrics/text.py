"""Compare sentences by their words: BLEU, ROUGE-L, METEOR and CIDEr, for descriptions and stories.

All take the same words: lower case, without punctuation, as the COCO caption evaluation does, but
in any script. CIDEr is computed here; the package that has it brings 100 MB of Java along.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from goldfish_cli.errors import MissingPackageError
from goldfish_cli.evaluation.metrics.wordnet import open_wordnet

_MAX_N = 4
_SIGMA = 6.0
"""CIDEr-D's tolerance for lengths that differ, in words."""
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")

Ngrams = Counter[tuple[str, ...]]


def words_of(sentence: str) -> list[str]:
    """Split a sentence into its words, in lower case."""
    return [word.replace("\u2019", "'") for word in _WORD.findall(sentence.casefold())]


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of a corpus (Papineni et al. 2002), by sacrebleu; from 0 to 1.

    Args:
        predictions: ``(n,)``, one sentence or more each.
        references: Those of each prediction, one at least.

    Raises:
        ValueError: If the lengths differ, or a reference is missing.
        MissingPackageError: If sacrebleu is not installed.
    """
    _check(predictions, references)
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise _missing("BLEU", "sacrebleu") from error
    told = [" ".join(words_of(one)) for one in predictions]
    most = max(len(some) for some in references)
    # sacrebleu wants as many references for each; None stands for one that is not there.
    columns: list[list[Any]] = [
        [" ".join(words_of(some[place])) if place < len(some) else None for some in references]
        for place in range(most)
    ]
    return tuple(
        BLEU(tokenize="none", smooth_method="none", force=True, max_ngram_order=order)
        .corpus_score(told, columns)
        .score
        / 100
        for order in range(1, _MAX_N + 1)
    )


def rouge_l(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Mean ROUGE-L F1 against the nearest reference (Lin 2004), by rouge-score; from 0 to 1.

    Raises:
        ValueError: If the lengths differ, or a reference is missing.
        MissingPackageError: If rouge-score is not installed.
    """
    _check(predictions, references)
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise _missing("ROUGE", "rouge-score") from error
    scorer = RougeScorer(["rougeL"], tokenizer=_Tokenizer())
    return _mean(
        float(scorer.score_multi(list(some), told)["rougeL"].fmeasure)
        for told, some in zip(predictions, references, strict=True)
    )


def meteor(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, folder: Path | None = None
) -> float:
    """Mean METEOR against the nearest reference (Banerjee and Lavie 2005), by NLTK; from 0 to 1.

    With NLTK's parameters (alpha 0.9, beta 3, gamma 0.5). It is not METEOR 1.5, the Java program
    behind caption tables, whose paraphrases it does not have: compare it with itself only.

    Args:
        predictions: ``(n,)``.
        references: Those of each prediction, one at least.
        folder: Of WordNet's files; ``None`` looks where they usually are.

    Raises:
        ValueError: If the lengths differ, or a reference is missing.
        MissingPackageError: If NLTK is not installed.
        InputError: If WordNet is not there.
    """
    _check(predictions, references)
    wordnet = open_wordnet(folder)
    from nltk.translate.meteor_score import meteor_score

    return _mean(
        float(meteor_score([words_of(one) for one in some], words_of(told), wordnet=wordnet))
        for told, some in zip(predictions, references, strict=True)
    )


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of a corpus (Vedantam et al. 2015, arXiv:1411.5726), from 0 to 10; often shown × 100.

    Words that stand in the references of many items weigh little, so the score depends on the whole
    corpus: it is 0 for a single item, and not to be compared between different sets.

    Raises:
        ValueError: If the lengths differ, or a reference is missing.
    """
    _check(predictions, references)
    known = [[_ngrams(words_of(one)) for one in some] for some in references]
    seen_in = Counter(ngram for some in known for ngram in set().union(*some))
    log_items = float(np.log(len(references)))
    scores = [
        _cider(_ngrams(words_of(told)), some, seen_in, log_items)
        for told, some in zip(predictions, known, strict=True)
    ]
    return _mean(scores)


def _cider(told: Ngrams, references: Sequence[Ngrams], seen_in: Ngrams, log_items: float) -> float:
    vectors = _weighted(told, seen_in, log_items)
    length = _num_bigrams(told)
    scores = []
    for reference in references:
        others = _weighted(reference, seen_in, log_items)
        gap = length - _num_bigrams(reference)
        cosines = [_clipped_cosine(a, b) for a, b in zip(vectors, others, strict=True)]
        scores.append(sum(cosines) / _MAX_N * float(np.exp(-(gap**2) / (2 * _SIGMA**2))))
    return 10 * _mean(scores)


def _ngrams(words: Sequence[str]) -> Ngrams:
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, _MAX_N + 1)
        for start in range(len(words) - order + 1)
    )


def _weighted(
    ngrams: Ngrams, seen_in: Ngrams, log_items: float
) -> list[dict[tuple[str, ...], float]]:
    """Counts times inverse document frequency, by length of the n-gram."""
    vectors: list[dict[tuple[str, ...], float]] = [{} for _ in range(_MAX_N)]
    for ngram, count in ngrams.items():
        rarity = log_items - float(np.log(max(1, seen_in[ngram])))
        vectors[len(ngram) - 1][ngram] = count * rarity
    return vectors


def _clipped_cosine(
    told: dict[tuple[str, ...], float], true: dict[tuple[str, ...], float]
) -> float:
    """Cosine in which saying a word more often than the reference gains nothing."""
    shared = sum(min(weight, true[ngram]) * true[ngram]
                 for ngram, weight in told.items() if ngram in true)  # fmt: skip
    norms = [float(np.sqrt(sum(w * w for w in one.values()))) for one in (told, true)]
    return shared / (norms[0] * norms[1]) if all(norms) else 0.0


def _num_bigrams(ngrams: Ngrams) -> int:
    """The length as CIDEr-D's code has it."""
    return sum(count for ngram, count in ngrams.items() if len(ngram) == 2)


class _Tokenizer:
    """What rouge-score takes for splitting sentences."""

    def tokenize(self, text: str) -> list[str]:
        return words_of(text)


def _check(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not predictions or len(predictions) != len(references) or not all(references):
        raise ValueError(
            f"{len(predictions)} predictions, {len(references)} sets of references: each "
            "prediction needs a reference."
        )


def _mean(scores: Iterable[float]) -> float:
    return float(np.mean(list(scores)))


def _missing(metric: str, package: str) -> MissingPackageError:
    return MissingPackageError(
        f"{metric} is computed by {package}, which is not installed.",
        hint="pip install 'goldfish-video[eval]'",
    )
