"""What all tests share: one torch thread, no network, nobody's own configuration."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("goldfish", deadline=None, derandomize=True)  # any machine, any load
settings.load_profile("goldfish")
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: threads fight on a shared machine
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # HF_HUB_OFFLINE=0 pytest -m network
os.environ |= {"NO_COLOR": "1", "COLUMNS": "100", "TERMINAL_WIDTH": "100"}
for variable in (
    "GOLDFISH_PROFILE",
    "GOLDFISH_MODEL",
    "GOLDFISH_DEBUG",
    "FORCE_COLOR",
    "PY_COLORS",
    "GITHUB_ACTIONS",  # makes Typer colour its help
):
    os.environ.pop(variable, None)

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def empty_user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point configuration, caches and data at empty folders, so that nobody's own are read."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
            patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of reference material beside the repository; without it the test is skipped."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no reference material beside the repository")
    return folder
