from pathlib import Path

import pytest

from goldfish_cli.commands.options import is_default_model, model_name, profile_for
from goldfish_cli.model import machine


@pytest.fixture
def on_an_l4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_memory_gib", lambda: 22.3)


@pytest.mark.usefixtures("on_an_l4")
def test_auto_is_what_the_gpu_holds() -> None:
    assert profile_for(None, "runs/stage3").name == "24gb"
    assert profile_for("auto", "owner/model").name == "24gb"


@pytest.mark.usefixtures("on_an_l4")
def test_the_bundled_model_keeps_all_its_frames_on_a_gpu() -> None:
    assert profile_for(None, "minnow").name == "tiny"
    assert profile_for("24gb", "minnow").name == "24gb"


@pytest.mark.usefixtures("on_an_l4")
def test_a_server_needs_no_gpu_here() -> None:
    assert profile_for(None, "openai:some-model@http://localhost:8000/v1").name == "cpu"


def test_without_a_gpu_auto_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_memory_gib", lambda: None)
    assert profile_for(None, "minnow").name == "cpu"
    assert profile_for(None, "owner/model").name == "cpu"


def test_options_replace_settings_of_the_profile() -> None:
    assert profile_for("cpu", max_new_tokens=7, max_frames=None).max_new_tokens == 7


def test_the_model_comes_from_the_option_else_the_config_file_else_it_is_minnow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert model_name(None) == "minnow"
    assert is_default_model(None)
    (tmp_path / "goldfish").mkdir()
    (tmp_path / "goldfish" / "config.yaml").write_text("model: runs/stage3\n")
    assert model_name(None) == "runs/stage3"
    assert model_name("other") == "other"
    assert not is_default_model(None)
