import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from goldfish_cli import errors
from goldfish_cli.cli import GoldfishGroup

ALL_ERRORS = [
    (errors.GoldfishError, 1),
    (errors.UsageError, 2),
    (errors.MissingPackageError, 2),
    (errors.VideoError, 3),
    (errors.SubtitleError, 3),
    (errors.AnnotationError, 3),
    (errors.ProfileError, 4),
    (errors.DoesNotFitError, 4),
    (errors.ModelError, 5),
    (errors.CheckpointError, 5),
    (errors.OutOfMemoryError, 6),
    (errors.IndexFolderError, 7),
    (errors.UnsupportedAnswerError, 7),
    (errors.PartialError, 8),
    (errors.InterruptedRunError, 130),
]


def run_raising(error: BaseException) -> "tuple[int, str, str]":
    app = typer.Typer(cls=GoldfishGroup, pretty_exceptions_enable=False)

    @app.command()
    def ask() -> None:
        typer.echo("a first result")
        raise error

    @app.command()
    def doctor() -> None:
        """Make the app a group."""

    result = CliRunner().invoke(app, ["ask"])
    assert result.stdout == "a first result\n"
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("kind", "code"), ALL_ERRORS)
def test_a_failure_becomes_an_error_a_hint_and_its_exit_code(
    kind: type[errors.GoldfishError], code: int
) -> None:
    exit_code, _, stderr = run_raising(kind("It broke.", hint="Mend it"))
    assert exit_code == code
    assert stderr == "error: It broke.\nhint: Mend it\n"


def test_every_error_class_has_its_exit_code_tested() -> None:
    known = {cls for cls in vars(errors).values() if isinstance(cls, type)}
    assert known - {kind for kind, _ in ALL_ERRORS} == {errors.InputError}


def test_a_failure_without_a_hint_is_one_line() -> None:
    assert run_raising(errors.VideoError("It broke."))[2] == "error: It broke.\n"


def test_ctrl_c_is_130_without_a_traceback() -> None:
    exit_code, _, stderr = run_raising(KeyboardInterrupt())
    assert exit_code == 130
    assert stderr == "error: Interrupted.\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 9 TiB"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nProcess 1 has ..."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_running_out_of_memory_is_6_with_a_way_out(error: BaseException) -> None:
    exit_code, _, stderr = run_raising(error)
    assert exit_code == 6
    assert re.fullmatch(
        r"error: Out of memory: [^\n]+\nhint: [^\n]*smaller profile[^\n]*\n", stderr
    )


def test_a_real_allocation_that_is_too_large_is_6() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert run_raising(caught.value)[0] == 6


def test_anything_else_is_a_bug_in_one_line_that_says_how_to_see_more() -> None:
    exit_code, _, stderr = run_raising(ValueError("odd\nand long"))
    assert exit_code == 1
    first, second = stderr.splitlines()
    assert first == "bug: ValueError: odd"
    assert "GOLDFISH_DEBUG=1" in second


def test_the_debug_switch_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFISH_DEBUG", "1")
    exit_code, _, stderr = run_raising(errors.VideoError("It broke."))
    assert exit_code == 3
    assert "Traceback" in stderr
    assert stderr.endswith("error: It broke.\n")


def test_a_mistyped_command_is_suggested(goldfish: Callable[..., object]) -> None:
    result = goldfish("profil", "list")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: No such command 'profil'. Did you mean 'profile'?",
        "hint: See: goldfish --help",
    ]


def test_a_mistyped_option_is_suggested(goldfish: Callable[..., object]) -> None:
    result = goldfish("profile", "list", "--jsn")
    assert result.exit_code == 2
    assert "--json" in result.stderr
    assert "hint: See: goldfish profile list --help" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["profile", "plan", "--stage", "4"],
        ["--nonsense"],
        ["model", "import", "only-one.pth"],
        ["profile", "show", "--profile"],
        ["doctor", "surplus"],
    ],
)
def test_a_usage_error_is_one_line_and_a_hint(
    goldfish: Callable[..., object], arguments: list[str]
) -> None:
    result = goldfish(*arguments)
    assert result.exit_code == 2
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert re.fullmatch(r"hint: See: goldfish.* --help", hint)


def test_a_closed_pipe_ends_quietly(repository: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "goldfish_cli.cli", "profile", "list", "--json"],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # before anything is written
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_text_that_the_terminal_cannot_show_does_not_end_the_command(
    goldfish_process: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text("description: größer\n", encoding="utf-8")
    result = goldfish_process("profile", "show", path, environment={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert '"gr\\xf6\\xdfe"' in result.stdout
