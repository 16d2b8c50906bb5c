"""``goldfish train``: its output, its exit codes, and what it says before it starts."""

import json
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_TINY = Path(__file__).parents[1] / "unit" / "training" / "conftest.py"
_spec = spec_from_file_location("tiny_training", _TINY)
assert _spec and _spec.loader
_tiny = module_from_spec(_spec)
_spec.loader.exec_module(_tiny)
tokenizer, config, base, data = _tiny.tokenizer, _tiny.config, _tiny.base, _tiny.data

SHORT = [
    word
    for stage in (1, 2, 3)
    for change in ("max_steps=2", "batch_size=2", "validation=0", "warmup_steps=1", "log_steps=1")
    for word in ("--set", f"stage{stage}.{change}")
]


@pytest.fixture
def train(goldfish, base, data, tmp_path):
    """Run ``goldfish train`` on the tiny data, into a folder of the test's own."""

    def run(stage, *words, files=("images.tar", "captions.json", "instructions.json"), start=base):
        sources = [word for name in files for word in ("--data", data / name)]
        origin = ["--from", start] if start else []
        return goldfish(
            *("train", stage, *sources, "--videos", data / "videos", *origin),
            *("--out", tmp_path / "runs", "--profile", "tiny", *SHORT, *words),
        )

    return run


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_all_stages_run_in_order_and_are_not_run_again(train, tmp_path):
    result = train("all", "--json", "--features", tmp_path / "store")
    assert result.exit_code == 0, result.stderr
    found = lines(result)
    steps = [(line["stage"], line["step"]) for line in found if "step" in line]
    assert steps == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]
    assert list(found[0]) == ["stage", "step", "loss", "lr", "tokens", "seconds", "memory"]
    folders = [Path(line["checkpoint"]).name for line in found if "checkpoint" in line]
    assert folders == ["stage1_image_align", "stage2_video_pretrain", "stage3_video_instruct_final"]
    assert "checkpoint" in found[-1]
    again = train("all", "--json", "--features", tmp_path / "store")
    assert [list(line) for line in lines(again)] == [["stage", "checkpoint"]] * 3


def test_the_bundled_model_can_be_named_to_start_from(train):
    result = train("1", "--dry-run", "--json", files=["images.tar"], start="minnow")
    assert result.exit_code == 0, result.stderr
    assert lines(result)[0]["parameters"] > 1_000_000


def test_a_pipe_gets_the_checkpoint_alone_and_the_log_goes_to_stderr(train, tmp_path):
    result = train("1", files=["images.tar"])
    assert result.stdout == f"{tmp_path / 'runs' / 'stage1_image_align'}\n"
    first, last, curves = result.stderr.splitlines()
    assert first.startswith("stage 1  step 1/2  loss ")
    assert last.startswith("stage 1  step 2/2  loss ")
    assert "  smoothed " in first and " left" not in first  # one step has no pace yet
    assert last.endswith("  0:00:00 left")
    assert curves.startswith("note: ")
    shutil.rmtree(tmp_path / "runs")
    assert train("1", "--quiet", files=["images.tar"]).stderr == ""


def test_a_dry_run_needs_no_weights_and_writes_nothing(train, base, tmp_path):
    copy = tmp_path / "base"
    shutil.copytree(base, copy)
    for weights in copy.glob("*.safetensors"):
        weights.unlink()
    result = train("all", "--dry-run", "--json", start=copy)
    assert result.exit_code == 0, result.stderr
    plans = lines(result)
    assert [plan["stage"] for plan in plans] == [1, 2, 3]
    assert [plan["samples"] for plan in plans] == [4, 6, 12]
    assert [plan["steps"] for plan in plans] == [2, 2, 2]
    projector = 16 * 4 * 32 + 32
    adapters = 64 * 2 * 2 * (32 + 32)  # rank, layers, q and v, in and out
    assert [plan["trainable"] for plan in plans] == [projector, projector, projector + adapters]
    assert plans[0]["total"] == pytest.approx(sum(plans[0]["memory"].values()), abs=0.01)
    assert not (tmp_path / "runs").exists()


def test_work_that_does_not_fit_ends_before_it_begins(train, tmp_path):
    profile = tmp_path / "small.yaml"
    profile.write_text("device: cpu\nmemory_gib: 0.01\n")
    for words in (["--dry-run"], []):
        result = train("1", *words, "--profile", profile, files=["images.tar"])
        assert result.exit_code == 4
        assert "do not fit the 0.0 GiB of profile small" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_the_options_of_a_refusal_make_the_same_command_fit(train, tmp_path):
    profile = tmp_path / "small.yaml"
    profile.write_text("device: cpu\nmemory_gib: 1.2\n")
    words = ["--set", "stage3.batch_size=64", "--set", "stage3.num_frames=16"]
    words += ["--profile", profile, "--dry-run"]
    refused = train("3", *words, files=["instructions.json"])
    assert refused.exit_code == 4
    advice = refused.stderr.partition("It would fit with ")[2].split()
    assert advice == [
        *("--set", "stage3.batch_size=32"),
        *("--set", "stage3.gradient_accumulation=2"),
    ]
    assert train("3", *words, *advice, files=["instructions.json"]).exit_code == 0


@pytest.mark.parametrize(("more", "code"), [(0.001, 0), (-0.001, 4)])
def test_what_is_shown_as_fitting_is_not_refused(train, tmp_path, more, code):
    profile = tmp_path / "small.yaml"
    profile.write_text("device: cpu\n")
    words = ["--set", "stage1.batch_size=64", "--dry-run", "--json", "--profile", profile]
    (plan,) = lines(train("1", *words, files=["images.tar"]))
    profile.write_text(f"device: cpu\nmemory_gib: {plan['total'] + more}\n")
    result = train("1", *words, files=["images.tar"])
    assert result.exit_code == code, result.stderr
    assert lines(result)[0]["fits"] is (code == 0)


def test_a_plan_says_what_disk_and_main_memory_are_needed(train, tmp_path):
    (plan,) = lines(train("3", "--dry-run", "--json", files=["instructions.json"]))
    assert plan["host"]["total"] >= plan["total"]  # on a processor both are one
    assert plan["host"]["total"] == pytest.approx(sum(plan["host"]["memory"].values()), abs=0.01)
    assert plan["host"]["fits"] is True
    assert plan["disk"]["free"] > 0
    assert "free_for_features" not in plan["disk"]
    assert plan["time"] is None
    words = ["--set", "stage3.save_steps=1", "--set", "stage3.keep_checkpoints=90000000"]
    assert train("3", *words, files=["instructions.json"]).exit_code == 4
    assert not (tmp_path / "runs").exists()
    refused = train("3", "--dry-run", *words, files=["instructions.json"])
    assert refused.exit_code == 4
    assert "of checkpoints do not fit the" in refused.stderr
    assert "main memory: budget" in refused.stdout
    assert "--calibrate" in refused.stdout
    words = ["--dry-run", "--json", "--features", tmp_path / "store", "--set", "stage3.workers=2"]
    (plan,) = lines(train("3", *words, files=["instructions.json"]))
    assert plan["disk"]["free_for_features"] > 0
    assert plan["host"]["memory"]["data workers"] == pytest.approx(1.0, abs=0.01)


def test_main_memory_that_is_too_small_ends_the_work_before_it_begins(train, tmp_path):
    words = ["--set", "stage1.workers=100000"]
    for more in (["--dry-run"], []):
        refused = train("1", *words, *more, files=["images.tar"])
        assert refused.exit_code == 4
        assert "of main memory" in refused.stderr
        assert "--set stage1.workers=0" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_calibrating_times_real_steps_and_keeps_nothing(train, tmp_path):
    words = ["--dry-run", "--calibrate", "--json", "--features", tmp_path / "store"]
    plans = lines(train("all", *words, "--set", "stage3.max_steps=5000"))
    assert [plan["stage"] for plan in plans] == [1, 2, 3]
    for plan in plans:
        time = plan["time"]
        assert time["seconds_per_step"] > 0
        assert time["seconds_per_clip"] > 0
    seconds = plans[2]["time"]["hours"] * 3600
    assert seconds == pytest.approx(5000 * plans[2]["time"]["seconds_per_step"], rel=0.1)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("stage", "words", "code", "message"),
    [
        ("1", ["--recipe", "defualt"], 4, "Did you mean default?"),
        ("1", ["--set", "stage1.lerning_rate=1"], 2, "did you mean learning_rate"),
        ("1", ["--set", "stage1.batch_size"], 2, "KEY=VALUE"),
        ("1", ["--data", "none.json"], 3, "none.json"),
        ("1", ["--data", "a.json:0"], 2, "above 0"),
        ("1", ["--videos", "nowhere"], 3, "nowhere"),
        ("4", [], 2, "4"),
    ],
)
def test_a_mistake_is_named_and_has_its_exit_code(train, stage, words, code, message):
    files = ["captions.json"] if "--videos" in words else ["images.tar"]
    result = train(stage, *words, files=files)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_start_that_is_no_model_is_named(train, tmp_path):
    result = train("1", files=["images.tar"], start=tmp_path / "nothing")
    assert result.exit_code == 5
    assert "nothing" in result.stderr


def test_stages_without_data_or_start_are_refused(train):
    result = train("all", files=["images.tar"])
    assert result.exit_code == 2
    assert "no data for stage 2" in result.stderr
    result = train("2", files=["captions.json"], start=None)
    assert result.exit_code == 2
    assert "goldfish train 1" in result.stderr


def test_a_finished_stage_is_not_overwritten(train):
    assert train("1", files=["images.tar"]).exit_code == 0
    result = train("1", files=["images.tar"])
    assert result.exit_code == 2
    assert "finished" in result.stderr
    assert train("1", "--resume", files=["images.tar"]).exit_code == 0


def test_finished_stages_are_drawn_in_one_picture_and_held_back_losses_are_told(train, tmp_path):
    pytest.importorskip("matplotlib")
    words = ["--set", "stage3.validation=0.3", "--set", "stage3.save_steps=1"]
    assert train("1", "--json", files=["images.tar"]).exit_code == 0
    first = (tmp_path / "runs" / "curves.svg").read_bytes()
    result = train("3", *words, files=["instructions.json"])
    assert "stage 3  step 1/2  held back " in result.stderr
    assert "stage 3  step 2/2  held back " in result.stderr
    assert "stage 3  step 2/2  asked: What comes first?  answer: " in result.stderr
    assert all(line.isprintable() for line in result.stderr.splitlines())
    assert str(tmp_path / "runs" / "curves.png") in result.stderr
    assert (tmp_path / "runs" / "curves.png").stat().st_size > 10_000
    second = (tmp_path / "runs" / "curves.svg").read_bytes()
    panels = [picture.count(b'id="axes_') for picture in (first, second)]
    assert panels == [1, 2]


def test_without_matplotlib_training_ends_well_and_says_what_to_install(
    train, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = train("1", files=["images.tar"])
    assert result.exit_code == 0
    assert "pip install 'goldfish-video[plots]'" in result.stderr
    assert not list((tmp_path / "runs").glob("curves*"))


def test_runs_are_laid_side_by_side(train, goldfish, tmp_path):
    out, runs = tmp_path / "runs", []
    for name, rate in (("a", 0.001), ("b", 0.5)):
        words = ["--set", f"stage1.learning_rate={rate}", "--set", "stage1.warmup_steps=0"]
        assert train("1", "--quiet", *words, files=["images.tar"]).exit_code == 0
        runs.append((out / "stage1_image_align").rename(tmp_path / name))
    result = goldfish("train", "compare", *runs, "--json")
    found = lines(result)
    assert [line["run"] for line in found] == [str(run) for run in runs]
    assert [line["settings"] for line in found] == [
        {"settings.learning_rate": 0.001},
        {"settings.learning_rate": 0.5},
    ]
    assert found[0]["first_loss"] == found[1]["first_loss"]
    assert found[0]["last_loss"] != found[1]["last_loss"]
    picture = tmp_path / "both.png"
    result = goldfish("train", "compare", *runs, "--picture", picture)
    assert "\nlearning_rate        0.001" in result.stdout
    assert f"{found[1]['last_loss']:.4f}" in result.stdout
    assert "recipe" not in result.stdout  # the same in both
    assert picture.is_file() and str(picture) in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["comapre", "a"], 2, "Did you mean: goldfish train compare"),
        (["al", "--data", "a", "--out", "b"], 2, "Did you mean: goldfish train all"),
        (["compare"], 2, "See: goldfish train compare --help"),
        (["compare", "."], 3, "holds no training"),
        (["1", "2", "--data", "a", "--out", "b"], 2, "unexpected extra argument"),
        (["--data", "none.json", "1", "--out", "b"], 2, "base model"),
        ([], 2, "See: goldfish train --help"),
    ],
)
def test_stages_and_commands_of_train_are_told_apart(goldfish, tmp_path, words, code, message):
    result = goldfish("train", *words)
    assert result.exit_code == code
    assert message in result.stderr


def test_a_reporter_that_is_not_installed_ends_the_command_before_anything_is_loaded(
    train, monkeypatch
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    result = train("1", "--report-to", "tensorboard,wandb", files=["images.tar"])
    assert result.exit_code == 2
    assert "--report-to wandb needs wandb" in result.stderr
    assert "pip install 'goldfish-video[wandb]'" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio"])
def test_each_stage_is_a_run_of_its_own_and_stdout_holds_results_alone(
    goldfish_process, base, data, tmp_path, name
):
    pytest.importorskip(name)
    files = ("images.tar", "captions.json", "instructions.json")
    home = tmp_path / "home"
    places = {"WANDB_DIR": home, "HF_HOME": home, "TRACKIO_DIR": home / "trackio"}
    home.mkdir()
    result = goldfish_process(
        *("train", "all", *(word for file in files for word in ("--data", data / file))),
        *("--videos", data / "videos", "--from", base, "--out", tmp_path / "runs"),
        *("--profile", "tiny", "--offline", "--json", "--report-to", name, *SHORT),
        environment={variable: str(place) for variable, place in places.items()},
    )
    assert result.returncode == 0, result.stderr
    assert [line["stage"] for line in lines(result)] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert count_runs(name, tmp_path) == 3


def count_runs(name, folder):
    if name == "tensorboard":
        return len(list(folder.glob("runs/*/runs/*/events*")))
    if name == "wandb":
        return len(list(folder.glob("home/wandb/offline-run-*")))
    import sqlite3

    with sqlite3.connect(folder / "home" / "trackio" / "goldfish.db") as database:
        return database.execute("SELECT count(DISTINCT run_name) FROM metrics").fetchone()[0]
