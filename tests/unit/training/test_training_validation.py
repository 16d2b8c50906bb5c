"""What held back samples tell while a stage trains."""

from dataclasses import asdict

import pytest
from test_training_stages import make_run

from goldfish_cli.training.callbacks import read_log
from goldfish_cli.training.stages import Watcher, run_stage

SETTINGS = {"validation": 0.4, "save_steps": 2}


def test_held_back_clips_are_measured_at_each_checkpoint_and_at_the_end(
    base, data, profile, tmp_path
):
    told = []
    run = make_run(3, base, tmp_path, data, profile, settings=SETTINGS)
    folder = run_stage(run, Watcher(validation=told.append))
    lines = [line for line in read_log(folder / "train_log.jsonl") if "validation_loss" in line]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert [asdict(record) for record in told] == lines
    assert {(line["kind"], line["stage"]) for line in lines} == {("validation", 3)}
    assert lines[-1]["validation_loss"] == pytest.approx(lines[0]["validation_loss"], rel=0.2)
