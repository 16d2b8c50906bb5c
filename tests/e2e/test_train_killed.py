"""A training killed over and over, at any moment, ends with the weights of one left alone."""

import os
import random
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

_TINY = Path(__file__).parents[1] / "unit" / "training" / "conftest.py"
_spec = spec_from_file_location("tiny_training", _TINY)
assert _spec and _spec.loader
_tiny = module_from_spec(_spec)
_spec.loader.exec_module(_tiny)
tokenizer, config, base, data = _tiny.tokenizer, _tiny.config, _tiny.base, _tiny.data

FILES = {1: "images.tar", 2: "captions.json", 3: "instructions.json"}
STEPS, SAVE_STEPS = 150, 4
SETTINGS = {
    "max_steps": STEPS,
    "save_steps": SAVE_STEPS,
    "batch_size": 2,
    "gradient_accumulation": 2,
    "validation": 0,
    "log_steps": 1,
    "lora.dropout": 0.3,
}


@pytest.fixture
def train(repository, base, data, tmp_path):
    """Start ``goldfish train``, stage 3 or all of them, into a folder of that name."""

    def start(name: str, *stages: int, **changes: object) -> "subprocess.Popen[str]":
        stage = "all" if stages else "3"
        command = [sys.executable, "-m", "goldfish_cli.cli", "train", stage, "--resume", "--quiet"]
        for number in stages or (3,):
            command += ["--data", str(data / FILES[number])]
            for key, value in (SETTINGS | changes).items():
                if number == 3 or not key.startswith("lora"):
                    command += ["--set", f"stage{number}.{key}={value}"]
        command += ["--videos", str(data / "videos"), "--features", str(tmp_path / "store")]
        command += ["--from", str(base), "--out", str(tmp_path / name), "--profile", "tiny"]
        return subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def steps_in(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0


def kill_at(process: "subprocess.Popen[str]", log: Path, step: int, delay: float) -> bool:
    """Kill -9 some milliseconds after a step is logged; say whether it came to that."""
    while steps_in(log) < step:
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    process.communicate(timeout=60)
    return True


def trained(folder: Path) -> dict[str, torch.Tensor]:
    parts = (folder / "projector.safetensors", folder / "adapter" / "adapter_model.safetensors")
    found = [load_file(part) for part in parts if part.exists()]
    return {name: tensor for tensors in found for name, tensor in tensors.items()}


def check_kills(train, tmp_path: Path, moments: int, seed: int) -> None:
    """Kill a run at so many random moments, resume it to its end and compare."""
    done = train("whole")
    _, errors = done.communicate(timeout=500)
    assert done.returncode == 0, errors
    chance = random.Random(seed)
    folder = tmp_path / "killed" / "stage3_video_instruct_final"
    log = folder / "train_log.jsonl"
    kills, furthest = 0, 0
    for _ in range(moments):
        # Beyond the last checkpoint, so that the next run has something to do again.
        step = min(furthest + chance.randint(1, 2 * STEPS // moments), STEPS - 1)
        kills += kill_at(train("killed"), log, step, chance.random() * 0.05)
        furthest = steps_in(log)
    assert kills == moments
    last = train("killed")
    _, errors = last.communicate(timeout=500)
    assert last.returncode == 0, errors
    first, second = trained(tmp_path / "whole" / folder.name), trained(folder)
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert steps_in(log) == steps_in(tmp_path / "whole" / folder.name / "train_log.jsonl") == STEPS
    assert not list(folder.glob("*checkpoint*")) and not list(folder.glob("*partial*"))


@pytest.mark.timeout(300)
def test_three_kills_change_no_bit(train, tmp_path):
    check_kills(train, tmp_path, moments=3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_change_no_bit(train, tmp_path):
    check_kills(train, tmp_path, moments=20, seed=2)


@pytest.mark.timeout(300)
def test_kills_where_one_stage_ends_and_the_next_begins_change_no_bit(train, tmp_path):
    """About when a stage's checkpoint is written but not marked as done, and just after."""
    short = {"max_steps": 8, "save_steps": 3}
    done = train("whole", *FILES, **short)
    _, errors = done.communicate(timeout=120)
    assert done.returncode == 0, errors
    out = tmp_path / "killed"
    moments = (
        out / "stage1_image_align" / "config.json",  # its checkpoint is there, the mark is not
        out / "stage1_image_align" / "run.json",
        out / "stage2_video_pretrain" / "run.json",
    )
    for moment in moments:
        process = train("killed", *FILES, **short)
        while not moment.exists():
            assert process.poll() is None, f"it ended before {moment.name}"
            time.sleep(0.0002)
        process.kill()
        process.communicate(timeout=60)
    last = train("killed", *FILES, **short)
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    folders = sorted(folder.name for folder in out.iterdir() if folder.is_dir())
    assert len(folders) == 3
    for name in folders:
        first, second = trained(tmp_path / "whole" / name), trained(out / name)
        assert first.keys() == second.keys()
        assert all(torch.equal(tensor, second[key]) for key, tensor in first.items()), name
        assert steps_in(out / name / "train_log.jsonl") == short["max_steps"]
        assert not list((out / name).glob("*checkpoint*"))
        assert not list((out / name).glob("*partial*"))
