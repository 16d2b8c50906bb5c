"""The published sizes, built on the meta device: nothing is allocated, every key finds a home."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from torch import nn
from transformers import LlamaConfig, MistralConfig

from goldfish_cli.model.adapters import REFERENCE_TARGETS, add_lora, lora_state
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.reference_checkpoint import (
    encoder_state,
    read_trained,
    vision_config_of,
    write_trained,
)

MISTRAL = {"intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 32000}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def build(config: GoldfishConfig) -> GoldfishForConditionalGeneration:
    with torch.device("meta"):
        model = GoldfishForConditionalGeneration(config)
        add_lora(model, r=64, alpha=16)
    return model


@pytest.fixture(scope="module")
def full_size() -> GoldfishForConditionalGeneration:
    return build(GoldfishConfig())


def test_the_default_configuration_is_the_published_model(
    full_size: GoldfishForConditionalGeneration,
) -> None:
    config = full_size.config
    assert (config.tokens_per_frame, config.pooled_dim, config.image_size) == (64, 5632, 224)
    encoder = full_size.vision_encoder
    assert (len(encoder.encoder.layers), encoder.config.hidden_size) == (39, 1408)
    key_biases, output_norm = 39 * 1408, 2 * 1408
    assert count(encoder) == 985_894_528 + key_biases + output_norm
    assert count(full_size.projector) == 23_072_768
    base = full_size.language_model.get_base_model()
    plain = sum(p.numel() for name, p in base.named_parameters() if ".lora_" not in name)
    assert plain == 6_738_415_616
    lora = lora_state(full_size)
    assert sum(tensor.numel() for tensor in lora.values()) == 33_554_432
    trained = write_trained_names(full_size)
    assert sum(torch.Size(shape).numel() for shape in trained.values()) == 56_627_200


def write_trained_names(model: GoldfishForConditionalGeneration) -> dict[str, list[int]]:
    """Name what is trained as the reference does, shapes only."""
    lora = {name: torch.empty(t.shape, device="meta") for name, t in lora_state(model).items()}
    projector = model.projector.state_dict()
    names = {f"llama_model.{name}": list(tensor.shape) for name, tensor in lora.items()}
    return names | {
        f"llama_proj.{name.removeprefix('linear.')}": list(tensor.shape)
        for name, tensor in projector.items()
    }


def test_our_names_for_trained_weights_are_those_that_are_written() -> None:
    projector = {"linear.weight": torch.ones(2, 8), "linear.bias": torch.ones(2)}
    lora = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(1, 2)}
    written = write_trained(projector, lora)
    assert sorted(written) == [
        "llama_model.base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "llama_proj.bias",
        "llama_proj.weight",
    ]
    again = read_trained({"model": written, "config": {"model": {"lora_alpha": 16}}})
    assert again.projector.keys() == projector.keys()
    assert again.lora.keys() == lora.keys()


def test_every_key_of_the_llama_checkpoint_finds_a_home(
    reference: Path, full_size: GoldfishForConditionalGeneration
) -> None:
    expected = json.loads((reference / "expected_keys_full_size.json").read_text())
    assert expected["checkpoint_llama2_7b"] == write_trained_names(full_size)
    assert expected["n_params_llama2_ckpt"] == 56_627_200


def test_every_key_of_the_mistral_checkpoint_finds_a_home(reference: Path) -> None:
    expected = json.loads((reference / "expected_keys_full_size.json").read_text())
    model = build(GoldfishConfig(None, MistralConfig(**MISTRAL)))
    assert expected["checkpoint_mistral_7b"] == write_trained_names(model)


def test_every_key_of_the_encoder_file_finds_a_home(
    reference: Path, full_size: GoldfishForConditionalGeneration
) -> None:
    expected = json.loads((reference / "expected_keys_full_size.json").read_text())
    shapes = expected["vision_tower_runtime"]
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 985_894_528
    theirs = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    extra_block = {
        name.replace("blocks.38.", "blocks.39."): tensor
        for name, tensor in theirs.items()
        if "blocks.38." in name
    }
    for state in (theirs, theirs | extra_block):  # the file may still hold the unused block
        config = vision_config_of(state)
        assert config.num_hidden_layers == 39
        ours = encoder_state(state, config)
        wanted = full_size.vision_encoder.state_dict()
        assert {name: t.shape for name, t in ours.items()} == {
            name: t.shape for name, t in wanted.items()
        }


def test_lora_on_llama_alone_has_the_published_size() -> None:
    with torch.device("meta"):
        from transformers import LlamaForCausalLM

        model = LlamaForCausalLM(LlamaConfig())
        config = LoraConfig(r=64, target_modules=list(REFERENCE_TARGETS), task_type="CAUSAL_LM")
        adapted = get_peft_model(model, config)
    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    assert sum(tensor.numel() for tensor in state.values()) == 33_554_432
