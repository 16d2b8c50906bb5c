"""Loss curves: drawn from the log, the same each time."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import InputError, UsageError
from goldfish_cli.training.curves import draw_curves, read_losses, smooth


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train_log.jsonl"
    lines = [json.dumps({"step": step, "loss": 4.0 / step}) for step in range(1, 30)]
    path.write_text("\n".join([*lines, '{"step": 30, "lo']))
    return path


@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_curves_are_written_and_the_same_each_time(log, tmp_path, name):
    pytest.importorskip("matplotlib")
    pictures = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        draw_curves({"stage 1": log, "stage 2": log.parent}, tmp_path / folder / name, title="t")
        pictures.append((tmp_path / folder / name).read_bytes())
    assert len(pictures[0]) > 1000
    if name.endswith(".png"):
        assert pictures[0] == pictures[1]


def test_a_line_cut_off_by_a_kill_is_left_out(log):
    steps, losses = read_losses(log)
    assert steps[-1] == 29
    assert losses[0] == 4.0


def test_an_empty_log_and_a_wrong_format_are_errors(tmp_path, log):
    with pytest.raises(InputError, match="no losses"):
        read_losses(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match=r"curves\.bmp"):
        draw_curves({"a": log}, tmp_path / "curves.bmp")


def test_without_matplotlib_the_error_says_what_to_install(log, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match="matplotlib"):
        draw_curves({"a": log}, tmp_path / "curves.png")


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_a_smoothed_curve_stays_within_its_values(values):
    assert all(min(values) - 1e-6 <= v <= max(values) + 1e-6 for v in smooth(values))
    assert smooth(values)[0] == pytest.approx(values[0], abs=1e-9)
