"""Run ``goldfish`` in this process, or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from goldfish_cli.cli import app


@pytest.fixture
def goldfish() -> Callable[..., Result]:
    """Run a command line in this process; the result has exit_code, stdout and stderr."""

    def run(*arguments: str | Path, **options: object) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, words, prog_name="goldfish", **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def goldfish_process(repository: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a command line in a process of its own, as from a shell with no terminal."""

    def run(
        *arguments: str | Path, environment: dict[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "goldfish_cli.cli", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(repository)} | (environment or {}),
            cwd=cwd or repository,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
