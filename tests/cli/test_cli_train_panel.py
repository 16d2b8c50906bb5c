"""The panel of a training: what it says, and that it fits the terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from goldfish_cli.commands.train_panel import BLOCKS, TrainPanel, pack, sparkline, time_text

FACTS = ["loss 2.345", "smoothed 2.401", "lr 9.8e-05", "12,345 tokens/s", "10.35 GiB"]


def drawn(width, *, encoding="utf-8", answers=()):
    """Return the lines of a panel in the middle of a stage."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, height=24, force_terminal=True, color_system=None)
    panel = TrainPanel(console)
    panel.phase("looking up stored features", 9, "clips")
    panel.phase("stage 3", 12_000, "steps")
    panel.done(6_000)
    panel.done(9_150)
    panel.show(FACTS, [5.0 - i / 100 for i in range(150)])
    panel.show_answers(answers)
    with console.capture() as capture:
        console.print(panel.draw())
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [40, 60, 200])
def test_all_figures_are_there_and_no_line_is_wider_than_the_terminal(width):
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("stage 3 ━")
    assert "9150/12000" in lines[0]
    text = "\n".join(lines)
    assert all(fact in text for fact in FACTS)
    assert "steps/s" in text and " left" in text
    assert lines[-1].strip(BLOCKS) == "" and len(lines[-1]) == min(width, 150)
    assert lines[-1][0] == "█" and lines[-1][-1] == "▁"


def test_long_answers_are_cut_and_nothing_in_them_is_markup():
    lines = drawn(40, answers=["asked: what is [red]here[/red]?", "answer: " + "x" * 100])
    assert lines[-2] == "asked: what is [red]here[/red]?"
    assert lines[-1] == "answer: " + "x" * 31 + "…"


def test_a_terminal_without_blocks_gets_none():
    assert not set("".join(drawn(80, encoding="ascii"))) & set(BLOCKS)


@given(
    st.lists(st.text("ab", min_size=1, max_size=9), max_size=20),
    st.integers(min_value=9, max_value=50),
)
def test_packed_words_keep_their_order_and_fit(words, width):
    lines = pack(words, width)
    assert " ".join(lines).split() == words
    assert all(len(line) <= width for line in lines)


@given(st.lists(st.floats(width=32), max_size=100), st.integers(1, 60))
def test_a_sparkline_has_a_block_for_each_value_or_fills_the_width(values, width):
    numbers = [value for value in values if abs(value) < float("inf")]
    line = sparkline(values, width)
    assert len(line) == min(width, len(numbers))
    assert set(line) <= set(BLOCKS)


def test_a_sparkline_shows_the_course():
    assert sparkline([3.0, 2.0, 1.0, 1.0], 4) == "█▅▁▁"
    assert sparkline([4.0, 2.0, 1.0, 0.0], 2) == "█▁"
    assert sparkline([1.0, 1.0], 4) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0], 4) == "▁█"


def test_times_are_hours_minutes_and_seconds():
    assert time_text(155.4) == "0:02:35"
    assert time_text(90_000) == "1 day, 1:00:00"
