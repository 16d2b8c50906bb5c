"""A training in a process of its own, stopped in the middle and continued."""

import json
import os
import signal
import subprocess
import sys
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

STEPS = 60


@pytest.fixture
def start(repository, base, data, tmp_path):
    """Start ``goldfish train 3`` into a folder of that name."""

    def run(name: str, *words: str) -> "subprocess.Popen[str]":
        changes = [f"max_steps={STEPS}", "batch_size=2", "validation=0", "log_steps=1"]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "goldfish_cli.cli", "train", "3", "--json"),
                *("--data", str(data / "instructions.json"), "--videos", str(data / "videos")),
                *("--from", str(base), "--out", str(tmp_path / name), "--profile", "tiny"),
                *("--features", str(tmp_path / "store"), "--set", "stage3.save_steps=10"),
                *(word for change in changes for word in ("--set", f"stage3.{change}")),
                *words,
            ],
            env=os.environ | {"PYTHONPATH": str(repository)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def stop_at(process: "subprocess.Popen[str]", step: int, kind: signal.Signals) -> tuple[int, str]:
    assert process.stdout and process.stderr
    for line in process.stdout:
        if json.loads(line).get("step") == step:
            process.send_signal(kind)
            break
    process.stdout.read()
    message = process.stderr.read()
    return process.wait(timeout=120), message


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("kind", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_a_run_that_is_stopped_continues_to_the_same_weights(start, tmp_path, kind, code):
    whole, errors = start("whole").communicate(timeout=500)
    assert "checkpoint" in json.loads(whole.splitlines()[-1]), errors
    found, message = stop_at(start("stopped"), 37, kind)
    assert found == code
    if code == 130:
        assert "--resume" in message
    rest, errors = start("stopped", "--resume").communicate(timeout=500)
    steps = [json.loads(line).get("step") for line in rest.splitlines()]
    assert steps[0] > (37 if code == 130 else 30), errors
    assert steps[-2] == STEPS
    first, second = (
        load_file(tmp_path / name / "stage3_video_instruct_final" / "projector.safetensors")
        for name in ("whole", "stopped")
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
