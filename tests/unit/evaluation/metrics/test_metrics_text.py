# ruff: noqa: RUF001
# The signs of other scripts are meant.
import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.errors import MissingPackageError
from goldfish_cli.evaluation.metrics.text import bleu, cider, meteor, rouge_l, words_of

TOLD = ["A man is cooking rice in a pan.", "Two dogs run over the grass", "a woman sings"]
TRUE = [
    ["a man cooks rice in a pan", "someone is cooking rice"],
    ["two dogs run on the grass", "dogs are running"],
    ["a woman is singing on a stage"],
]
WORDS = ["man", "dog", "the", "runs", "red", "ball", "sits", "in"]
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


def test_words_are_lower_case_without_signs_in_any_script() -> None:
    assert words_of("It's a Dog, isn’t it?") == ["it's", "a", "dog", "isn't", "it"]
    assert words_of("Größe: 3 — кот!") == ["grösse", "3", "кот"]


def test_bleu_is_that_of_the_coco_evaluation() -> None:
    pytest.importorskip("sacrebleu")
    # as pycocoevalcap 1.2 has it for the same words
    expected = (0.73960891, 0.66545233, 0.51296413, 0.34485197)
    assert bleu(TOLD, TRUE) == pytest.approx(expected, abs=1e-7)


def test_cider_is_that_of_the_coco_evaluation() -> None:
    assert cider(TOLD, TRUE) == pytest.approx(2.54516470213343)  # pycocoevalcap 1.2


def test_rouge_l_is_the_one_computed_by_hand() -> None:
    pytest.importorskip("rouge_score")
    # longest common subsequence "a man rice in a pan": 6 of 8 told, 6 of 7 true
    assert rouge_l(TOLD[:1], TRUE[:1]) == pytest.approx(2 * 6 / (8 + 7))
    assert rouge_l(["x y"], [["z"]]) == 0


def test_meteor_is_the_one_computed_by_hand(small_wordnet: Path) -> None:
    # All three words match, in two chunks: "here" and "dog sat".
    told, true = "dog sat here", "here dog sat"
    expected = 1 - 0.5 * (2 / 3) ** 3
    assert meteor([told], [[true]], folder=small_wordnet) == pytest.approx(expected)
    assert meteor([told], [["x", true]], folder=small_wordnet) == pytest.approx(expected)
    assert meteor([true], [[true]], folder=small_wordnet) == pytest.approx(1 - 0.5 * (1 / 3) ** 3)
    assert meteor(["dog"], [["car"]], folder=small_wordnet) == 0
    # Two of two told, two of three true: precision 1, recall 2/3, weighted 1 to 9; one chunk.
    mean = 1 / (0.9 / (2 / 3) * 1 + 0.1 / 1)
    assert meteor(["dog sat"], [["dog sat here"]], folder=small_wordnet) == pytest.approx(
        mean * (1 - 0.5 * (1 / 2) ** 3)
    )


def test_cider_is_that_of_a_plain_reading_of_its_paper() -> None:
    expected = [plain_cider(told, some) for told, some in zip(TOLD, TRUE, strict=True)]
    assert cider(TOLD, TRUE) == pytest.approx(sum(expected) / 3)


def plain_cider(told: str, references: list[str]) -> float:
    scores = []
    for reference in references:
        words, others = words_of(told), words_of(reference)
        cosines = [cosine(grams(words, n), grams(others, n)) for n in (1, 2, 3, 4)]
        gap = max(len(words) - 1, 0) - max(len(others) - 1, 0)
        scores.append(10 * math.exp(-(gap**2) / 72) * sum(cosines) / 4)
    return sum(scores) / len(scores)


def grams(words: list[str], n: int) -> dict[str, float]:
    counts = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    said = [[f" {' '.join(words_of(one))} " for one in some] for some in TRUE]
    rarity = {gram: sum(any(f" {gram} " in one for one in some) for some in said)
              for gram in counts}  # fmt: skip
    return {gram: count * math.log(3 / max(1, rarity[gram])) for gram, count in counts.items()}


def cosine(told: dict[str, float], true: dict[str, float]) -> float:
    top = sum(min(told[gram], true[gram]) * true[gram] for gram in told.keys() & true.keys())
    norms = [math.sqrt(sum(value**2 for value in one.values())) for one in (told, true)]
    return top / (norms[0] * norms[1]) if all(norms) else 0.0


@settings(deadline=None, max_examples=40)
@given(st.lists(SENTENCE, min_size=2, max_size=4, unique=True))
def test_saying_the_reference_scores_best(sentences: list[str]) -> None:
    pytest.importorskip("sacrebleu")
    references = [[one] for one in sentences]
    assert bleu(sentences, references)[0] == pytest.approx(1)
    assert rouge_l(sentences, references) == pytest.approx(1)
    worse = [*sentences[1:], sentences[0]]
    assert cider(worse, references) <= cider(sentences, references) + 1e-9 <= 10 + 1e-8


@pytest.mark.parametrize("metric", [bleu, rouge_l, cider, meteor])
def test_predictions_without_references_are_refused(metric: Callable[..., float]) -> None:
    for told, true in (([], []), (["a"], []), (["a"], [[]])):
        with pytest.raises(ValueError, match="needs a reference"):
            metric(told, true)


@pytest.mark.parametrize(
    ("metric", "module"),
    [(bleu, "sacrebleu.metrics.bleu"), (rouge_l, "rouge_score.rouge_scorer")],
)
def test_a_missing_package_names_its_extra(
    metric: Callable[..., float], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError) as caught:
        metric(["a"], [["a"]])
    assert "goldfish-video[eval]" in caught.value.hint
