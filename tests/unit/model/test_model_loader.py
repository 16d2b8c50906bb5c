"""The one loader: names, devices, number formats, quantization, and what it does not import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from model_parts import IMAGE_TOKEN_ID

from goldfish_cli.errors import CheckpointError, ModelError, ProfileError
from goldfish_cli.model.adapters import add_lora, merge_lora
from goldfish_cli.model.checkpoint import save_checkpoint
from goldfish_cli.model.devices import SMALL_MODEL_BYTES, choose_device, choose_dtype
from goldfish_cli.model.export import export_merged
from goldfish_cli.model.loader import LoadedModel, load_config, load_model, start_model
from goldfish_cli.profiles import Profile

CPU = torch.device("cpu")


@pytest.fixture
def whole(started: LoadedModel, tmp_path: Path) -> Path:
    export_merged(started.model, tmp_path / "whole", started.tokenizer)
    return tmp_path / "whole"


def test_a_name_of_no_known_form_lists_the_forms(profile: Profile, tmp_path: Path) -> None:
    for name, message in {
        "minow": "no native model minow",
        str(tmp_path): "holds no Goldfish model",
        str(tmp_path / "x.pth"): "There is no file",
    }.items():
        for load in (lambda name: load_model(name, profile), load_config):
            with pytest.raises(ModelError, match=message) as caught:
                load(name)
            assert "minnow" in caught.value.hint


def test_a_foreign_pickle_is_not_a_checkpoint(profile: Profile, tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(1)}, tmp_path / "foreign.pth")
    with pytest.raises(CheckpointError, match="no entry 'model'"):
        load_model(str(tmp_path / "foreign.pth"), profile)
    torch.save({"model": {"llama_proj.weight": torch.ones(1)}}, tmp_path / "half.pth")
    with pytest.raises(CheckpointError, match=r"lacks llama_proj\.bias"):
        load_model(str(tmp_path / "half.pth"), profile)


def test_a_broken_configuration_is_an_error_with_its_name(whole: Path, profile: Profile) -> None:
    (whole / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
        load_model(str(whole), profile)


def test_an_unknown_prompt_style_is_refused(whole: Path, profile: Profile) -> None:
    config = json.loads((whole / "config.json").read_text())
    config["prompt_style"] = "odd"
    (whole / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="'odd' is unknown"):
        load_model(str(whole), profile)


def test_another_pooling_than_the_trained_one_is_refused(whole: Path, profile: Profile) -> None:
    with pytest.raises(ModelError, match="trained with pooling concat"):
        load_model(str(whole), profile.model_copy(update={"pooling": "mean"}))


def test_the_image_marker_is_a_token_of_the_vocabulary_or_lies_beyond_it(
    base_models: dict[str, str], profile: Profile, tmp_path: Path, started: LoadedModel
) -> None:
    assert started.config.image_token_id == IMAGE_TOKEN_ID
    folder = tmp_path / "llm"
    started.model.language_model.save_pretrained(folder)
    tokenizer = started.tokenizer
    tokenizer.add_tokens(["<ImageHere>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    bases = base_models | {"language_model": str(folder)}
    loaded = start_model(profile, bases=bases, offline=True)
    assert loaded.config.image_token_id == loaded.tokenizer.get_vocab()["<ImageHere>"] == 259


@pytest.mark.parametrize(("kind", "linear"), [("int8", Linear8bitLt), ("nf4", Linear4bit)])
@pytest.mark.parametrize("form", ["whole", "small"])
def test_only_the_language_model_is_quantized(
    wide_bases: dict[str, str],
    tmp_path: Path,
    profile: Profile,
    kind: str,
    linear: type,
    form: str,
) -> None:
    started = start_model(profile, bases=wide_bases, offline=True)
    if form == "whole":
        export_merged(started.model, tmp_path / form, started.tokenizer)
    else:
        save_checkpoint(started.model, tmp_path / form, started.tokenizer)
    quantized = profile.model_copy(update={"quantization": kind})
    loaded = load_model(str(tmp_path / form), quantized, offline=True)
    names = {name for name, layer in loaded.model.named_modules() if isinstance(layer, linear)}
    assert len(names) == 14  # seven linear layers in each of two blocks
    assert all(name.startswith("language_model.model.layers.") for name in names)
    ids = torch.tensor([[256, *[IMAGE_TOKEN_ID] * 4, 5, 6, 7]])
    features = torch.linspace(-1, 1, 4 * 64).reshape(1, 4, 64)
    with torch.no_grad():
        exact = started.model(ids, image_features=features).logits
        rough = loaded.model(ids, image_features=features).logits
    assert rough.isfinite().all()
    similarity = torch.cosine_similarity(exact.flatten(), rough.float().flatten(), dim=0)
    assert similarity > 0.95
    with pytest.raises(ModelError, match="quantized"):
        export_merged(loaded.model, tmp_path / "again", loaded.tokenizer)
    add_lora(loaded.model, r=2)
    with pytest.raises(ModelError, match="quantized"):
        merge_lora(loaded.model)


def test_a_quantized_base_leaves_no_trace_in_the_checkpoint(
    base_models: dict[str, str], profile: Profile, tmp_path: Path
) -> None:
    quantized = profile.model_copy(update={"quantization": "int8"})
    loaded = start_model(quantized, bases=base_models, offline=True)
    save_checkpoint(loaded.model, tmp_path / "small", loaded.tokenizer)
    assert "quantization" not in (tmp_path / "small" / "config.json").read_text()
    plain = load_model(str(tmp_path / "small"), profile, offline=True)
    assert not getattr(plain.model.language_model, "is_quantized", False)


def test_loading_imports_peft_for_adapters_only_and_prints_nothing(
    started: LoadedModel, whole: Path, tmp_path: Path
) -> None:
    save_checkpoint(started.model, tmp_path / "small", started.tokenizer)
    add_lora(started.model, r=2)
    for parameter in started.model.parameters():
        torch.nn.init.ones_(parameter)
    save_checkpoint(started.model, tmp_path / "adapted", started.tokenizer)
    code = (
        "import sys\n"
        "from goldfish_cli.model.loader import load_model\n"
        "from goldfish_cli.profiles import Profile\n"
        "profile = Profile(name='test', device='cpu')\n"
        "watched = {'peft', 'bitsandbytes', 'typer', 'chromadb'}\n"
        "for name in sys.argv[1:]:\n"
        "    load_model(name, profile, offline=True)\n"
        "    print(sorted(watched & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(whole),
            *(str(tmp_path / n) for n in ("small", "adapted")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
    assert "peft" in done.stdout
    assert done.stderr == ""


def test_the_device_is_the_profiles_or_the_best_there_is(profile: Profile) -> None:
    best = choose_device(profile.model_copy(update={"device": "auto"}))
    assert best.type == ("cuda" if torch.cuda.is_available() else best.type)
    if not torch.cuda.is_available():
        with pytest.raises(ProfileError, match="torch sees no such device"):
            choose_device(profile.model_copy(update={"device": "cuda"}))


def test_the_number_format_fits_device_and_size(profile: Profile) -> None:
    auto = profile.model_copy(update={"dtype": "auto"})
    assert choose_dtype(auto, CPU, 1000) == torch.float32
    assert choose_dtype(auto, CPU, SMALL_MODEL_BYTES) == torch.bfloat16
    assert choose_dtype(profile, CPU, SMALL_MODEL_BYTES) == torch.float32
    with pytest.raises(ProfileError, match="float16 on the processor"):
        choose_dtype(profile.model_copy(update={"dtype": "float16"}), CPU, 1)
