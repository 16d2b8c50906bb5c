import json
import subprocess
import sys
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


def test_a_new_model_joins_two_bases_and_can_be_trained(
    goldfish: Callable[..., object], bases: dict[str, str], tmp_path: Path
) -> None:
    result = goldfish("model", "new", tmp_path / "base", *base_options(bases), "--frames", 3)
    assert result.exit_code == 0, result.stderr
    profile = Profile(name="test", device="cpu", dtype="float32")
    loaded = load_model(str(tmp_path / "base"), profile)
    joined = start_model(profile, bases=bases, offline=True, num_frames=3)
    for field in ("base_models", "image_token_id", "pooling", "pooling_size", "num_frames"):
        assert getattr(loaded.config, field) == getattr(joined.config, field)
    assert loaded.config.text_config.to_dict() == joined.config.text_config.to_dict()
    assert loaded.model.projector.linear.weight.std() > 0
    weights = load_file(tmp_path / "base" / "projector.safetensors")
    again = goldfish("model", "new", tmp_path / "again", *base_options(bases), "--frames", 3)
    assert again.exit_code == 0
    for name, tensor in load_file(tmp_path / "again" / "projector.safetensors").items():
        assert torch.equal(weights[name], tensor)  # the seed decides
    captions = tmp_path / "captions.json"
    sample = Path(__file__).parents[2] / "goldfish_cli" / "assets" / "sample.mp4"
    captions.write_text(json.dumps([{"image_id": "sample", "caption": "A clip."}]))
    trained = goldfish(
        *("train", "2", "--data", captions, "--videos", sample.parent, "--profile", "tiny"),
        *("--from", tmp_path / "base", "--out", tmp_path / "runs", "--set", "stage2.max_steps=1"),
        *("--set", "stage2.validation=0", "--set", "stage2.num_frames=3"),
    )
    assert trained.exit_code == 0, trained.stderr


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


def test_an_exported_adapter_loads_in_peft_without_us(
    goldfish: Callable[..., object], checkpoint: Path, bases: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"
    result = goldfish("model", "export", checkpoint, folder, "--as", "peft")
    assert result.exit_code == 0, result.stderr
    again = goldfish("model", "export", checkpoint, folder, "--as", "peft", "--force")
    assert again.exit_code == 0, again.stderr
    script = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base = AutoModelForCausalLM.from_pretrained(sys.argv[1])
model = PeftModel.from_pretrained(base, sys.argv[2]).eval()
assert "goldfish_cli" not in sys.modules
with torch.no_grad():
    print(json.dumps(model(torch.tensor([[5, 6, 7]])).logits.flatten().tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, bases["language_model"], str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    profile = Profile(name="test", device="cpu", dtype="float32")
    model = load_model(str(checkpoint), profile).model
    with torch.no_grad():
        wanted = model.language_model(torch.tensor([[5, 6, 7]])).logits.flatten()
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), wanted, atol=1e-6, rtol=0)
    projector = load_file(folder / "projector.safetensors")
    for name, tensor in load_file(checkpoint / "projector.safetensors").items():
        assert torch.equal(projector[name], tensor)


def test_a_merged_model_needs_no_bases_and_answers_the_same(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "merged"
    result = goldfish("model", "export", checkpoint, folder, "--dtype", "auto", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    found = json.loads(goldfish("model", "info", folder, "--json").stdout)
    assert found["kind"] == "Goldfish model, whole"
    assert found["adapter"] == {}
    profile = Profile(name="test", device="cpu", dtype="float32")
    before, after = (load_model(str(path), profile).model for path in (checkpoint, folder))
    torch.testing.assert_close(logits(before), logits(after), atol=1e-5, rtol=0)


def test_a_merged_model_is_bfloat16_and_rounded_once(
    goldfish: Callable[..., object], checkpoint: Path, bases: dict[str, str], tmp_path: Path
) -> None:
    result = goldfish("model", "export", checkpoint, tmp_path / "merged")
    assert result.exit_code == 0, result.stderr
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert {tensor.dtype for tensor in merged.values()} == {torch.bfloat16}
    name = next(name for name in merged if name.endswith("q_proj.weight"))
    part = name[name.index("layers") :].removesuffix(".weight")
    base = load_file(Path(bases["language_model"]) / "model.safetensors")
    adapter = load_file(checkpoint / "adapter" / "adapter_model.safetensors")
    config = json.loads((checkpoint / "adapter" / "adapter_config.json").read_text())
    a, b = (
        next(t for n, t in adapter.items() if part in n and f"lora_{letter}" in n)
        for letter in "AB"
    )
    weight = next(t for n, t in base.items() if part in n)
    exact = weight.double() + (b.double() @ a.double()) * config["lora_alpha"] / config["r"]
    assert torch.equal(merged[name], exact.to(torch.bfloat16))


def test_an_output_that_does_not_fit_its_form_is_refused(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    for output, form in (("x.pth", "peft"), ("x", "pth")):
        result = goldfish("model", "export", checkpoint, tmp_path / output, "--as", form)
        assert result.exit_code == 2
        assert "does not fit --as" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_an_adapter_has_none_to_export(
    goldfish: Callable[..., object], bases: dict[str, str], tmp_path: Path
) -> None:
    profile = Profile(name="test", device="cpu", dtype="float32")
    started = start_model(profile, bases=bases, offline=True)
    save_checkpoint(started.model, tmp_path / "bare", started.tokenizer)
    result = goldfish("model", "export", tmp_path / "bare", tmp_path / "x", "--as", "peft")
    assert result.exit_code == 5
    assert "no adapter" in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_whole_model_cannot_be_exported(
    goldfish: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    assert goldfish("model", "export", checkpoint, tmp_path / "merged").exit_code == 0
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
    result = goldfish("model", "export", checkpoint, tmp_path / "merged", *options)
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
