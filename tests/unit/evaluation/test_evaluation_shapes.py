"""Shapes World answers are scored by its own rule."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.canonical import normalise
from goldfish_cli.evaluation.shapes import Scored, accuracy, answer_shapes


@pytest.mark.parametrize(
    ("given_answer", "canonical"),
    [
        ("a red circle moves left", "A red circle moves left."),
        ("The Blue  square", "blue square"),
        ("YES", "yes"),
        ("there is no star", "There is no star."),
    ],
)
def test_case_articles_and_the_final_stop_do_not_count(given_answer: str, canonical: str) -> None:
    assert Scored("v", "f", "?", canonical, given_answer).right


@pytest.mark.parametrize(
    ("given_answer", "canonical"),
    [("blue", "blue square"), ("no", "yes"), ("", "two"), ("anna", "ann"), ("a", "an star")],
)
def test_another_answer_is_wrong(given_answer: str, canonical: str) -> None:
    assert not Scored("v", "f", "?", canonical, given_answer).right


@given(st.text(st.characters(blacklist_characters=".")))
def test_scoring_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


def test_accuracy_is_counted_by_family_in_a_fixed_order() -> None:
    rows = [("count", "two", "two"), ("colour", "red", "red"), ("colour", "red", "blue")]
    scored = [Scored("v", family, "?", truth, said) for family, truth, said in rows]
    assert list(accuracy(scored).items()) == [("colour", (0.5, 2)), ("count", (1.0, 1))]


def test_a_folder_without_questions_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=tmp_path.name):
        next(answer_shapes(None, tmp_path, num_frames=4))  # type: ignore[arg-type]  # never asked
