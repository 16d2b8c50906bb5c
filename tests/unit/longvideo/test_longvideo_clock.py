"""Times and numbers as people write them."""

import pytest

from goldfish_cli.longvideo.clock import times_in
from goldfish_cli.longvideo.numerals import amount, rank


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("What happens two and a half minutes in?", [150.0]),
        ("What happens 2 and a half minutes in?", [150.0]),
        ("What is said a quarter of an hour in?", [900.0]),
        ("What happens three quarters of an hour in?", [2700.0]),
        ("What happens half an hour into the film?", [1800.0]),
        ("What happens an hour and a half in?", [5400.0]),
        ("What happens after one hour and twenty minutes?", [4800.0]),
        ("What happens at the twenty-five minute mark?", [1500.0]),
        ("What happens between five and six minutes?", [300.0, 360.0]),
        ("What happens between two minutes and three and a half minutes?", [120.0, 210.0]),
        ("What happens between 2 minutes and 3 minutes?", [120.0, 180.0]),
        ("What happens in minute five?", [300.0]),
        ("What happens in the second minute?", [60.0]),
        ("What happens two minutes before the end?", [-120.0]),
        ("What happens 90 seconds from the start?", [90.0]),
        ("What is the second thing?", []),
        ("Who waits for five minutes?", []),
        ("Who waits for 5 minutes?", []),
        ("Who says wait a minute?", []),
        ("Who has 3 dogs?", []),
    ],
)
def test_times_in_words_are_read_where_they_name_a_place(text: str, times: list[float]) -> None:
    assert [one.seconds for one in times_in(text)] == times


def test_a_clock_face_is_a_time_only_of_a_film_that_is_so_long() -> None:
    text = "What happens at half past nine?"
    assert [one.seconds for one in times_in(text, longest=600.0)] == [570.0]
    assert not list(times_in(text, longest=500.0))
    assert not list(times_in(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("seven", 7.0),
        ("twenty-five", 25.0),
        ("two and a half", 2.5),
        ("half an", 0.5),
        ("a quarter of an", 0.25),
        ("12.5", 12.5),
        ("several", None),
        ("", None),
    ],
)
def test_amounts_are_read_in_words_and_digits(text: str, number: float | None) -> None:
    assert amount(text) == number


def test_ranks_are_read_in_words_and_digits() -> None:
    assert [rank(text) for text in ("first", "Third", "21st", "0th", "two")] == [
        1,
        3,
        21,
        None,
        None,
    ]
