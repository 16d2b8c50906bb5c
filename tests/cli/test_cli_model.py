import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import Blip2VisionConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from goldfish_cli.model.adapters import add_lora
from goldfish_cli.model.checkpoint import save_checkpoint
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import load_model, start_model
from goldfish_cli.model.vision_encoder import VisionEncoder
from goldfish_cli.profiles import Profile

ENCODER = Blip2VisionConfig(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=1,
    num_attention_heads=2,
    image_size=16,
    patch_size=4,
    initializer_range=0.2,
)
LANGUAGE_MODEL = LlamaConfig(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
    vocab_size=259,
    initializer_range=0.2,
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny encoder and a tiny language model with a byte tokenizer, on disk."""
    folder = tmp_path_factory.mktemp("bases")
    torch.manual_seed(0)
    VisionEncoder(ENCODER).save_pretrained(folder / "encoder")
    LlamaForCausalLM(LANGUAGE_MODEL).save_pretrained(folder / "llama")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({text: number for number, text in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder / "llama")
    return {
        "vision_encoder": str(folder / "encoder"),
        "language_model": str(folder / "llama"),
    }


@pytest.fixture(scope="module")
def checkpoint(bases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint: a projector and an adapter that changes something."""
    folder = tmp_path_factory.mktemp("trained") / "stage3"
    start = start_model(Profile(name="test", device="cpu", dtype="float32"), bases=bases)
    add_lora(start.model, r=2, alpha=4, targets=["q_proj", "v_proj"])
    for name, parameter in start.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    save_checkpoint(start.model, folder, start.tokenizer)
    return folder


def base_options(bases: dict[str, str]) -> list[str]:
    encoder, language_model = bases["vision_encoder"], bases["language_model"]
    return ["--vision-encoder", encoder, "--language-model", language_model]


def logits(model: GoldfishForConditionalGeneration) -> torch.Tensor:
    image = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    tokens = [1, *[model.config.image_token_id] * model.config.tokens_per_frame, 70, 80]
    with torch.no_grad():
        output: torch.Tensor = model(torch.tensor([tokens]), pixel_values=image).logits
    return output


def test_a_checkpoint_is_described_without_its_bases(
    goldfish: Callable[..., object], checkpoint: Path, bases: dict[str, str]
) -> None:
    result = goldfish("model", "info", checkpoint, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["kind"].startswith("Goldfish checkpoint")
    assert found["adapter"] == {"rank": 2, "alpha": 4, "layers": ["q_proj", "v_proj"]}
    assert found["base_models"]["language_model"]["name"] == bases["language_model"]
    assert found["tokens_per_frame"] == 4
    assert found["parameters"]["projector"] == 64 * 16 + 16


def test_the_description_in_words_leaves_out_what_does_not_apply(
    goldfish: Callable[..., object], bases: dict[str, str]
) -> None:
    stdout = goldfish("model", "info", bases["language_model"]).stdout
    assert "kind: Transformers model, LlamaForCausalLM" in stdout
    assert "adapter" not in stdout


def test_a_checkpoint_can_be_planned_for(goldfish: Callable[..., object], checkpoint: Path) -> None:
    result = goldfish("profile", "plan", "cpu", "--model", checkpoint, "--json")
    assert result.exit_code == 0, result.stderr
    assert 0.5 < json.loads(result.stdout.splitlines()[-1])["total"] < 1.5


def test_export_and_import_give_the_same_checkpoint_back(
    goldfish: Callable[..., object], checkpoint: Path, bases: dict[str, str], tmp_path: Path
) -> None:
    file, folder = tmp_path / "video_llama.pth", tmp_path / "imported"
    exported = goldfish("model", "export", checkpoint, file)
    assert exported.exit_code == 0, exported.stderr
    assert exported.stdout == f"{file}\n"
    described = json.loads(goldfish("model", "info", file, "--json").stdout)
    assert described["adapter"]["rank"] == 2

    imported = goldfish("model", "import", file, folder, *base_options(bases), "--json")
    assert imported.exit_code == 0, imported.stderr
    assert json.loads(imported.stdout)["output"] == str(folder)
    for name in ("projector.safetensors", "adapter/adapter_model.safetensors"):
        before, after = load_file(checkpoint / name), load_file(folder / name)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_checkpoint_can_be_exported_as_safetensors_and_a_peft_adapter(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    result = goldfish("model", "export", checkpoint, tmp_path / "copy")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "copy" / "adapter" / "adapter_config.json").is_file()


def test_a_merged_model_needs_no_bases_and_answers_the_same(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "merged"
    result = goldfish("model", "merge", checkpoint, folder, "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    found = json.loads(goldfish("model", "info", folder, "--json").stdout)
    assert found["kind"] == "Goldfish model, whole"
    assert found["adapter"] == {}
    profile = Profile(name="test", device="cpu", dtype="float32")
    before, after = (load_model(str(path), profile).model for path in (checkpoint, folder))
    torch.testing.assert_close(logits(before), logits(after), atol=1e-5, rtol=0)


def test_a_whole_model_cannot_be_exported(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    assert goldfish("model", "merge", checkpoint, tmp_path / "merged").exit_code == 0
    result = goldfish("model", "export", tmp_path / "merged", tmp_path / "x.pth")
    assert result.exit_code == 5
    assert "whole model" in result.stderr
    assert not (tmp_path / "x.pth").exists()


def test_nothing_is_replaced_unless_forced(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.pth"
    file.write_text("precious")
    refused = goldfish("model", "export", checkpoint, file)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert file.read_text() == "precious"
    assert goldfish("model", "export", checkpoint, file, "--force").exit_code == 0


def test_a_wrong_base_is_5_and_named(
    goldfish: Callable[..., object],
    checkpoint: Path,
    bases: dict[str, str],
    tmp_path: Path,
) -> None:
    torch.manual_seed(1)
    VisionEncoder(ENCODER).save_pretrained(tmp_path / "other")
    options = ["--vision-encoder", str(tmp_path / "other")]
    result = goldfish("model", "merge", checkpoint, tmp_path / "merged", *options)
    assert result.exit_code == 5
    assert str(tmp_path / "other") in result.stderr
    assert bases["vision_encoder"] in result.stderr
    assert not (tmp_path / "merged").exists()


def test_what_is_not_a_checkpoint_is_5(goldfish: Callable[..., object], tmp_path: Path) -> None:
    file = tmp_path / "noise.pth"
    file.write_bytes(b"not weights at all")
    assert goldfish("model", "info", file).exit_code == 5
    assert goldfish("model", "import", file, tmp_path / "out", "--offline").exit_code == 5
    assert goldfish("model", "info", tmp_path / "nowhere", "--offline").exit_code == 5


def test_only_a_pth_is_imported(goldfish: Callable[..., object], tmp_path: Path) -> None:
    assert goldfish("model", "import", tmp_path, tmp_path / "out").exit_code == 2


def test_the_checkpoint_of_the_reference_is_described(
    goldfish: Callable[..., object], shared_folder: Path
) -> None:
    file = shared_folder / "fixtures" / "e2e_checkpoint_step0.pth"
    found = json.loads(goldfish("model", "info", file, "--json").stdout)
    assert found["kind"] == "MiniGPT4-Video checkpoint"
    assert found["adapter"]["layers"] == ["q_proj", "v_proj"]
