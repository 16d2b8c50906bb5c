"""Training in two processes, as ``accelerate launch`` starts them, against training in one."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from goldfish_cli.training.callbacks import read_log

_TINY = Path(__file__).parents[1] / "unit" / "training" / "conftest.py"
_spec = spec_from_file_location("tiny_training", _TINY)
assert _spec and _spec.loader
_tiny = module_from_spec(_spec)
_spec.loader.exec_module(_tiny)
tokenizer, config, base, data = _tiny.tokenizer, _tiny.config, _tiny.base, _tiny.data

# Its word for several processes on one machine; the profile says that they run on processors.
LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
LAUNCH += " --mixed_precision no --dynamo_backend no --main_process_port 0 -m"
CONFIGS = sorted((Path(__file__).parents[2] / "docs" / "accelerate").glob("*.yaml"))


@pytest.fixture
def train(repository, base, data, tmp_path):
    """Run ``goldfish train 3`` into a folder of that name, in one process or in two."""

    def run(name: str, *words: str, processes: int, **settings) -> "subprocess.CompletedProcess":
        fixed = {"max_steps": 6, "validation": 0, "log_steps": 1, "lora.dropout": 0}
        changes = [f"stage3.{key}={value}" for key, value in (fixed | settings).items()]
        launcher = LAUNCH.split() if processes == 2 else ["-m"]
        command = [sys.executable, *launcher, "goldfish_cli", "train", "3", "--profile", "tiny"]
        command += ["--data", str(data / "instructions.json"), "--videos", str(data / "videos")]
        command += ["--from", str(base), "--out", str(tmp_path / name), "--json", *words]
        command += [word for change in changes for word in ("--set", change)]
        return subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def trained(folder: Path) -> dict[str, torch.Tensor]:
    parts = (folder / "projector.safetensors", folder / "adapter" / "adapter_model.safetensors")
    return {name: tensor for part in parts for name, tensor in load_file(part).items()}


@pytest.mark.timeout(300)
def test_two_processes_learn_what_one_does(train, tmp_path):
    name = "stage3_video_instruct_final"
    store = ("--features", str(tmp_path / "store"))  # filled by two processes, then read by one
    two = train("two", *store, processes=2, batch_size=2, gradient_accumulation=2, save_steps=4)
    assert two.returncode == 0, two.stderr
    one = train("one", *store, processes=1, batch_size=2, gradient_accumulation=4)
    assert one.returncode == 0, one.stderr
    logs = [list(read_log(tmp_path / run / name / "train_log.jsonl")) for run in ("one", "two")]
    assert [line["step"] for line in logs[1]] == [1, 2, 3, 4, 5, 6]  # written by one of them
    assert two.stdout.count('"checkpoint"') == 1
    assert [line["tokens"] for line in logs[0]] == [line["tokens"] for line in logs[1]]
    losses = [[line["loss"] for line in log] for log in logs]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    first, second = (trained(tmp_path / run / name) for run in ("one", "two"))
    for key, tensor in first.items():
        torch.testing.assert_close(second[key], tensor, atol=1e-5, rtol=0)


@pytest.mark.timeout(300)
def test_an_error_in_several_processes_ends_them_all(train, tmp_path):
    """One is told of it by an exception, the other waits for it; neither waits for ever."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "stage3_video_instruct_final").write_text("a file where a folder goes")
    done = train("two", processes=2)
    assert done.returncode != 0
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_documented_configurations_load(path):
    """Accelerate itself reads and checks them, as its launcher does."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    words = ["--config_file", str(path), "-m", "goldfish_cli", "train", "3"]
    args, defaults, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert args.num_processes == defaults.num_processes > 1
    assert args.multi_gpu or args.use_fsdp
    assert args.training_script_args == ["train", "3"]
