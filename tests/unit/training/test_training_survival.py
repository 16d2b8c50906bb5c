"""What a run survives, and what it says when it cannot: damage, lack of memory, broken numbers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import losses, make_run, mixed_lengths, stop_after

from goldfish_cli.data.features import FeatureStore, read_header
from goldfish_cli.errors import (
    CheckpointError,
    InputError,
    InterruptedRunError,
    ModelError,
    OutOfMemoryError,
)
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.training.passes import pieces
from goldfish_cli.training.resume_points import HASHES, find_fault, last_whole, seal
from goldfish_cli.training.run_files import LOG_NAME, read_log
from goldfish_cli.training.stages import Watcher, run_stage

SETTINGS = {"lora.dropout": 0, "batch_size": 4, "gradient_accumulation": 2, "max_steps": 5}


def adapters_and_projector(folder: Path) -> dict[str, torch.Tensor]:
    parts = (folder / "projector.safetensors", folder / "adapter" / "adapter_model.safetensors")
    return {name: tensor for part in parts for name, tensor in load_file(part).items()}


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    folder = tmp_path / "checkpoint-3"
    (folder / "inner").mkdir(parents=True)
    (folder / "weights").write_bytes(b"1234")
    (folder / "inner" / "state").write_bytes(b"5678")
    seal(folder)
    return folder


def test_a_sealed_checkpoint_is_whole(checkpoint):
    assert find_fault(checkpoint) is None
    assert json.loads((checkpoint / HASHES).read_text()).keys() == {"weights", "inner/state"}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "weights").write_bytes(b"1235"), "weights has changed"),
        (lambda folder: (folder / "inner" / "state").unlink(), "state is missing"),
        (lambda folder: (folder / HASHES).unlink(), "sha256.json is missing"),
        (lambda folder: (folder / HASHES).write_text("{"), "Expecting property name"),
        (lambda folder: (folder / HASHES).write_text("[1]"), "items"),
    ],
)
def test_damage_of_any_kind_is_found(checkpoint, damage, words):
    damage(checkpoint)
    assert words in (find_fault(checkpoint) or "")
    with pytest.raises(CheckpointError, match=r"No checkpoint in .* is whole"):
        last_whole(checkpoint.parent, print)
    assert checkpoint.exists()


def test_a_run_resumes_from_the_checkpoint_before_a_damaged_one(base, data, profile, tmp_path):
    options = {"seed": 3, "settings": {"save_steps": 1, "keep_checkpoints": 3}}
    whole = run_stage(make_run(3, base, tmp_path / "whole", data, profile, **options))
    stopped = make_run(3, base, tmp_path / "stopped", data, profile, **options)
    with pytest.raises(InterruptedRunError):
        run_stage(stopped, stop_after(4))
    weights = stopped.folder.path / "checkpoint-4" / "trainable.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    notes: list[str] = []
    resumed = run_stage(
        make_run(3, base, tmp_path / "stopped", data, profile, resume=True, **options),
        Watcher(note=notes.append),
    )
    assert [note for note in notes if "checkpoint-4 is damaged (trainable.safetensors" in note]
    assert losses(resumed) == losses(whole)
    first, second = adapters_and_projector(whole), adapters_and_projector(resumed)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not list(resumed.glob("*checkpoint-*"))


def test_a_resumed_run_logs_what_one_in_one_go_logs(base, data, profile, tmp_path):
    options = {"seed": 3, "settings": {"log_steps": 4, "save_steps": 3}}
    whole = run_stage(make_run(3, base, tmp_path / "whole", data, profile, **options))
    with pytest.raises(InterruptedRunError):
        run_stage(make_run(3, base, tmp_path / "stopped", data, profile, **options), stop_after(3))
    resumed = run_stage(
        make_run(3, base, tmp_path / "stopped", data, profile, resume=True, **options)
    )
    wanted, found = (
        [(line["step"], line["loss"], line["tokens"]) for line in read_log(folder / LOG_NAME)]
        for folder in (whole, resumed)
    )
    assert found == wanted
    assert [step for step, _, _ in wanted] == [1, 3, 4, 6]


def test_all_that_is_left_out_counts_towards_one_limit(base, data, profile, tmp_path):
    items = json.loads((data / "captions.json").read_text())[:4]
    videos = shutil.copytree(data / "videos", tmp_path / "videos")
    cut = videos / f"{items[0]['image_id']}.mp4"
    cut.write_bytes(cut.read_bytes()[:100])
    (videos / f"{items[1]['image_id']}.mp4").unlink()
    (tmp_path / "captions.json").write_text(json.dumps(items))

    def run(limit: int) -> Path:
        made = make_run(
            2,
            base,
            tmp_path / f"limit-{limit}",
            tmp_path,
            profile,
            files=["captions.json"],
            features=tmp_path / "features",
            settings={"max_bad_samples": limit, "max_steps": 1},
        )
        return run_stage(made)

    with pytest.raises(InputError, match="2 samples cannot be used"):
        run(1)
    assert run(2).is_dir()


def test_a_loss_that_is_no_number_names_its_samples(base, data, profile, tmp_path):
    """The stored features of one clip are infinite."""
    kept = tmp_path / "kept"
    run_stage(make_run(2, base, tmp_path / "first", data, profile, features=kept))
    whole, spoilt = FeatureStore(kept), FeatureStore(tmp_path / "spoilt")
    keys = [key for path in kept.glob("*.safetensors") for key in read_header(path)["records"]]
    for number, key in enumerate(sorted(keys)):
        features = whole.features(key)
        spoilt.add(key, features if number else features * float("inf"), whole.record(key))
    spoilt.flush()
    names = {item["image_id"] for item in json.loads((data / "captions.json").read_text())}
    found = {}
    for accumulation in (1, 2):
        settings = {"batch_size": 2, "gradient_accumulation": accumulation}
        out = tmp_path / str(accumulation)
        run = make_run(2, base, out, data, profile, settings=settings, features=spoilt.folder)
        with pytest.raises(ModelError, match=r"The loss is nan at step \d") as caught:
            run_stage(run)
        found[accumulation] = set(str(caught.value).rpartition("on: ")[2].rstrip(".").split(", "))
        assert len(found[accumulation]) == 2  # those of one pass, not of the whole step
        assert "learning rate" in caught.value.hint
    assert found[1] & found[2] <= names


def test_a_learning_rate_that_is_too_high_ends_the_run(base, data, profile, tmp_path):
    settings = {"learning_rate": 1e30, "max_grad_norm": 0, "warmup_steps": 0}
    with pytest.raises(ModelError, match=r"The (loss|gradient norm) is (nan|inf) at step \d"):
        run_stage(make_run(1, base, tmp_path, data, profile, settings=settings))


def test_a_gradient_that_is_no_number_names_its_samples(base, data, profile, tmp_path, monkeypatch):
    """The loss is a number, its gradient is not."""
    original = GoldfishForConditionalGeneration.forward

    def forward(self, *args, **options):
        out = original(self, *args, **options)
        weight = self.projector.linear.weight
        out.loss = out.loss + (weight - weight.detach()).abs().sum().sqrt() * 0.0
        return out

    monkeypatch.setattr(GoldfishForConditionalGeneration, "forward", forward)
    with pytest.raises(ModelError, match="The gradient norm is nan at step 1, on: "):
        run_stage(make_run(2, base, tmp_path, data, profile))


@pytest.fixture
def small_memory(monkeypatch):
    """Let forward passes of more rows than ``limit`` fail as a full GPU does, from a step on."""

    def restrict(limit: int, *, calls_before: int, message: str | None = None) -> list[int]:
        original, seen = GoldfishForConditionalGeneration.forward, []

        def forward(self, input_ids=None, *args, **options):
            if self.training:
                seen.append(len(input_ids))
                if len(seen) > calls_before and len(input_ids) > limit:
                    if message:
                        raise RuntimeError(message)
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return original(self, input_ids, *args, **options)

        monkeypatch.setattr(GoldfishForConditionalGeneration, "forward", forward)
        return seen

    return restrict


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("questions", [1, 2])
def test_a_run_out_of_memory_goes_on_in_smaller_passes_to_the_same_end(
    base, data, profile, tmp_path, small_memory, stored, questions
):
    options = {"settings": SETTINGS | {"questions_per_clip": questions}}
    if stored:
        options |= {"features": tmp_path / "store", "feature_dtype": "float32"}
    whole = run_stage(make_run(3, base, tmp_path / "whole", data, profile, **options))
    # The second batch of the second step fails: the first one's gradients are there already.
    seen = small_memory(1, calls_before=3)
    notes: list[str] = []
    run = make_run(3, base, tmp_path / "small", data, profile, **options)
    small = run_stage(run, Watcher(note=notes.append))
    assert max(seen) == 4
    assert seen[-8:] == [1] * 8
    assert losses(small) == pytest.approx(losses(whole), abs=1e-5)
    first, second = adapters_and_projector(whole), adapters_and_projector(small)
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=1e-5, rtol=0)
    assert [note.split(":")[1].split()[3] for note in notes if "memory ran out" in note] == [
        "2",
        "1",
    ]
    tokens = [
        json.loads((folder / "train_log.jsonl").read_text().splitlines()[-1])["tokens"]
        for folder in (whole, small)
    ]
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("stored", [False, True])
def test_packed_rows_go_one_at_a_time_when_memory_runs_out(
    base, data, profile, tmp_path, small_memory, stored
):
    options = {"settings": SETTINGS | {"batch_size": 12, "gradient_accumulation": 1}}
    options["settings"] |= {"packing": "true", "questions_per_clip": 2}
    options["files"] = mixed_lengths(data, tmp_path)
    if stored:
        options |= {"features": tmp_path / "store", "feature_dtype": "float32"}
    whole = run_stage(make_run(3, base, tmp_path / "whole", data, profile, **options))
    seen = small_memory(1, calls_before=1)
    notes: list[str] = []
    run = make_run(3, base, tmp_path / "small", data, profile, **options)
    small = run_stage(run, Watcher(note=notes.append))
    most = max(seen)
    assert 2 < most < 12  # all samples are in each batch, two of them long
    told = [int(note.split(":")[1].split()[3]) for note in notes if "memory ran out" in note]
    assert told[0] <= (most + 1) // 2  # not (12 + 1) // 2, which might be the same again
    assert told[-1] == run.folder.rows_per_pass == seen[-1] == 1
    assert losses(small) == pytest.approx(losses(whole), abs=1e-5)
    first, second = adapters_and_projector(whole), adapters_and_projector(small)
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=1e-5, rtol=0)


def test_a_resumed_run_remembers_that_memory_ran_out(base, data, profile, tmp_path, small_memory):
    seen = small_memory(2, calls_before=0)
    run = make_run(3, base, tmp_path, data, profile, settings=SETTINGS)
    with pytest.raises(InterruptedRunError):
        run_stage(run, stop_after(2))
    assert run.folder.rows_per_pass == 2
    seen.clear()
    run_stage(make_run(3, base, tmp_path, data, profile, settings=SETTINGS, resume=True))
    assert max(seen) == 2  # it never tried four again


def test_a_sample_that_does_not_fit_alone_says_what_to_change(
    base, data, profile, tmp_path, small_memory
):
    words = "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"
    small_memory(0, calls_before=2, message=words)
    with pytest.raises(OutOfMemoryError, match=r"A single row of \d+ tokens") as found:
        run_stage(make_run(3, base, tmp_path, data, profile, settings=SETTINGS))
    assert "max_context_tokens" in found.value.hint
    assert found.value.exit_code == 6


def test_other_errors_of_a_pass_are_not_taken_for_lack_of_memory(
    base, data, profile, tmp_path, small_memory
):
    seen = small_memory(0, calls_before=0, message="mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run_stage(make_run(3, base, tmp_path, data, profile, settings=SETTINGS))
    assert len(seen) == 1


def test_pieces_hold_the_frames_of_their_own_rows():
    ids = torch.tensor([[9, 9, 1, 1], [9, 9, 9, 9], [1, 1, 1, 1]])
    labels = torch.tensor([[-100, -100, 1, 1], [-100] * 4, [-100, 1, 1, 1]])
    batch = {
        "input_ids": ids,
        "labels": labels,
        "attention_mask": torch.ones(3, 1, 4, 4, dtype=torch.bool),
        "pixel_values": torch.arange(3.0)[:, None],
    }
    cut = list(pieces(batch, 1, image_token_id=9, tokens_per_frame=2))
    assert [list(rows) for rows, _ in cut] == [[0], [2]]  # nothing is to be learnt from row 1
    assert [piece["pixel_values"].flatten().tolist() for _, piece in cut] == [[0.0], []]
    assert cut[0][1]["attention_mask"].shape == (1, 1, 4, 4)
    (both,) = pieces(batch, 3, image_token_id=9, tokens_per_frame=2)
    assert both[1] is batch


FULL_DISK = """
import resource, signal, sys
from goldfish_cli.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["goldfish", *sys.argv[2:]]
main()
"""


@pytest.mark.parametrize("limit", [3_000, 12_000])
def test_a_disk_that_fills_up_costs_one_line(base, data, tmp_path, limit):
    """At 3,000 bytes the weights of a checkpoint do not fit, at 12,000 its optimizer."""
    words = ["train", "1", "--data", data / "images.tar", "--from", base, "--out", tmp_path]
    for setting in ("max_steps=6", "save_steps=2", "validation=0"):
        words += ["--set", f"stage1.{setting}"]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(limit), *map(str, words), "--profile", "tiny"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "checkpoint-2 cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*checkpoint-*"))


def test_a_folder_that_cannot_be_written_is_refused_by_name(base, data, profile):
    with pytest.raises(InputError, match=r"/proc/nowhere/.* cannot be written"):
        run_stage(make_run(1, base, Path("/proc/nowhere"), data, profile))


def test_resuming_where_nothing_is_says_so(base, data, profile, tmp_path):
    notes: list[str] = []
    run = make_run(3, base, tmp_path / "new", data, profile, resume=True)
    run_stage(run, Watcher(note=notes.append))
    assert any(note.startswith("Nothing to resume in") for note in notes)
