"""Loss curves: drawn from the log, the same each time."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import InputError, MissingPackageError, UsageError
from goldfish_cli.training.curves import draw_curves, read_curve, smooth


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train_log.jsonl"
    records = [{"step": step, "loss": 4.0 / step} for step in range(1, 30)]
    records += [{"step": step, "validation_loss": 5.0 / step} for step in (10, 20)]
    lines = [json.dumps(record) for record in records]
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
    assert pictures[0] == pictures[1]


def test_the_loss_on_held_back_samples_is_drawn_where_there_is_one(log, tmp_path):
    pytest.importorskip("matplotlib")
    without = tmp_path / "without.jsonl"
    lines = log.read_text().splitlines()
    without.write_text("\n".join(line for line in lines if "validation_loss" not in line))
    orange = []
    for path in (log, without):
        draw_curves({"a": path}, path.with_suffix(".svg"))
        orange.append("#c44e00" in path.with_suffix(".svg").read_text())
    assert orange == [True, False]


def test_a_picture_that_cannot_be_written_is_an_error(log, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match="nowhere"):
        draw_curves({"a": log}, tmp_path / "nowhere" / "curves.png")


def test_a_line_cut_off_by_a_kill_is_left_out(log):
    curve = read_curve(log)
    assert curve.steps[-1] == 29
    assert curve.losses[0] == 4.0
    assert curve.validation == ((10, 0.5), (20, 0.25))


def test_an_empty_log_and_a_wrong_format_are_errors(tmp_path, log):
    with pytest.raises(InputError, match="no losses"):
        read_curve(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match=r"curves\.bmp"):
        draw_curves({"a": log}, tmp_path / "curves.bmp")


def test_without_matplotlib_the_error_says_what_to_install(log, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="matplotlib") as caught:
        draw_curves({"a": log}, tmp_path / "curves.png")
    assert caught.value.hint == "pip install 'goldfish-video[plots]'"


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_a_smoothed_curve_stays_within_its_values(values):
    assert all(min(values) - 1e-6 <= v <= max(values) + 1e-6 for v in smooth(values))
    assert smooth(values)[0] == pytest.approx(values[0], abs=1e-9)
