import json
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfish_cli.profiles import Profile, profile_names


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's config file belongs; it does not exist yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "goldfish"
    folder.mkdir()
    return folder / "config.yaml"


def shown(result: object) -> dict[str, object]:
    assert result.exit_code == 0, result.stderr  # type: ignore[attr-defined]
    return json.loads(result.stdout)  # type: ignore[attr-defined]


def test_the_list_shows_every_shipped_profile(goldfish: Callable[..., object]) -> None:
    lines = goldfish("profile", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["profile", *profile_names()]
    objects = [
        json.loads(line) for line in goldfish("profile", "list", "--json").stdout.splitlines()
    ]
    assert [item["name"] for item in objects] == profile_names()


def test_show_explains_every_setting(goldfish: Callable[..., object]) -> None:
    stdout = goldfish("profile", "show", "24gb").stdout
    assert "max_text_tokens: 160\n" in stdout
    for name, field in Profile.model_fields.items():
        assert f"{name}: " in stdout
        assert str(field.description) in stdout


def test_without_any_choice_the_profile_fits_the_machine(goldfish: Callable[..., object]) -> None:
    assert shown(goldfish("profile", "show", "--json"))["name"] in {"cpu", "tiny"}


def test_an_option_wins_over_the_environment_and_that_over_the_config_file(
    goldfish: Callable[..., object], config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file.write_text("profile: 12gb\n")
    assert shown(goldfish("profile", "show", "--json"))["name"] == "12gb"
    monkeypatch.setenv("GOLDFISH_PROFILE", "16gb")
    assert shown(goldfish("profile", "show", "--json"))["name"] == "16gb"
    assert shown(goldfish("profile", "show", "--json", "--profile", "80gb"))["name"] == "80gb"


@pytest.mark.parametrize("text", ["profil: 12gb\n", "profile: [1]\n", "- a\n", "profile: {"])
def test_a_wrong_config_file_is_a_usage_error_that_names_it(
    goldfish: Callable[..., object], config_file: Path, text: str
) -> None:
    config_file.write_text(text)
    result = goldfish("profile", "show")
    assert result.exit_code == 2
    assert str(config_file) in result.stderr


def test_an_empty_config_file_sets_nothing(
    goldfish: Callable[..., object], config_file: Path
) -> None:
    config_file.write_text("# nothing yet\n")
    assert shown(goldfish("profile", "show", "--json"))["name"] in {"cpu", "tiny"}


def test_an_unknown_profile_is_4_and_lists_the_known_ones(goldfish: Callable[..., object]) -> None:
    result = goldfish("profile", "show", "24g")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "Did you mean 24gb?" in result.stderr


@pytest.mark.parametrize(
    "order",
    [
        ["--json", "24gb", "--stage", "3"],
        ["24gb", "--json", "--stage", "3"],
        ["--stage", "3", "24gb", "--json"],
    ],
)
def test_a_plan_is_the_same_wherever_its_options_stand(
    goldfish: Callable[..., object], order: list[str]
) -> None:
    result = goldfish("profile", "plan", *order)
    assert result.exit_code == 0
    *rows, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(row.keys() == {"component", "gib"} for row in rows)
    assert summary.keys() == {"total", "budget", "fits"}
    assert summary["budget"] == 22.0
    assert summary["fits"] is True
    assert sum(row["gib"] for row in rows) == pytest.approx(summary["total"], abs=0.01)
    assert {"language model", "vision encoder", "activations"} <= {row["component"] for row in rows}
    assert result.stderr == ""


def test_a_plan_in_words_says_that_it_is_an_estimate(goldfish: Callable[..., object]) -> None:
    result = goldfish("profile", "plan", "24gb")
    assert result.stderr.startswith("note: An estimate for asking with ViT-g/14 and Llama-2-7B")
    header, *_, last = result.stdout.splitlines()
    assert header.split() == ["component", "gib"]
    assert last.split()[0::2] == ["total", "budget", "fits"]
    assert last.endswith("fits yes")
    assert goldfish("profile", "plan", "24gb", "--quiet").stderr == ""


def test_work_that_does_not_fit_is_4_with_the_nearest_settings(
    goldfish: Callable[..., object], tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("quantization: none\nmemory_gib: 11\nencoder_chunk: 1\n")
    result = goldfish("profile", "plan", path, "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout.splitlines()[-1])["fits"] is False
    assert "hint: It would fit with quantization: int8\n" in result.stderr


def test_stored_features_leave_the_encoder_out(goldfish: Callable[..., object]) -> None:
    live = goldfish("profile", "plan", "8gb", "--stage", "3")
    stored = goldfish("profile", "plan", "8gb", "--stage", "3", "--stored-features")
    assert (live.exit_code, stored.exit_code) == (4, 0)
    assert "vision encoder" in live.stdout
    assert "vision encoder" not in stored.stdout


def test_a_model_that_is_not_there_is_5(goldfish: Callable[..., object]) -> None:
    result = goldfish("profile", "plan", "cpu", "--model", "nowhere/at_all", "--offline")
    assert result.exit_code == 5
    assert "nowhere/at_all" in result.stderr


def test_a_profile_file_may_have_any_name(
    goldfish: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-x.yaml", "with space.yaml", "ünï.yaml"):
        Path(name).write_text("max_frames: 3\n")
        for arguments in (["--", name], [f"./{name}"]):
            settings = shown(goldfish("profile", "show", "--json", *arguments))
            assert settings["max_frames"] == 3
