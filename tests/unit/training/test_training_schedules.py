"""Learning rates over the steps: the published ones exactly, and those that the log shows."""

import json
from pathlib import Path

import pytest

from goldfish_cli.training.recipes import StageRecipe, load_recipe
from goldfish_cli.training.schedules import learning_rate

FIXTURE = Path(__file__).parents[4] / "shared" / "fixtures" / "lr_schedules.json"


def recipe(schedule, **changes) -> StageRecipe:
    values = {"learning_rate": 1.0, "min_learning_rate": 0.2, "warmup_steps": 10, "max_steps": 110}
    return StageRecipe(**values | {"schedule": schedule} | changes)


@pytest.mark.skipif(not FIXTURE.exists(), reason="needs the reference's fixtures")
@pytest.mark.parametrize("stage", ["stage1", "stage2_llama2_and_stage3_llama2"])
def test_the_reference_recipe_has_the_rates_that_the_reference_had(stage):
    stored = json.loads(FIXTURE.read_text())[stage]
    config = stored["config"]
    iterations = config["iters_per_epoch"]
    total = config["max_epoch"] * iterations
    ours = load_recipe("reference").stage(1 if stage == "stage1" else 3)
    assert ours.max_steps == total
    for epoch, step, rate in stored["points_epoch_step_lr"]:
        found = learning_rate(ours, epoch * iterations + step, total)
        assert found == pytest.approx(rate, rel=1e-12)


def test_the_reference_schedule_at_points_worked_out_by_hand():
    ours = load_recipe("reference").stage1
    assert learning_rate(ours, 0, 20_000) == pytest.approx(1e-6)
    assert learning_rate(ours, 2_500, 20_000) == pytest.approx(5.05e-5)
    assert learning_rate(ours, 5_000, 20_000) == pytest.approx(8e-5 + 1e-5 * (1 + 0.5**0.5))
    assert learning_rate(ours, 10_000, 20_000) == pytest.approx(9e-5)
    assert learning_rate(ours, 20_000, 20_000) == pytest.approx(8e-5)


@pytest.mark.parametrize(
    ("schedule", "middle", "end"),
    [("cosine", 0.6, 0.2), ("linear", 0.6, 0.2), ("constant", 1.0, 1.0)],
)
def test_a_schedule_rises_to_the_highest_and_falls_to_its_end(schedule, middle, end):
    ours = recipe(schedule, warmup_learning_rate=0.1)
    assert learning_rate(ours, 0, 110) == pytest.approx(0.1)
    assert learning_rate(ours, 5, 110) == pytest.approx(0.55)
    assert learning_rate(ours, 10, 110) == pytest.approx(1.0)
    assert learning_rate(ours, 60, 110) == pytest.approx(middle)
    assert learning_rate(ours, 110, 110) == pytest.approx(end)
    assert learning_rate(ours, 500, 110) == pytest.approx(end)


def test_a_run_shorter_than_its_warm_up_only_rises():
    ours = recipe("cosine", warmup_steps=100)
    assert [learning_rate(ours, step, 4) for step in range(4)] == [0.0, 0.01, 0.02, 0.03]
