"""Runs side by side, read from their folders alone."""

import json
import subprocess
import sys

import pytest
import yaml

from goldfish_cli.errors import InputError
from goldfish_cli.training.compare import differing_settings, find_runs, read_run
from goldfish_cli.training.curves import draw_together


def write_run(folder, *, factor=1.0, held=(), finished=True, **settings):
    """Write what a stage of three log steps leaves behind."""
    folder.mkdir(parents=True)
    lines = [
        {
            "stage": 2,
            "step": step,
            "loss": factor * 4.0 / step,
            "lr": 1e-3,
            "tokens": 100 * step,
            "seconds": 0.5 * step,
            "memory": 1.0 + step / 10,
        }
        for step in (1, 2, 4)
    ]
    lines += [{"kind": "validation", "stage": 2, "step": s, "validation_loss": v} for s, v in held]
    (folder / "train_log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    content = {"stage": 2, "seed": 0, "settings": {"lora": None, "epochs": 1} | settings}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    if finished:
        (folder / "run.json").write_text("{}")
    return folder


def test_a_run_is_summed_up(tmp_path):
    run = read_run(write_run(tmp_path / "a", held=[(2, 3.0), (3, 2.5), (4, 2.75)]))
    assert (run.stage, run.steps, run.finished) == (2, 4, True)
    assert (run.first_loss, run.last_loss) == (4.0, 1.0)
    assert run.last_loss < run.smoothed_loss < run.first_loss
    assert (run.best_validation_step, run.best_validation_loss) == (3, 2.5)
    assert (run.tokens, run.tokens_per_second, run.seconds) == (400, 200.0, 2.0)
    assert run.memory == 1.4
    assert run.settings == {
        "stage": 2,
        "seed": 0,
        "settings.lora": None,
        "settings.epochs": 1,
    }


def test_only_settings_that_differ_are_named_whatever_their_depth(tmp_path):
    first = read_run(write_run(tmp_path / "a"))
    second = read_run(write_run(tmp_path / "b", lora={"r": 8, "targets": ["q_proj"]}))
    assert differing_settings([first, first]) == []
    assert differing_settings([first, second]) == ["settings.lora.r", "settings.lora.targets"]


def test_a_folder_of_stages_stands_for_all_of_them_and_none_is_shown_twice(tmp_path):
    stages = [write_run(tmp_path / "out" / name) for name in ("stage1", "stage2")]
    (tmp_path / "out" / "other").mkdir()
    assert find_runs([stages[1], tmp_path / "out"]) == [stages[1], stages[0]]
    assert not read_run(write_run(tmp_path / "running", finished=False)).finished


def test_a_folder_without_training_and_settings_that_are_no_yaml_are_errors(tmp_path):
    with pytest.raises(InputError, match="holds no training"):
        find_runs([tmp_path])
    folder = write_run(tmp_path / "a")
    (folder / "recipe.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"recipe\.yaml cannot be read"):
        read_run(folder)


def test_all_curves_are_drawn_in_one_panel_and_the_same_each_time(tmp_path):
    pytest.importorskip("matplotlib")
    runs = {
        "slow": write_run(tmp_path / "a", held=[(4, 2.0)]),
        "fast": write_run(tmp_path / "b", factor=0.5),
    }
    pictures = []
    for name in ("one.svg", "two.svg"):
        draw_together(runs, tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    assert pictures[0].count(b'id="axes_') == 1
    assert [pictures[0].count(name) for name in (b"<!-- slow -->", b"<!-- fast -->")] == [1, 1]


def test_looking_at_runs_loads_no_torch(repository):
    code = (
        "import sys, goldfish_cli.training.compare, goldfish_cli.training.curves; "
        "print({'torch', 'transformers', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
