"""Stages on a tiny model: what learns, what stays frozen, and what a stop costs."""

import json
import math
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from training_runs import FILES, losses, make_run, mixed_lengths, stop_after

from goldfish_cli.errors import (
    AnnotationError,
    InterruptedRunError,
    ModelError,
    UsageError,
)
from goldfish_cli.model.bases import identify
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import load_model
from goldfish_cli.training.callbacks import check_gradients
from goldfish_cli.training.recipes import load_recipe
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stages import Watcher, check_attention, run_stage


@pytest.fixture(scope="module")
def finished(base, data, profile, tmp_path_factory) -> Path:
    """All three stages, from stored features, one after the other."""
    out = tmp_path_factory.mktemp("runs")
    for stage in FILES:
        start = base if stage == 1 else None
        run_stage(make_run(stage, start, out, data, profile, features=out / "store"))
    return out


def test_each_stage_leaves_a_checkpoint_that_loads(finished, profile):
    for name in ("stage1_image_align", "stage2_video_pretrain", "stage3_video_instruct_final"):
        loaded = load_model(str(finished / name), profile, offline=True)
        assert loaded.config.num_frames == 3
    assert (finished / "stage3_video_instruct_final" / "adapter").is_dir()
    assert not (finished / "stage2_video_pretrain" / "adapter").exists()


def test_each_stage_starts_from_the_projector_of_the_one_before(finished):
    weights = [
        load_file(finished / name / "projector.safetensors")["linear.weight"]
        for name in ("stage1_image_align", "stage2_video_pretrain", "stage3_video_instruct_final")
    ]
    steps = [(after - before).abs().max() for before, after in pairwise(weights)]
    assert all(0 < step < 0.1 for step in steps)  # a few steps of learning, not a new start


def test_the_checkpoint_names_its_base_models_by_content(finished, base, profile):
    loaded = load_model(str(finished / "stage3_video_instruct_final"), profile, offline=True)
    for role in ("vision_encoder", "language_model"):
        assert loaded.config.base_models[role]["hash"] == identify(base, role)


def test_the_encoder_never_leaves_evaluation_mode(model):
    model.requires_grad_(False)
    model.projector.requires_grad_(True)
    model.train()
    assert not any(module.training for module in model.vision_encoder.modules())


def test_stored_features_train_exactly_like_live_encoding(base, data, profile, tmp_path):
    for stage in (1, 2, 3):
        live = run_stage(make_run(stage, base, tmp_path / "live", data, profile))
        options = {"features": tmp_path / "store", "feature_dtype": "float32"}
        stored = run_stage(make_run(stage, base, tmp_path / "stored", data, profile, **options))
        assert losses(stored) == pytest.approx(losses(live), abs=1e-4)


def test_half_precision_features_train_nearly_like_live_encoding(base, data, profile, tmp_path):
    live = run_stage(make_run(2, base, tmp_path / "live", data, profile))
    stored = run_stage(
        make_run(2, base, tmp_path / "half", data, profile, features=tmp_path / "store")
    )
    assert losses(stored) == pytest.approx(losses(live), abs=2e-2)


def test_training_from_features_opens_no_video(base, data, profile, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    first = run_stage(make_run(2, base, tmp_path / "a", copy, profile, features=tmp_path / "s"))
    for video in (copy / "videos").glob("*.mp4"):
        status = video.stat()
        video.write_bytes(bytes(status.st_size))  # no video any more, but looks unchanged
        os.utime(video, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = run_stage(make_run(2, base, tmp_path / "b", copy, profile, features=tmp_path / "s"))
    assert losses(again) == losses(first)


@pytest.mark.parametrize("stage", [2, 3])
def test_a_stopped_and_resumed_run_ends_where_an_uninterrupted_one_does(
    stage, base, data, profile, tmp_path
):
    options = {"features": tmp_path / "store", "seed": 5}
    whole = run_stage(make_run(stage, base, tmp_path / "whole", data, profile, **options))
    stopped = make_run(stage, base, tmp_path / "stopped", data, profile, **options)
    with pytest.raises(InterruptedRunError, match="step 4 of 6") as caught:
        run_stage(stopped, stop_after(4))
    assert "--resume" in caught.value.hint
    assert caught.value.exit_code == 130
    resumed = run_stage(
        make_run(stage, base, tmp_path / "stopped", data, profile, resume=True, **options)
    )
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-6)
    tokens = [
        [line["tokens"] for line in read_log(f / "train_log.jsonl")] for f in (whole, resumed)
    ]
    assert tokens[0] == tokens[1]
    for part in ("projector.safetensors", "adapter/adapter_model.safetensors"):
        if (whole / part).exists():
            first, second = load_file(whole / part), load_file(resumed / part)
            assert all(torch.equal(first[name], second[name]) for name in first)
    assert not list(resumed.glob("checkpoint-*"))


def test_an_unfinished_run_is_not_overwritten_and_not_resumed_with_other_settings(
    base, data, profile, tmp_path
):
    run = make_run(1, base, tmp_path, data, profile)
    with pytest.raises(InterruptedRunError):
        run_stage(run, stop_after(2))
    with pytest.raises(UsageError, match="not finished"):
        run_stage(run)
    other = make_run(1, base, tmp_path, data, profile, settings={"learning_rate": 9}, resume=True)
    with pytest.raises(UsageError, match=r"learning_rate was 0\.001, is 9"):
        run_stage(other)


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(base, data, profile, tmp_path):
    def train(name, seed):
        return losses(run_stage(make_run(3, base, tmp_path / name, data, profile, seed=seed)))

    assert train("a", 1) == train("b", 1) != train("c", 2)


def test_checkpoints_rotate(base, data, profile, tmp_path):
    run = make_run(
        1, base, tmp_path, data, profile, settings={"save_steps": 1, "keep_checkpoints": 2}
    )
    with pytest.raises(InterruptedRunError):
        run_stage(run, stop_after(4))
    assert sorted(path.name for path in tmp_path.rglob("checkpoint-*")) == [
        "checkpoint-3",
        "checkpoint-4",
    ]


def test_the_log_has_a_line_a_step_and_says_so_to_the_watcher(base, data, profile, tmp_path):
    heard = []
    folder = run_stage(make_run(1, base, tmp_path, data, profile), Watcher(record=heard.append))
    lines = list(read_log(folder / "train_log.jsonl"))
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert list(lines[0]) == ["stage", "step", "loss", "lr", "tokens", "seconds", "memory"]
    assert [record.loss for record in heard] == [line["loss"] for line in lines]
    assert lines[1]["lr"] == pytest.approx(1e-3)  # the peak, after one step of warm-up
    assert lines[-1]["tokens"] > lines[0]["tokens"] > 0


def test_missing_and_unreadable_media_are_reported_counted_and_limited(
    base, data, profile, tmp_path
):
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    (copy / "videos" / "red-green.mp4").write_bytes(b"no video")
    (copy / "videos" / "green-red.mp4").unlink()
    for features in (None, tmp_path / "store"):
        notes = []
        out = tmp_path / ("stored" if features else "live")
        folder = run_stage(
            make_run(2, base, out, copy, profile, features=features), Watcher(note=notes.append)
        )
        assert any("green-red" in note for note in notes)
        assert any("red-green.mp4" in note for note in notes)
        assert math.isfinite(losses(folder)[-1])
        strict = make_run(
            2,
            base,
            out / "strict",
            copy,
            profile,
            features=features,
            settings={"max_bad_samples": 0},
        )
        with pytest.raises(AnnotationError, match="green-red"):
            run_stage(strict)


def test_several_questions_per_clip_train_in_one_sequence(base, data, profile, tmp_path):
    run = make_run(3, base, tmp_path, data, profile, settings={"questions_per_clip": 2})
    folder = run_stage(run)
    one = run_stage(make_run(3, base, tmp_path / "one", data, profile))
    tokens = [list(read_log(f / "train_log.jsonl"))[-1]["tokens"] for f in (folder, one)]
    assert tokens[0] < 1.7 * tokens[1]  # twice the questions


def test_a_parameter_without_gradient_is_an_error(model):
    model.requires_grad_(False)
    model.projector.requires_grad_(True)
    model.projector.linear.weight.grad = torch.zeros_like(model.projector.linear.weight)
    with pytest.raises(ModelError, match=r"projector\.linear\.bias"):
        check_gradients(model)


def test_stage_two_without_stage_one_says_what_to_run_first(data, profile, tmp_path):
    with pytest.raises(UsageError, match="stage 1"):
        run_stage(make_run(2, None, tmp_path, data, profile))
    with pytest.raises(UsageError, match="base model"):
        run_stage(make_run(1, None, tmp_path, data, profile))


def test_the_resolved_settings_stand_beside_the_checkpoint(finished):
    folder = finished / "stage3_video_instruct_final"
    settings = yaml.safe_load((folder / "recipe.yaml").read_text())["settings"]
    assert settings["batch_size"] == 2
    assert settings["num_frames"] == 3
    assert settings["lora"]["r"] == 64
    assert json.loads((folder / "run.json").read_text())["steps"] == 6


def test_a_language_model_that_learns_whole_leaves_a_whole_model(base, data, profile, tmp_path):
    settings = {"lora": "null", "full": "true", "learning_rate": "3e-3", "max_steps": "12"}
    run = make_run(3, base, tmp_path, data, profile, settings=settings, features=tmp_path / "store")
    folder = run_stage(run)
    before, after = (load_model(str(name), profile, offline=True) for name in (base, folder))
    assert after.config.base_models == {}
    old, new = before.model.state_dict(), after.model.state_dict()
    assert old.keys() == new.keys()
    for name, tensor in old.items():
        frozen = name.startswith("vision_encoder")
        assert torch.equal(tensor, new[name]) == frozen, name
    assert losses(folder)[-1] < losses(folder)[0]
    again = run_stage(make_run(3, folder, tmp_path / "next", data, profile))
    assert (again / "adapter").is_dir()  # it serves as a base like any other


def test_learning_whole_resumes_where_it_stopped(base, data, profile, tmp_path):
    settings = {"lora": "null", "full": "true"}
    whole = run_stage(make_run(3, base, tmp_path / "a", data, profile, settings=settings))
    run = make_run(3, base, tmp_path / "b", data, profile, settings=settings)
    with pytest.raises(InterruptedRunError):
        run_stage(run, stop_after(3))
    resumed = run_stage(
        make_run(3, base, tmp_path / "b", data, profile, settings=settings, resume=True)
    )
    assert losses(resumed) == losses(whole)
    weights = [load_file(folder / "model.safetensors") for folder in (whole, resumed)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_adapters_of_the_start_are_merged_before_the_whole_learns(
    finished, data, profile, tmp_path
):
    start = finished / "stage3_video_instruct_final"
    settings = {"lora": "null", "full": "true", "learning_rate": "1e-9", "max_steps": "1"}
    folder = run_stage(make_run(3, start, tmp_path, data, profile, settings=settings))
    assert not (folder / "adapter").exists()
    models = [load_model(str(name), profile, offline=True).model for name in (start, folder)]
    ids = torch.tensor([[1, 40, 50, 60]])
    with torch.no_grad():
        answers = [model(ids).logits for model in models]
    assert torch.allclose(*answers, atol=1e-4)


def test_other_adapters_than_those_of_the_start_are_refused(finished, data, profile, tmp_path):
    start = finished / "stage3_video_instruct_final"
    run = make_run(3, start, tmp_path, data, profile, settings={"lora.r": "8"})
    with pytest.raises(UsageError, match=r"rank 64, alpha 16 on .* rank 8"):
        run_stage(run)


def test_layers_that_are_not_there_are_named(base, data, profile, tmp_path):
    run = make_run(3, base, tmp_path, data, profile, settings={"lora.targets": "[q_prj]"})
    with pytest.raises(ModelError, match="q_prj"):
        run_stage(run)


def test_a_quantized_language_model_cannot_learn_whole(base, data, profile, tmp_path):
    small = profile.model_copy(update={"quantization": "nf4"})
    run = make_run(3, base, tmp_path, data, small, settings={"lora": "null", "full": "true"})
    with pytest.raises(ModelError, match="cannot learn whole"):
        run_stage(run)


def test_the_context_of_the_recipe_goes_before_the_profile(base, data, profile, tmp_path):
    run = make_run(3, base, tmp_path, data, profile, settings={"max_context_tokens": "20"})
    with pytest.raises(AnnotationError, match="fits the context"):
        run_stage(run)


def test_the_log_shows_the_rates_of_the_schedule(base, data, profile, tmp_path):
    settings = {
        "schedule": "cosine_unshifted",
        "learning_rate": "1e-3",
        "min_learning_rate": "1e-4",
        "warmup_learning_rate": "1e-5",
        "warmup_steps": "2",
    }
    run = make_run(1, base, tmp_path, data, profile, settings=settings)
    rates = [line["lr"] for line in read_log(run_stage(run) / "train_log.jsonl")]
    recipe = run.recipe.stage1
    assert rates == pytest.approx([learning_rate(recipe, step, 6) for step in range(6)], rel=1e-6)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("questions", [1, 2])
def test_packing_learns_what_rows_of_their_own_learn(
    base, data, profile, tmp_path, passes, questions, stored
):
    settings = {"batch_size": 8, "lora.dropout": 0, "questions_per_clip": questions}
    settings |= {"validation": 0.3, "sample_answers": 0}
    options = {"files": mixed_lengths(data, tmp_path)}
    if stored:
        options |= {"features": tmp_path / "store", "feature_dtype": "float32"}
    rows, logs = {}, {}
    for packing in ("false", "true"):
        changed = settings | {"packing": packing}
        run = make_run(3, base, tmp_path / packing, data, profile, settings=changed, **options)
        logs[packing] = list(read_log(run_stage(run) / "train_log.jsonl"))
        rows[packing] = sum(passes)
        passes.clear()
    assert rows["true"] < 0.8 * rows["false"]
    for key, tolerance in (("loss", 1e-4), ("validation_loss", 1e-4), ("tokens", 0)):
        packed, plain = ([line[key] for line in log if key in line] for log in logs.values())
        assert plain
        assert packed == pytest.approx(plain, abs=tolerance), key


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """The rows of each forward pass."""
    original, seen = GoldfishForConditionalGeneration.forward, []

    def forward(self, input_ids=None, *args, **options):
        seen.append(len(input_ids))
        return original(self, input_ids, *args, **options)

    monkeypatch.setattr(GoldfishForConditionalGeneration, "forward", forward)
    return seen


def test_attention_that_takes_no_mask_is_refused_for_packing(model):
    settings = load_recipe("default", {"stage3.packing": "true"}).stage3
    model.language_model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(UsageError, match="would see each other"):
        check_attention(model, settings)
    check_attention(model, load_recipe("default").stage3)
