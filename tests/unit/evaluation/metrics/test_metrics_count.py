# ruff: noqa: RUF001
# The signs of other scripts are meant.
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.metrics.count import read_count, score_counts, tgif_count


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("3", 3),
        ("3.", 3),
        (" three ", 3),
        ("Three times.", 3),
        ("3x", 3),
        ("3 times", 3),
        ("twenty-one", 21),
        ("one hundred and two", 102),
        ("1,200", 1200),
        ("twice", 2),
        ("He jumps once.", 1),
        ("all at once, 4 people jump", 4),
        ("none", 0),
        ("Never.", 0),
        ("0", 0),
        ("zero", 0),
        ("-2", -2),
        ("2.6", 3),
        ("2.5", 2),
        ("3.5", 4),
        ("The man jumps 3 times in 10 seconds.", 3),
        ("There are 2 dogs and they jump four times.", 4),
        ("The answer is 5.", 5),
        ("Answer: 5", 5),
        ("I see 2 red and 3 blue balls. The total is 5.", 5),
        ("2 on the left and 3 on the right, 5 in total", 5),
        ("A total of 7 people", 7),
        ("The total number of jumps is 5, in 10 seconds", 5),
        ("In the 1st scene there are 4 cats", 4),
        ("４", 4),
        ("3 or 4 times", None),
        ("3-4 times", None),
        ("between 3 and 4", None),
        ("2 dogs and 3 cats", None),
        ("3 times, then 2 times", None),
        ("many", None),
        ("a few", None),
        ("", None),
        ("I cannot tell.", None),
        ("9" * 400, None),
    ],
)
def test_the_number_that_is_meant_is_read(answer: str, expected: int | None) -> None:
    assert read_count(answer) == expected


@given(st.text(max_size=60))
def test_any_text_is_read_as_a_number_or_none(answer: str) -> None:
    assert read_count(answer) is None or isinstance(read_count(answer), int)


@given(st.integers(0, 10**6))
def test_a_number_is_read_in_every_customary_form(number: int) -> None:
    for form in ("{}", "{}.", "{} times", "The answer is {}.", "There are {} of them.", "{:,}"):
        assert read_count(form.format(number)) == number


@pytest.mark.parametrize(
    ("number", "expected"), [(0, 1), (0.4, 1), (1.5, 2), (2.5, 2), (9.6, 10), (40, 10), (-3, 1)]
)
def test_counts_are_rounded_and_clipped_as_in_tgif_qa(number: float, expected: int) -> None:
    assert tgif_count(number) == expected


def test_counts_are_scored_as_in_tgif_qa() -> None:
    told, truths = [2.4, 0.0, 14.0, 3.0], [2, 2, 10, 6]
    clipped = np.clip(np.round(told), 1, 10)
    scores = score_counts(told, truths)
    assert scores.mean_squared_error == pytest.approx(float(np.mean((clipped - truths) ** 2)))
    assert scores.accuracy == 0.5
    assert (scores.n, scores.unread) == (4, 0)


def test_an_answer_without_a_number_is_wrong_and_as_far_off_as_can_be() -> None:
    scores = score_counts([None, None], [2, 9])
    assert (scores.accuracy, scores.unread) == (0, 2)
    assert scores.mean_squared_error == (8**2 + 8**2) / 2
    with pytest.raises(ValueError, match="cannot meet"):
        score_counts([], [])
