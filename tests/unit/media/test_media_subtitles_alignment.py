"""Captions and frames: every cue is used once, in order, where it belongs, within the budget."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.media.alignment import (
    align_cues,
    count_words,
    drop_repeats,
    first_words,
    fit_word_budget,
)
from goldfish_cli.media.cues import Cue

seconds = st.integers(0, 1000).map(lambda tenths: tenths / 10)
frame_times = st.lists(seconds, min_size=1, max_size=12).map(sorted)


@st.composite
def numbered_cues(draw: st.DrawFn) -> list[Cue]:
    """Cues in any order whose words tell them apart."""
    starts = draw(st.lists(seconds, max_size=15))
    sizes = [draw(st.integers(1, 6)) for _ in starts]
    return [
        Cue(start, start + draw(seconds), "\n".join(f"c{number}w{word}" for word in range(size)))
        for number, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]


def cue_number(word: str) -> int:
    return int(word[1:].split("w")[0])


@settings(deadline=None, max_examples=50)
@given(cues=numbered_cues(), times=frame_times)
def test_each_cue_is_used_once_whole_and_in_order_of_time(
    cues: list[Cue], times: list[float]
) -> None:
    said = " ".join(filter(None, align_cues(cues, times))).split()
    expected = [word for cue in sorted(cues, key=lambda c: c.start) for word in cue.text.split()]
    assert said == expected


@settings(deadline=None, max_examples=50)
@given(cues=numbered_cues(), times=frame_times)
def test_a_cue_stands_at_the_first_frame_at_or_after_its_start(
    cues: list[Cue], times: list[float]
) -> None:
    for place, caption in enumerate(align_cues(cues, times)):
        for word in caption.split():
            start = cues[cue_number(word)].start
            later = [i for i, time in enumerate(times) if time >= start]
            assert place == (later[0] if later else len(times) - 1)


@settings(deadline=None, max_examples=50)
@given(cues=numbered_cues(), times=frame_times, max_words=st.integers(0, 60))
def test_the_budget_holds_and_leaves_out_whole_cues(
    cues: list[Cue], times: list[float], max_words: int
) -> None:
    captions = align_cues(cues, times, max_words=max_words)
    said = " ".join(captions).split()
    assert len(said) <= max_words
    kept = {cue_number(word) for word in said}
    whole = [word for number in kept for word in cues[number].text.split()]
    too_long = any(count_words(cue.text) > max_words for cue in cues)
    assert too_long or sorted(whole) == sorted(said)
    assert captions == align_cues(cues, times, max_words=max_words)


@settings(deadline=None, max_examples=50)
@given(cues=numbered_cues(), max_words=st.integers(6, 60))
def test_a_budget_that_some_cue_fits_is_used(cues: list[Cue], max_words: int) -> None:
    kept = fit_word_budget(sorted(cues, key=lambda c: c.start), max_words)
    assert bool(kept) == bool(cues)


@settings(deadline=None, max_examples=50)
@given(cues=numbered_cues(), times=frame_times, window=st.tuples(seconds, seconds).map(sorted))
def test_only_what_is_said_in_the_part_looked_at_is_used(
    cues: list[Cue], times: list[float], window: list[float]
) -> None:
    start, end = window
    said = {
        cue_number(word) for word in " ".join(align_cues(cues, times, start=start, end=end)).split()
    }
    assert said == {
        number
        for number, cue in enumerate(cues)
        if cue.start < end and (cue.end > start or cue.start >= start)
    }


def test_the_budget_is_spread_over_the_whole_video() -> None:
    cues = [Cue(t, t + 1, f"word{t} and three more") for t in range(100)]
    kept = [cue.start for cue in fit_word_budget(cues, 40)]
    assert len(kept) == 10
    gaps = [later - earlier for earlier, later in pairwise(kept)]
    assert kept[0] < 10 and kept[-1] >= 90 and set(gaps) == {10}


def test_a_cue_longer_than_the_budget_is_cut_after_a_word() -> None:
    assert align_cues([Cue(0, 9, "one two three four")], [0.0], max_words=3) == ["one two three"]
    assert first_words("one, two,\nthree", 2) == "one, two,"
    assert first_words("extraordinarily-long-winded word", 1) == ""


def test_words_are_counted_without_spaces_too() -> None:
    assert count_words("it's one-two  3\n") == 3
    assert count_words("你好 世界") == 4
    assert count_words("x" * 1000) == 50
    assert first_words("你好世界", 2) == "你好"


def test_line_breaks_become_spaces_and_cues_of_one_frame_are_joined() -> None:
    cues = [Cue(0.5, 1, "a\n b"), Cue(0.6, 1, "c\td")]
    assert align_cues(cues, [0.0, 1.0, 2.0]) == ["", "a b c d", ""]


def test_of_equal_frame_times_the_first_takes_the_caption() -> None:
    assert align_cues([Cue(1, 2, "late")], [0.0, 0.5, 0.5, 0.5]) == ["", "", "", "late"]
    assert align_cues([Cue(0.5, 2, "there")], [0.0, 0.5, 0.5]) == ["", "there", ""]


def test_without_frames_there_are_no_captions() -> None:
    assert align_cues([Cue(0, 1, "a")], []) == []


def test_frame_times_that_go_back_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        align_cues([], [1.0, 0.0])


def test_rolling_captions_are_said_once() -> None:
    rolling = [
        Cue(0.0, 2.0, "hello my friends"),
        Cue(2.0, 2.01, "hello my friends"),
        Cue(2.01, 4.0, "hello my friends\nand welcome"),
        Cue(4.0, 4.01, "and welcome"),
        Cue(4.01, 6.0, "and welcome\nto the show"),
    ]
    said = [(cue.start, cue.text) for cue in drop_repeats(rolling)]
    assert said == [(0.0, "hello my friends"), (2.01, "and welcome"), (4.01, "to the show")]


def test_what_is_repeated_after_a_pause_is_said_again() -> None:
    assert align_cues([Cue(0, 1, "No!"), Cue(1.5, 2, "No!")], [2.0]) == ["No! No!"]
