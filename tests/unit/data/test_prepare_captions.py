"""Captions from the web in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.prepare.captions import normalise_caption


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("5 &amp;lt; 6", "5 < 6"),  # escaped twice
        ("  two\n lines\t here ", "two lines here"),
        ("nul\x00 and bell\x07", "nul and bell"),
        ("cafe\u0301", "caf\u00e9"),
        ("no\u00a0break", "no break"),
        ("half \ud83d a pair", "half a pair"),
        ("\u732b and \U0001f408", "\u732b and \U0001f408"),
        ("&nbsp;", ""),
    ],
)
def test_clean_captions_read_well(found, wanted):
    assert normalise_caption(found) == wanted


def test_the_reference_form_is_lower_case_without_marks():
    assert normalise_caption('A "RED" Car (2019)!  #wow: 1;2~3.', "reference") == (
        "a red car 2019 wow 1 2 3"
    )


def test_long_captions_are_cut_at_a_word():
    assert normalise_caption("a b c d", max_words=3) == "a b c"
    assert normalise_caption("a b c d", "raw", max_words=3) == "a b c d"


@given(
    text=st.text(st.characters(exclude_categories=())) | st.text("&amp;lt#38 .\n"),
    style=st.sampled_from(["clean", "reference", "raw"]),
    max_words=st.integers(1, 60),
)
def test_doing_it_again_changes_nothing(text, style, max_words):
    once = normalise_caption(text, style, max_words=max_words)
    assert normalise_caption(once, style, max_words=max_words) == once
