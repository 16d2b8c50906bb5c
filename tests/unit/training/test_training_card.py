"""The model card of a stage: what it was made of can be read, and checked."""

import hashlib
import json
import shutil
import sys

import pytest
from huggingface_hub import ModelCard
from test_training_stages import make_run

from goldfish_cli.model.bases import identify
from goldfish_cli.model.folders import model_card
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.stages import run_stage


def table(card: ModelCard, section: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of a section's first table by their first cell."""
    text = card.text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {line[0]: tuple(line[1:]) for line in lines}


@pytest.fixture(scope="module")
def stage3(base, data, profile, tmp_path_factory):
    """A finished stage 3 of which one sample has no video."""
    out = tmp_path_factory.mktemp("card")
    copy = out / "data"
    shutil.copytree(data, copy)
    records = json.loads((copy / "instructions.json").read_text())
    records.append({"video_id": "lost", "q": "a | b?", "a": "c", "length": 1})
    (copy / "instructions.json").write_text(json.dumps(records))
    settings = {"validation": 0.4, "save_steps": 3}
    return run_stage(make_run(3, base, out, copy, profile, settings=settings)), copy


def test_the_card_names_the_data_by_content_and_what_was_left_out(stage3):
    folder, copy = stage3
    card = ModelCard.load(folder / "README.md")
    file = copy / "instructions.json"
    samples, weight, content = table(card, "Data")[f"`{file}`"]
    assert hashlib.sha256(file.read_bytes()).hexdigest() in content
    held = int(card.text.split("Held back to measure on: ")[1].split()[0])
    assert held > 0 and int(samples) + held == 12
    assert weight == "1"
    assert "Left out: 1 samples." in card.text
    assert "no such video or image" in card.text


def test_the_card_tells_losses_settings_cost_and_machine(stage3, base):
    folder, _ = stage3
    card = ModelCard.load(folder / "README.md")
    lines = list(read_log(folder / "train_log.jsonl"))
    tokens = [line["tokens"] for line in lines if "tokens" in line]
    logged = [line["loss"] for line in lines if "loss" in line]
    held = [line["validation_loss"] for line in lines if "validation_loss" in line]
    losses = table(card, "Losses")
    assert losses["first"] == ("1", f"{logged[0]:.4f}")
    assert losses["last"] == ("6", f"{logged[-1]:.4f}")
    assert losses["held back, first"] == ("3", f"{held[0]:.4f}")
    assert losses["held back, last"] == ("6", f"{held[-1]:.4f}")
    assert table(card, "Settings")["lora.r"] == ("64",)
    assert table(card, "Cost")["tokens"] == (f"{tokens[-1]:,}",)
    machine = table(card, "Machine")
    assert {"processor", "torch", "transformers", "peft", "bitsandbytes"} <= set(machine)
    assert str(base) in card.text
    assert identify(base, "language_model") in card.text


def test_the_header_is_one_that_the_hub_reads_and_names_peft(stage3):
    folder, _ = stage3
    card = ModelCard.load(folder / "README.md")
    assert card.data.pipeline_tag == "video-text-to-text"
    assert card.data.library_name == "goldfish-video"
    assert "peft" in card.data.tags
    assert 'peft.PeftModel.from_pretrained(language_model, "THIS_FOLDER/adapter")' in card.text


def test_the_picture_stands_beside_the_card_that_shows_it(stage3):
    pytest.importorskip("matplotlib")
    folder, _ = stage3
    assert "![Loss over steps](curves.png)" in (folder / "README.md").read_text()
    assert (folder / "curves.png").is_file()


def test_a_stage_without_adapter_matplotlib_or_held_back_samples_has_a_card_too(
    base, data, profile, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    folder = run_stage(make_run(1, base, tmp_path, data, profile))
    card = ModelCard.load(folder / "README.md")
    assert "peft" not in card.data.tags
    assert "## Adapter" not in card.text
    assert "![" not in card.text
    assert "held back," not in card.text
    assert "bytes" in table(card, "Data")[f"`{data / 'images.tar'}`"][2]
    assert "Left out: none." in card.text


def test_bases_from_the_hub_are_linked_and_local_paths_are_not(config):
    record = {"hash": "0" * 32}
    named = config.__class__(**config.to_dict())
    named.base_models = {
        "vision_encoder": record | {"name": "/models/eva.pth"},
        "language_model": record | {"name": "meta-llama/Llama-2-7b-chat-hf"},
    }
    card = ModelCard(model_card(named, "", has_adapter=False))
    assert card.data.base_model == ["meta-llama/Llama-2-7b-chat-hf"]
