"""Frozen means frozen, what should learn does, and stored features need no encoder in memory."""

import gc
import weakref

import pytest
import torch
from training_runs import losses, make_run

from goldfish_cli.model.vision_encoder import VisionEncoder
from goldfish_cli.training.stages import Watcher, mark_trainable, run_stage


def as_bytes(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def all_bytes(model) -> dict[str, bytes]:
    """Parameters, buffers that no checkpoint keeps too, and the scales of quantized weights."""
    kept = {name: value for name, value in model.state_dict().items() if torch.is_tensor(value)}
    named = kept | dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: as_bytes(tensor) for name, tensor in named.items()}


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_what_should_learn_changes_and_nothing_else_does(
    stage, quantization, base, data, profile, tmp_path, monkeypatch
):
    kept = {}

    def remember(model, settings):
        mark_trainable(model, settings)
        kept["model"], kept["before"] = model, all_bytes(model)

    monkeypatch.setattr("goldfish_cli.training.stages.mark_trainable", remember)
    quantized = profile.model_copy(update={"quantization": quantization})
    settings = {"validation": 0.3, "save_steps": 2} if stage == 3 else {}  # evaluated in between
    run_stage(make_run(stage, base, tmp_path, data, quantized, settings=settings))
    before, after = kept["before"], all_bytes(kept["model"])
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    learning = {name for name, p in kept["model"].named_parameters() if p.requires_grad}
    assert changed == learning
    assert any(name.endswith("inv_freq") for name in before)  # buffers without a checkpoint
    scale = {"none": "", "int8": "SCB", "nf4": "absmax"}[quantization]
    assert any(name.startswith("language_model") and name.endswith(scale) for name in before)
    adapted = {name.split(".")[-4] for name in learning if "lora_" in name}
    assert adapted == ({"q_proj", "v_proj"} if stage == 3 else set())
    rest = {name for name in learning if "lora_" not in name}
    assert rest == {"projector.linear.weight", "projector.linear.bias"}


@pytest.fixture
def encoders_in_memory(monkeypatch):
    """Count the vision encoders that were made since and are alive."""
    alive = weakref.WeakSet()
    make = VisionEncoder.__init__

    def remember(self, *args, **options) -> None:
        alive.add(self)
        make(self, *args, **options)

    monkeypatch.setattr(VisionEncoder, "__init__", remember)

    def count() -> int:
        gc.collect()
        return len(alive)

    return count


@pytest.fixture
def encoders_by_phase(encoders_in_memory):
    """Run a stage; say how many vision encoders are in memory at the end of each phase."""

    def train(run) -> dict[str, int]:
        seen, phase = {}, ["", 0]

        def begin(name: str, total: int, unit: str) -> None:
            phase[:] = [name, total]

        def done(count: int) -> None:
            if count == phase[1]:
                seen[phase[0]] = encoders_in_memory()

        run_stage(run, Watcher(phase=begin, done=done))
        return seen

    return train


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_no_vision_encoder_is_in_memory_while_stored_features_are_learnt_from(
    stage, base, data, profile, tmp_path, encoders_by_phase
):
    training = f"stage {stage}"
    live = encoders_by_phase(make_run(stage, base, tmp_path / "live", data, profile))
    assert live == {training: 1}
    stored = {"features": tmp_path / "store"}
    first = encoders_by_phase(make_run(stage, base, tmp_path / "a", data, profile, **stored))
    assert first == {"encoding clips": 1, training: 0}
    again = encoders_by_phase(make_run(stage, base, tmp_path / "b", data, profile, **stored))
    assert again == {training: 0}


@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_stored_features_train_a_quantized_model_like_live_encoding(
    quantization, base, data, profile, tmp_path
):
    small = profile.model_copy(update={"quantization": quantization})
    live = run_stage(make_run(3, base, tmp_path / "live", data, small))
    exact = {"features": tmp_path / "store", "feature_dtype": "float32"}
    stored = run_stage(make_run(3, base, tmp_path / "stored", data, small, **exact))
    assert losses(stored) == pytest.approx(losses(live), abs=1e-4)
