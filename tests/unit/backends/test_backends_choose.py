from pathlib import Path

import pytest

from goldfish_cli.backends.choose import load_backend
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.backends.server import ServerModel
from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.profiles import Profile


def test_a_goldfish_folder_gets_the_native_backend(goldfish_folder: Path, profile: Profile) -> None:
    model = load_backend(str(goldfish_folder), profile)
    assert isinstance(model, NativeModel)
    assert model.name == str(goldfish_folder)


def test_a_server_gets_the_server_backend(profile: Profile) -> None:
    name = "openai:org/model@http://localhost:8000/v1"
    model = load_backend(name, profile, offline=True)
    assert isinstance(model, ServerModel)
    assert model.name == name


@pytest.mark.parametrize("name", ["mino", "./nowhere", "C:\\models\\x", "a/b/c"])
def test_an_unknown_name_lists_the_known_forms(name: str, profile: Profile) -> None:
    with pytest.raises(ModelError, match="There is no model") as caught:
        load_backend(name, profile)
    for form in ("minnow", ".pth", "Transformers", "openai:MODEL@URL"):
        assert form in caught.value.hint


def test_a_mistyped_minnow_gets_a_suggestion(profile: Profile) -> None:
    with pytest.raises(ModelError) as caught:
        load_backend("minow", profile)
    assert "Did you mean minnow?" in caught.value.hint


def test_a_file_is_not_a_model(tmp_path: Path, profile: Profile) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("x")
    with pytest.raises(ModelError, match="is a file"):
        load_backend(str(file), profile)


def test_a_pth_that_does_not_exist_is_said(tmp_path: Path, profile: Profile) -> None:
    with pytest.raises(ModelError, match=r"no .*gone\.pth"):
        load_backend(str(tmp_path / "gone.pth"), profile)


def test_weights_that_are_not_here_say_how_to_get_them(profile: Profile) -> None:
    with pytest.raises(ModelError, match="not on this machine") as caught:
        load_backend("goldfish-tests/no-such-model", profile, offline=True)
    assert "Fetch it" in caught.value.hint
    assert caught.value.exit_code == 5


def test_a_folder_of_another_model_is_refused_with_its_name(
    tmp_path: Path, profile: Profile
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match=tmp_path.name):
        load_backend(str(tmp_path), profile)


def test_a_config_that_is_not_json_is_refused(tmp_path: Path, profile: Profile) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        load_backend(str(tmp_path), profile)
