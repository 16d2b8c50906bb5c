import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.errors import ProfileError
from goldfish_cli.profiles import Profile, choose_profile, field_help, load_profile, profile_names

SHIPPED = ["tiny", "cpu", "8gb", "12gb", "16gb", "24gb", "80gb"]


def test_the_shipped_profiles_are_listed_from_small_to_large() -> None:
    assert profile_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_loads_and_states_every_setting(name: str, repository: Path) -> None:
    text = (repository / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    assert load_profile(name).name == name
    assert list(yaml.safe_load(text)) == list(Profile.model_fields)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_opens_with_its_machine_and_prices_its_values(
    name: str, repository: Path
) -> None:
    lines = (repository / "profiles" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# Fits: ")
    assert any(line.startswith("# Try: goldfish ") for line in lines)
    values = [line for line in lines if not line.startswith(("#", "name:", "description:"))]
    without_price = [line for line in values if "  # " not in line]
    assert without_price in ([], ["device: cpu"])


def test_24gb_is_the_recipe_for_one_l4() -> None:
    profile = load_profile("24gb")
    assert profile.max_text_tokens == 160
    assert profile.max_context_tokens == 1024
    assert profile.max_frames == 4
    assert profile.batch_size == 1
    assert profile.quantization == "int8"
    assert profile.activation_checkpointing


@pytest.mark.parametrize("name", ["tiny", "cpu"])
def test_small_profiles_leave_the_frames_to_the_model(name: str) -> None:
    assert load_profile(name).max_frames is None


@pytest.mark.parametrize(
    ("gpu_memory_gib", "name"),
    [
        (None, "cpu"),
        (4.0, "cpu"),
        (7.8, "8gb"),
        (11.7, "12gb"),
        (14.7, "16gb"),  # a T4 shows less than its 16 GB
        (22.3, "24gb"),  # an L4 less than its 24
        (79.1, "80gb"),
        (139.0, "80gb"),
    ],
)
def test_auto_means_the_largest_profile_that_the_gpu_holds(
    gpu_memory_gib: float | None, name: str
) -> None:
    assert choose_profile(gpu_memory_gib) == name


@settings(max_examples=20)
@given(st.floats(0, 200), st.floats(0, 200))
def test_more_gpu_memory_never_means_a_smaller_profile(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert SHIPPED.index(choose_profile(small)) <= SHIPPED.index(choose_profile(large))


def test_an_unknown_profile_lists_the_known_ones_and_suggests_the_nearest() -> None:
    with pytest.raises(ProfileError, match="no profile '24g'") as caught:
        load_profile("24g")
    assert "Did you mean 24gb?" in caught.value.hint
    assert all(name in caught.value.hint for name in SHIPPED)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("max_framez: 3\ndtype: float8\nbatch_size: 0\nthreads: two\n")
    with pytest.raises(ProfileError, match=r"4 mistakes in profile mine\.yaml") as caught:
        load_profile(path)
    message = str(caught.value)
    assert "unknown key max_framez (did you mean max_frames?)" in message
    assert "dtype is 'float8'" in message
    assert "batch_size is 0" in message
    assert "threads is 'two'" in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "max_frames: [", "just words"])
def test_a_file_without_settings_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError, match=r"odd\.yaml"):
        load_profile(path)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ProfileError, match=r"no profile file nowhere/mine\.yaml"):
        load_profile("nowhere/mine.yaml")


def test_a_profile_of_ones_own_needs_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("max_frames: 7\n")
    profile = load_profile(str(path))
    assert profile.name == "mine"
    assert profile.max_frames == 7
    assert profile.quantization == "none"


def test_an_option_wins_over_the_profile_and_none_means_not_given() -> None:
    profile = load_profile("24gb", max_frames=9, max_new_tokens=None)
    assert profile.max_frames == 9
    assert profile.max_new_tokens == 512


def test_a_wrong_option_is_a_mistake_of_the_profile() -> None:
    with pytest.raises(ProfileError, match="max_frames is -1"):
        load_profile("cpu", max_frames=-1)


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_profile("cpu").max_frames = 3  # type: ignore[misc]


def test_every_setting_is_documented() -> None:
    assert all(field_help().values())


def test_an_installed_wheel_finds_the_profiles_that_it_brings(
    repository: Path, tmp_path: Path
) -> None:
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert '"profiles" = "goldfish_cli/_profiles"' in project  # laid out so below
    package = tmp_path / "goldfish_cli"
    package.mkdir()
    for name in ("__init__.py", "errors.py", "profiles.py"):
        shutil.copy(repository / "goldfish_cli" / name, package)
    shutil.copytree(repository / "profiles", package / "_profiles")
    code = "from goldfish_cli import profiles as p; print(p.__file__, *p.profile_names())"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert result.stdout.split() == [str(package / "profiles.py"), *SHIPPED], result.stderr
