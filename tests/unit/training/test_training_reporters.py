"""Where a training is reported to: names are checked first, and TensorBoard's file is read back."""

import sys

import pytest
from test_training_stages import make_run

from goldfish_cli.errors import MissingPackageError, UsageError
from goldfish_cli.training.reporters import parse_reporters
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.stages import run_stage


def test_names_are_repeated_or_separated_by_commas_and_count_once():
    pytest.importorskip("tensorboard")
    assert parse_reporters([]) == ()
    assert parse_reporters(["tensorboard, tensorboard", "tensorboard"]) == ("tensorboard",)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(UsageError, match="no 'tensorbord'") as caught:
        parse_reporters(["tensorbord"])
    assert "Did you mean tensorboard?" in caught.value.hint


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=f"needs {name}") as caught:
        parse_reporters([name])
    assert caught.value.hint == f"pip install 'goldfish-video[{name}]'"


def test_tensorboard_holds_what_the_log_holds(base, data, profile, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"validation": 0.4, "eval_steps": 3}
    folder = run_stage(
        make_run(3, base, tmp_path, data, profile, settings=settings, report_to=("tensorboard",))
    )
    (events,) = folder.glob("runs/*")
    accumulator = EventAccumulator(str(events)).Reload()
    lines = list(read_log(folder / "train_log.jsonl"))
    for tag, key in {
        "train/loss": "loss",
        "train/learning_rate": "lr",
        "eval/loss": "validation_loss",
    }.items():
        points = [(line["step"], pytest.approx(line[key])) for line in lines if key in line]
        assert [(point.step, point.value) for point in accumulator.Scalars(tag)] == points


def test_without_a_reporter_nothing_is_written_for_one(base, data, profile, tmp_path):
    folder = run_stage(make_run(3, base, tmp_path, data, profile))
    assert not (folder / "runs").exists()
