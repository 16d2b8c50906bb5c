"""Options told from the text they stand in, and which of them an answer means."""

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.options import (
    LETTERS,
    find_correct,
    read_options,
    split_options,
    strip_letters,
)
from goldfish_cli.evaluation.benchmarks.rows import Row

OPTIONS = ("red", "green", "blue")
words = st.lists(
    st.text(string.ascii_lowercase + string.digits + "é'", min_size=1, max_size=8),
    min_size=1,
    max_size=5,
).map(" ".join)


def row(**values: Any) -> Row:
    return Row(Path("test.json"), "Item 3", values, "What is wanted.")


@given(
    question=words,
    options=st.lists(words, min_size=2, max_size=len(LETTERS)),
    form=st.sampled_from(["({}) ", "{}. ", "{}) ", "{}: "]),
    head=st.sampled_from(["", "\nOptions:", "\nChoices:"]),
    tail=st.sampled_from(["", "\n", "\nOnly give the best option.", "\nAnswer with the letter."]),
)
def test_what_is_put_together_is_taken_apart(
    question: str, options: list[str], form: str, head: str, tail: str
) -> None:
    lines = [form.format(letter) + one for letter, one in zip(LETTERS, options, strict=False)]
    text = f"{question}{head}\n" + "\n".join(lines) + tail
    assert split_options(text) == (question, tuple(options))
    assert strip_letters(lines) == tuple(options)


@given(words)
def test_a_question_without_options_stays_as_it_is(question: str) -> None:
    assert split_options(question) == (question, ())


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("Which? (A) red (B) green", "Which?", ("red", "green")),
        ("Which?\n(a) one\n(b) two\nA. (a)(b).\nB. (b)(a).", "Which?\n(a) one\n(b) two",
         ("(a)(b).", "(b)(a).")),
        ("Question: Which?\nOptions:\n(A) a long\none\n(B) red", "Which?", ("a long one", "red")),
        ("How many?\nOptions:\n(A) 2\n(B) 5\n(C) 9\n(D) \n", "How many?", ("2", "5", "9", "")),
        ("Does plan (A) help?", "Does plan (A) help?", ()),
        ("Who?\nA. Lincoln did", "Who?\nA. Lincoln did", ()),
    ],
)  # fmt: skip
def test_forms_that_circulate(text: str, question: str, options: tuple[str, ...]) -> None:
    assert split_options(text) == (question, options)


def test_a_letter_is_a_name_unless_all_options_carry_theirs() -> None:
    assert strip_letters(["A. Lincoln", "Grant"]) == ("A. Lincoln", "Grant")
    assert strip_letters(["B. red", "A. green"]) == ("B. red", "A. green")


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (["A. red", "B. green"], ("red", "green")),
        ('["red", "green"]', ("red", "green")),
        ("['red', 'it\\'s green']", ("red", "it's green")),
        ("red | green", ("red", "green")),
        ("(A) red (B) green", ("red", "green")),
        ({"A": "red", "B": "green"}, ("red", "green")),
        (None, ()),
    ],
)
def test_lists_of_options_in_any_form(value: Any, options: tuple[str, ...]) -> None:
    assert read_options(row(options=value), "options") == options


def test_one_option_is_no_choice() -> None:
    with pytest.raises(AnnotationError, match=r"Item 3 of test\.json has 1 options with text"):
        read_options(row(options=["red"]), "options")


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        *((2, 2), (1.0, 1), ("green", 1), (" Green ", 1), ("C", 2), ("(b)", 1), ("B. green", 1)),
        *((-1, None), (None, None), ("", None), ("yellow", None), ("F", None), ("2", None)),
    ],
)
def test_answers_in_any_form(answer: Any, correct: int | None) -> None:
    assert find_correct(row(), answer, OPTIONS) == correct


def test_numbers_in_text_are_places_only_where_the_set_says_so() -> None:
    assert find_correct(row(), "1", ("3", "2", "1"), ("text", "letter")) == 2
    assert find_correct(row(), "1", ("3", "2", "1"), ("index", "text")) == 1
    assert find_correct(row(), "a2", OPTIONS, ("index",)) == 2


@pytest.mark.parametrize("answer", [3, "3", -2])
def test_places_beyond_the_options_are_told(answer: Any) -> None:
    with pytest.raises(AnnotationError, match="but its options are 0 to 2"):
        find_correct(row(), answer, OPTIONS, ("index", "text"))


def test_an_option_without_text_is_no_truth() -> None:
    assert find_correct(row(), 2, ("red", "green", "")) is None
