"""Training in two processes, as ``accelerate launch`` starts them, against training in one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import psutil
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

STAGE = "stage3_video_instruct_final"
# Its word for several processes on one machine; the profile says that they run on processors.
LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
LAUNCH += " --mixed_precision no --dynamo_backend no --main_process_port 0 -m"
CONFIGS = sorted((Path(__file__).parents[2] / "docs" / "accelerate").glob("*.yaml"))


@pytest.fixture
def start(repository, base, data, tmp_path):
    """Start ``goldfish train 3`` into a folder of that name, in one process or in two."""

    def run(
        name: str, *words: str, processes: int, videos: Path | None = None, **settings
    ) -> "subprocess.Popen[str]":
        fixed = {"max_steps": 6, "validation": 0, "log_steps": 1, "lora.dropout": 0}
        changes = [f"stage3.{key}={value}" for key, value in (fixed | settings).items()]
        launcher = LAUNCH.split() if processes == 2 else ["-m"]
        command = [sys.executable, *launcher, "goldfish_cli", "train", "3", "--profile", "tiny"]
        command += ["--data", str(data / "instructions.json")]
        command += ["--videos", str(videos or data / "videos")]
        command += ["--from", str(base), "--out", str(tmp_path / name), "--json", *words]
        command += [word for change in changes for word in ("--set", change)]
        return subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def train(start):
    """Train to the end; return the exit code and what stdout and stderr hold."""

    def run(name: str, *words: str, **options) -> tuple[int, str, str]:
        process = start(name, *words, **options)
        out, errors = process.communicate(timeout=120)
        return process.returncode, out, errors

    return run


def until_step(process: "subprocess.Popen[str]", step: int) -> None:
    assert process.stdout
    for line in process.stdout:
        if json.loads(line).get("step") == step:
            return
    raise AssertionError(process.stderr.read() if process.stderr else "it ended early")


def trained(folder: Path) -> dict[str, torch.Tensor]:
    parts = (folder / "projector.safetensors", folder / "adapter" / "adapter_model.safetensors")
    return {name: tensor for part in parts for name, tensor in load_file(part).items()}


def log_of(folder: Path) -> list[dict]:
    return list(read_log(folder / STAGE / "train_log.jsonl"))


@pytest.mark.timeout(300)
def test_two_processes_learn_what_one_does(train, tmp_path):
    store = ("--features", str(tmp_path / "store"))  # filled by two processes, then read by one
    settings = {"validation": 0.3, "sample_answers": 2, "gradient_accumulation": 2}
    code, out, errors = train("two", *store, processes=2, batch_size=2, **settings)
    assert code == 0, errors
    code, _, errors = train("one", *store, processes=1, batch_size=4, **settings)
    assert code == 0, errors
    assert out.count('"checkpoint"') == 1
    media = (tmp_path / "store" / "hashes.jsonl").read_text().splitlines()
    assert len(media) == len(set(media)) == 6  # hashed once, by one of them
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    assert [line["step"] for line in two if "loss" in line] == [1, 2, 3, 4, 5, 6]
    for key, tolerance in (("tokens", 0), ("loss", 1e-5), ("validation_loss", 1e-5)):
        first, second = ([line[key] for line in log if key in line] for log in (one, two))
        assert first
        assert second == pytest.approx(first, abs=tolerance), key
    assert [line["answers"] for line in two if "answers" in line]
    first, second = (trained(tmp_path / run / STAGE) for run in ("one", "two"))
    for key, tensor in first.items():
        torch.testing.assert_close(second[key], tensor, atol=1e-5, rtol=0)


@pytest.mark.timeout(300)
def test_rejected_samples_of_both_are_told_and_counted_by_one(train, data, tmp_path):
    videos = Path(shutil.copytree(data / "videos", tmp_path / "videos"))
    (videos / "red-blue.mp4").write_bytes(b"no video")
    settings = {"videos": videos, "batch_size": 2}
    counts, told = {}, {}
    for name, processes, accumulation in (("one", 1, 2), ("two", 2, 1)):
        options = settings | {"processes": processes, "gradient_accumulation": accumulation}
        code, _, errors = train(name, **options)
        assert code == 0, errors
        summary = json.loads((tmp_path / name / STAGE / "run.json").read_text())
        counts[name], told[name] = summary["rejected"], errors.count("left out red-blue")
    assert counts["two"] == counts["one"] == told["one"] == told["two"] > 1
    code, _, errors = train("few", processes=2, **settings, max_bad_samples=counts["one"] - 1)
    assert code != 0
    assert f"{counts['one']} samples could not be used" in errors


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_resume_after_a_kill_and_after_ctrl_c(start, train, tmp_path):
    """One of them killed: the other does not wait for it. Ctrl-C: both save at the same step."""
    settings = {"processes": 2, "batch_size": 2, "gradient_accumulation": 2, "max_steps": 60}
    settings |= {"save_steps": 10, "lora.dropout": 0.3}
    store = ("--features", str(tmp_path / "store"))
    code, _, errors = train("whole", *store, **settings)
    assert code == 0, errors
    killed = start("stopped", *store, **settings)
    until_step(killed, 13)
    psutil.Process(killed.pid).children()[1].kill()
    _, errors = killed.communicate(timeout=60)
    assert killed.returncode != 0, errors
    folder = tmp_path / "stopped" / STAGE
    assert (folder / "checkpoint-10").is_dir()
    code, _, errors = train("stopped", *store, "--resume", **settings | {"processes": 1})
    assert code == 2
    assert "processes was 2, is 1" in errors
    interrupted = start("stopped", *store, "--resume", **settings)
    until_step(interrupted, 33)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode != 0
    assert "a checkpoint is saved" in errors
    last = log_of(tmp_path / "stopped")[-1]["step"]
    assert (folder / f"checkpoint-{last}").is_dir()
    code, _, errors = train("stopped", *store, "--resume", **settings)
    assert code == 0, errors
    first, second = trained(tmp_path / "whole" / STAGE), trained(folder)
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert [line["step"] for line in log_of(tmp_path / "stopped")] == list(range(1, 61))


@pytest.mark.timeout(300)
def test_an_error_in_several_processes_ends_them_all(train, tmp_path):
    """One is told of it by an exception, the other waits for it; neither waits for ever."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / STAGE).write_text("a file where a folder goes")
    code, _, errors = train("two", processes=2)
    assert code != 0
    assert "cannot be written" in errors


def launch_arguments(path: Path):
    """Let accelerate read and check a configuration, as its launcher does."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    words = ["--config_file", str(path), "-m", "goldfish_cli", "train", "3"]
    return _validate_launch_command(launch_command_parser().parse_args(words))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_documented_configurations_load(path):
    from accelerate.commands.config.config_args import load_config_from_file

    args, defaults, _ = launch_arguments(path)
    loaded = load_config_from_file(str(path))
    assert loaded.to_dict() == defaults.to_dict()
    assert args.num_processes == loaded.num_processes > 1
    assert args.num_machines == (2 if path.stem == "two-nodes" else 1)
    assert (args.use_fsdp, args.multi_gpu) == (path.stem == "fsdp", path.stem != "fsdp")
    assert args.training_script_args == ["train", "3"]


def test_the_plugin_of_the_fsdp_configuration_finds_the_layers_to_shard(
    base, monkeypatch, tmp_path
):
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.launch import prepare_multi_gpu_env

    from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration

    (path,) = [path for path in CONFIGS if path.stem == "fsdp"]
    args, _, _ = launch_arguments(path)
    for name, value in prepare_multi_gpu_env(args).items():
        if "FSDP" in name:
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    model = GoldfishForConditionalGeneration.from_pretrained(base)
    plugin.set_auto_wrap_policy(model)
    (layers,) = plugin.auto_wrap_policy.keywords.values()
    assert {layer.__name__ for layer in layers} == {"LlamaDecoderLayer"}
    assert not plugin.activation_checkpointing


@pytest.mark.timeout(300)
def test_fsdp_is_refused_before_anything_is_written(train, tmp_path, monkeypatch):
    """As its launcher tells the processes; else the first checkpoint would end the run."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    code, _, errors = train("one", processes=1)
    assert code == 2
    assert "FSDP" in errors
    assert not (tmp_path / "one").exists()
