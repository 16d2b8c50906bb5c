"""Small checkpoints, adapters, exports: the same answers again, or an error that names the key."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from model_parts import IMAGE_TOKEN_ID, fill_by_name
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.model.adapters import add_lora, lora_state, merge_lora
from goldfish_cli.model.bases import Placement, find_base, load_vision_encoder
from goldfish_cli.model.checkpoint import has_adapter, save_checkpoint
from goldfish_cli.model.export import export_merged, export_reference
from goldfish_cli.model.fingerprints import fingerprint, load_pickle
from goldfish_cli.model.loader import LoadedModel, load_config, load_model
from goldfish_cli.profiles import Profile


def logits_of(loaded: LoadedModel) -> Tensor:
    ids = torch.tensor([[256, *[IMAGE_TOKEN_ID] * 4, 5, 6, 7]])
    pixels = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)
    with torch.no_grad():
        return loaded.model(ids, pixel_values=pixels).logits


def train_lora(loaded: LoadedModel) -> None:
    """Stand in for training: an adapter of rank 2 whose every weight is set."""
    add_lora(loaded.model, r=2, alpha=4, dropout=0.0)
    for name, parameter in loaded.model.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    loaded.model.eval()


@pytest.fixture
def trained(started: LoadedModel) -> LoadedModel:
    train_lora(started)
    return started


@pytest.fixture
def checkpoint(trained: LoadedModel, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    save_checkpoint(trained.model, folder, trained.tokenizer, settings={"lr": 1e-4})
    return folder


def change(file: Path, edit: Callable[[dict[str, Tensor]], None]) -> None:
    state = load_file(file)
    edit(state)
    save_file(state, file)


def test_a_projector_checkpoint_loads_with_the_same_logits(
    started: LoadedModel, tmp_path: Path, profile: Profile
) -> None:
    folder = tmp_path / "stage1"
    save_checkpoint(started.model, folder, started.tokenizer, description="Stage 1.")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "goldfish.yaml",
        "projector.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    loaded = load_model(str(folder), profile, offline=True)
    assert torch.equal(logits_of(loaded), logits_of(started))
    assert not has_adapter(loaded.model)
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    card = (folder / "README.md").read_text()
    assert "Stage 1." in card
    assert started.config.base_models["language_model"]["hash"] in card


def test_a_checkpoint_with_an_adapter_loads_with_the_same_logits(
    trained: LoadedModel, checkpoint: Path, profile: Profile
) -> None:
    loaded = load_model(str(checkpoint), profile, offline=True)
    assert torch.equal(logits_of(loaded), logits_of(trained))
    assert "lr: 0.0001" in (checkpoint / "goldfish.yaml").read_text()


def test_peft_reads_the_adapter_without_goldfish(
    trained: LoadedModel, checkpoint: Path, base_models: dict[str, str]
) -> None:
    language_model = AutoModelForCausalLM.from_pretrained(base_models["language_model"])
    adapted = PeftModel.from_pretrained(language_model, str(checkpoint / "adapter"))
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(adapted(ids).logits, trained.model.language_model(ids).logits)


def test_a_merged_adapter_answers_as_before(trained: LoadedModel) -> None:
    before = logits_of(trained)
    merge_lora(trained.model)
    assert not has_adapter(trained.model)
    torch.testing.assert_close(logits_of(trained), before, atol=1e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="no adapter"):
        merge_lora(trained.model)


def test_an_exported_model_is_one_transformers_folder(
    trained: LoadedModel, tmp_path: Path, profile: Profile
) -> None:
    before = logits_of(trained)
    export_merged(trained.model, tmp_path / "whole", trained.tokenizer)
    loaded = load_model(str(tmp_path / "whole"), profile)
    torch.testing.assert_close(logits_of(loaded), before, atol=1e-5, rtol=1e-5)
    assert loaded.tokenizer("ab")["input_ids"] == trained.tokenizer("ab")["input_ids"]


def test_a_model_exported_in_bfloat16_is_half_as_large(
    started: LoadedModel, tmp_path: Path, profile: Profile
) -> None:
    export_merged(started.model, tmp_path / "wide", started.tokenizer)
    export_merged(started.model, tmp_path / "narrow", started.tokenizer, dtype=torch.bfloat16)
    narrow = load_file(tmp_path / "narrow" / "model.safetensors")
    assert {tensor.dtype for tensor in narrow.values()} == {torch.bfloat16}
    loaded = load_model(str(tmp_path / "narrow"), profile)
    assert loaded.model.dtype == torch.float32


def test_a_reference_checkpoint_goes_out_and_comes_back(
    trained: LoadedModel, tmp_path: Path, profile: Profile, base_models: dict[str, str]
) -> None:
    path = tmp_path / "checkpoint_0.pth"
    export_reference(trained.model, path)
    content = load_pickle(path)
    assert "llama_proj.weight" in content["model"]
    layer = "llama_model.base_model.model.model.layers.0.self_attn"
    assert content["model"][f"{layer}.q_proj.lora_A.weight"].shape == (2, 16)
    loaded = load_model(str(path), profile, bases=base_models, offline=True)
    assert torch.equal(logits_of(loaded), logits_of(trained))
    assert loaded.style.name == "reference"
    planned = load_config(str(path), bases=base_models, offline=True)
    assert planned.text_config.hidden_size == 16


def test_pooling_that_the_reference_has_not_is_not_exported(
    profile: Profile, base_models: dict[str, str], tmp_path: Path
) -> None:
    loaded = load_model_with(profile.model_copy(update={"pooling": "mean"}), base_models)
    with pytest.raises(ModelError, match="has no pooling mean"):
        export_reference(loaded.model, tmp_path / "x.pth")


def load_model_with(profile: Profile, bases: dict[str, str]) -> LoadedModel:
    from goldfish_cli.model.loader import start_model

    return start_model(profile, bases=bases, offline=True)


def test_an_adapter_that_changes_nothing_is_an_error(
    started: LoadedModel, tmp_path: Path, profile: Profile
) -> None:
    add_lora(started.model, r=2)  # lora_B starts at zero
    save_checkpoint(started.model, tmp_path / "untrained", started.tokenizer)
    with pytest.raises(CheckpointError, match="changes nothing"):
        load_model(str(tmp_path / "untrained"), profile, offline=True)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda state: state.pop(sorted(state)[0]), r"lacks base_model.*lora_A\.weight"),
        (lambda state: state.update({"odd.weight": torch.ones(1)}), r"holds odd\.weight"),
        (
            lambda state: state.update({sorted(state)[0]: torch.ones(2, 3)}),
            r"lora_A\.weight as \[2, 3\].*takes \[2, 16\]",
        ),
    ],
)
def test_an_adapter_that_does_not_fit_is_named(
    checkpoint: Path, profile: Profile, fault: Callable[..., None], message: str
) -> None:
    change(checkpoint / "adapter" / "adapter_model.safetensors", fault)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(str(checkpoint), profile, offline=True)
    assert caught.value.exit_code == 5


def test_an_adapter_that_is_cut_off_is_named(checkpoint: Path, profile: Profile) -> None:
    weights = checkpoint / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors cannot be read"):
        load_model(str(checkpoint), profile, offline=True)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda state: state.pop("linear.bias"), r"lacks linear\.bias"),
        (lambda state: state.update({"norm.bias": torch.ones(1)}), r"unknown norm\.bias"),
        (
            lambda state: state.update({"linear.bias": torch.ones(5)}),
            r"linear\.bias as \[5\].*take \[16\]",
        ),
    ],
)
def test_a_projector_that_does_not_fit_is_named(
    checkpoint: Path, profile: Profile, fault: Callable[..., None], message: str
) -> None:
    change(checkpoint / "projector.safetensors", fault)
    with pytest.raises(CheckpointError, match=message):
        load_model(str(checkpoint), profile, offline=True)


def test_another_base_model_is_refused_by_name(
    checkpoint: Path, profile: Profile, base_models: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(base_models["language_model"], other)
    change(other / "model.safetensors", lambda state: state["lm_head.weight"].add_(0.1))
    with pytest.raises(CheckpointError, match=r"trained on the language model .*llm .*other is"):
        load_model(str(checkpoint), profile, bases={"language_model": str(other)}, offline=True)


def test_a_base_model_may_move_and_may_be_cut_into_shards(
    trained: LoadedModel,
    checkpoint: Path,
    profile: Profile,
    base_models: dict[str, str],
    tmp_path: Path,
) -> None:
    sharded = tmp_path / "sharded"
    model = AutoModelForCausalLM.from_pretrained(base_models["language_model"])
    model.save_pretrained(sharded, max_shard_size="10KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert fingerprint(sharded) == fingerprint(Path(base_models["language_model"]))
    moved = {"language_model": str(sharded)}
    loaded = load_model(str(checkpoint), profile, bases=moved, offline=True)
    assert torch.equal(logits_of(loaded), logits_of(trained))


def test_a_missing_base_model_is_named_with_a_way_out(
    checkpoint: Path, profile: Profile, base_models: dict[str, str], tmp_path: Path
) -> None:
    for name in ("nobody/no-such-model", "/no/such/folder"):
        with pytest.raises(ModelError, match=name) as caught:
            load_model(str(checkpoint), profile, bases={"language_model": name}, offline=True)
        assert "local copy" in caught.value.hint
    with pytest.raises(ModelError, match=r"eva_vit_g\.pth is not here") as caught:
        find_base(str(tmp_path / "eva_vit_g.pth"), "vision_encoder", offline=True)
    assert "https://" in caught.value.hint


def test_a_base_model_given_by_a_relative_path_is_found_from_anywhere(
    base_models: dict[str, str],
    profile: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(Path(base_models["vision_encoder"]).parent)
    loaded = load_model_with(profile, {"vision_encoder": "vision", "language_model": "llm"})
    save_checkpoint(loaded.model, tmp_path / "small", loaded.tokenizer)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(logits_of(load_model("small", profile, offline=True)), logits_of(loaded))


def test_a_checkpoint_that_names_no_base_model_is_refused(
    checkpoint: Path, profile: Profile
) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    config["base_models"] = {}
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="does not name the language model"):
        load_model(str(checkpoint), profile, offline=True)


def test_nothing_but_a_goldfish_model_is_overwritten(started: LoadedModel, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="not a Goldfish model"):
        save_checkpoint(started.model, folder, started.tokenizer)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_checkpoint_that_fails_halfway_leaves_the_old_one_and_no_litter(
    started: LoadedModel, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    save_checkpoint(started.model, folder, started.tokenizer, settings={"epoch": 1})
    with pytest.raises(Exception, match="represent"):
        save_checkpoint(started.model, folder, started.tokenizer, settings={"bad": object()})
    assert "epoch: 1" in (folder / "goldfish.yaml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    save_checkpoint(started.model, folder, started.tokenizer, settings={"epoch": 2})
    assert "epoch: 2" in (folder / "goldfish.yaml").read_text()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda state: state.pop("projector.linear.bias"), r"lacks projector\.linear\.bias"),
        (lambda state: state.update({"odd": torch.ones(1)}), "holds odd"),
        (
            lambda state: state.update({"projector.linear.bias": torch.ones(3)}),
            "cannot be loaded",
        ),
    ],
)
def test_a_whole_model_with_wrong_keys_is_refused(
    started: LoadedModel,
    tmp_path: Path,
    profile: Profile,
    fault: Callable[..., None],
    message: str,
) -> None:
    export_merged(started.model, tmp_path / "whole", started.tokenizer)
    change(tmp_path / "whole" / "model.safetensors", fault)
    with pytest.raises(CheckpointError, match=message):
        load_model(str(tmp_path / "whole"), profile)


def test_truncated_weights_are_refused(checkpoint: Path, profile: Profile) -> None:
    file = checkpoint / "projector.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="not whole"):
        load_model(str(checkpoint), profile, offline=True)


def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path: Path, profile: Profile) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "exploded",)

    torch.save({"model": Bomb()}, tmp_path / "new.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Bomb()))
    for name in ("new.pth", "old.pth"):
        with pytest.raises(CheckpointError, match="cannot be read as weights"):
            load_model(str(tmp_path / name), profile, offline=True)
    assert not (tmp_path / "exploded").exists()


def eva_weights(blocks: int = 2) -> dict[str, Tensor]:
    """An EVA encoder of one head of 88 channels, in the names of its file."""
    width = 88
    state = {
        "cls_token": torch.randn(1, 1, width),
        "pos_embed": torch.randn(1, 5, width),
        "patch_embed.proj.weight": torch.randn(width, 3, 14, 14),
        "patch_embed.proj.bias": torch.randn(width),
    }
    for block in range(blocks):
        for name, shape in {
            "norm1": (width,),
            "norm2": (width,),
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (96, width),
            "mlp.fc2": (width, 96),
        }.items():
            state[f"blocks.{block}.{name}.weight"] = torch.randn(shape)
            if name != "attn.qkv":
                state[f"blocks.{block}.{name}.bias"] = torch.randn(shape[0])
        for name in "qv":
            state[f"blocks.{block}.attn.{name}_bias"] = torch.randn(width)
    return state


PLACEMENT = Placement(torch.device("cpu"), torch.float32)


def test_the_encoder_file_loads_with_its_biases_joined(tmp_path: Path) -> None:
    state = eva_weights() | {"norm.weight": torch.ones(88), "head.bias": torch.ones(3)}
    torch.save(state, tmp_path / "eva.pth")
    encoder = load_vision_encoder(tmp_path / "eva.pth", PLACEMENT)
    bias = encoder.encoder.layers[1].self_attn.qkv.bias
    query, key, value = bias.chunk(3)
    assert torch.equal(query, state["blocks.1.attn.q_bias"])
    assert torch.equal(value, state["blocks.1.attn.v_bias"])
    assert not key.any()
    assert encoder(torch.randn(1, 3, 28, 28)).shape == (1, 4, 88)
    assert not any(weight.requires_grad for weight in encoder.parameters())
    larger = load_vision_encoder(tmp_path / "eva.pth", PLACEMENT, image_size=56)
    assert larger(torch.randn(1, 3, 56, 56)).shape == (1, 16, 88)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda state: state.pop("blocks.1.attn.v_bias"), r"lack blocks\.1\.attn\.v_bias"),
        (lambda state: state.update(extra=torch.ones(1)), "hold extra"),
        (lambda state: state.pop("pos_embed"), "pos_embed is missing"),
    ],
)
def test_an_encoder_file_with_wrong_keys_is_refused(
    tmp_path: Path, fault: Callable[..., None], message: str
) -> None:
    state = eva_weights()
    fault(state)
    torch.save(state, tmp_path / "eva.pth")
    with pytest.raises(CheckpointError, match=message):
        load_vision_encoder(tmp_path / "eva.pth", PLACEMENT)


def test_a_second_adapter_and_an_unknown_layer_are_refused(started: LoadedModel) -> None:
    with pytest.raises(ModelError, match="No adapter fits"):
        add_lora(started.model, targets=["no_such_layer"])
    add_lora(started.model, r=2)
    with pytest.raises(ModelError, match="already"):
        add_lora(started.model, r=2)
    assert all("lora_" in name for name in lora_state(started.model))


def test_a_whole_model_can_be_the_base_of_a_small_one(
    started: LoadedModel, tmp_path: Path, profile: Profile
) -> None:
    whole = tmp_path / "whole"
    export_merged(started.model, whole, started.tokenizer)
    again = load_model_with(profile, {"vision_encoder": str(whole), "language_model": str(whole)})
    fill_by_name(again.model.projector)
    assert torch.equal(logits_of(again), logits_of(started))
    save_checkpoint(again.model, tmp_path / "small", again.tokenizer)
    loaded = load_model(str(tmp_path / "small"), profile, offline=True)
    assert torch.equal(logits_of(loaded), logits_of(started))
