"""benchmarks/train.py: both sides learn the same, and its tables and picture are made."""

from dataclasses import asdict
from importlib import import_module

import pytest


@pytest.fixture
def benchmark(repository, monkeypatch):
    """The script that measures training against a plain loop."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return import_module("train")


@pytest.mark.parametrize("number", range(6))
def test_both_sides_learn_the_same_in_every_row(benchmark, tmp_path, number):
    stage = benchmark.COMPARED[number]
    store = str(tmp_path / "features")
    task = benchmark.Task(asdict(stage), asdict(benchmark.SMALL), store, dtype="float32")
    assert benchmark.difference(task) < 1e-4
    assert len(benchmark.COMPARED) == 6


def test_a_side_that_learns_something_else_is_noticed(benchmark, tmp_path, monkeypatch):
    stage = asdict(benchmark.STAGES[3])
    task = benchmark.Task(stage, asdict(benchmark.SMALL), str(tmp_path / "f"), dtype="float32")
    pictures = benchmark.pictures
    seen = []

    def other(task, number):
        seen.append(number)  # the store is filled first, then the peer looks
        return pictures(task, number + (100 if len(seen) > 3 else 0))

    monkeypatch.setattr(benchmark, "pictures", other)
    assert benchmark.difference(task) > 1e-4


@pytest.mark.timeout(300)
def test_a_quick_run_fills_the_page_and_draws(benchmark, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "page.md", tmp_path / "pooling.png"
    page.write_text("before\n<!-- train begins -->\nold\n<!-- train ends -->\nafter\n")
    words = ["train.py", "--quick", "--write", str(page), "--picture", str(picture)]
    monkeypatch.setattr("sys.argv", words)
    assert benchmark.main() == 0
    text = page.read_text()
    assert "old" not in text and capsys.readouterr().out.strip() in text
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "| 4 | 256 | 1024 |" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
