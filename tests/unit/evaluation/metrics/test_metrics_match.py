# ruff: noqa: RUF001
# The signs of other scripts are meant.
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.metrics.match import (
    is_exact,
    is_normalised_match,
    normalise,
    vqa_accuracy,
)

WORDS = ["The", "a", "dog", "RUNS", "two", "twenty-one", "ß", "3.5", ",", ".", "é"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The Dog.", "dog"),
        ("  a   red\tball!", "red ball"),
        ("An owl, an elk", "owl elk"),
        ("twenty-one dogs", "21 dogs"),
        ("Two", "2"),
        ("2", "2"),
        ("1,000", "1000"),
        ("2.5 m", "2.5 m"),
        ("7:30", "7:30"),
        ("don't", "dont"),
        ("don’t", "dont"),
        ("hip-hop", "hip hop"),
        ("Straße", "strasse"),
        ("Ça va?", "ça va"),
        ("कुत्ता", "कुत्ता"),
        ("ＤＯＧ", "dog"),
        ("猫。", "猫"),
        ("the", "the"),
        ("A", "a"),
        ("?!", "?!"),
        ("", ""),
        ("   ", ""),
        ("theatre", "theatre"),
        ("#1", "1"),
    ],
)
def test_an_answer_has_one_form(answer: str, expected: str) -> None:
    assert normalise(answer) == expected


@pytest.mark.parametrize(
    ("prediction", "reference", "exact", "normalised"),
    [
        ("dog", "dog", True, True),
        (" dog\n", "dog", True, True),
        ("Dog", "dog", False, True),
        ("the dog.", "dog", False, True),
        ("two", "2", False, True),
        ("dogs", "dog", False, False),
        ("a dog runs", "dog", False, False),
        ("", "dog", False, False),
        ("", "", True, False),
    ],
)
def test_answers_match_to_the_letter_or_but_for_their_form(
    prediction: str, reference: str, exact: bool, normalised: bool
) -> None:
    assert is_exact(prediction, reference) is exact
    assert is_normalised_match(prediction, reference) is normalised


@given(st.text(max_size=60))
def test_an_exact_answer_matches_when_normalised_too(answer: str) -> None:
    assert is_normalised_match(answer, answer) is bool(normalise(answer))


@given(st.lists(st.sampled_from(WORDS), max_size=8))
def test_normalising_twice_changes_nothing(words: list[str]) -> None:
    once = normalise(" ".join(words))
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("num_same", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_vqa_accuracy_is_that_of_its_paper_for_ten_people(num_same: int, expected: float) -> None:
    answers = ["a dog"] * num_same + [f"cat {number}" for number in range(10 - num_same)]
    assert vqa_accuracy("Dog", answers) == pytest.approx(expected)


def test_vqa_accuracy_of_a_single_reference_is_a_match() -> None:
    assert vqa_accuracy("dog", ["Dog"]) == 1
    assert vqa_accuracy("cat", ["Dog"]) == 0
    with pytest.raises(ValueError, match="Without references"):
        vqa_accuracy("dog", [])
