import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from goldfish_cli import __version__
from goldfish_cli.cli import app

COMMANDS = ["ask", "index", "longask", "prep", "train", "eval", "profile", "model", "doctor"]
HEAVY = {"torch", "transformers", "peft", "av", "decord", "chromadb", "whisper", "numpy", "PIL"}


def command_paths(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from command_paths(child, (*path, name))


PATHS = list(command_paths(typer.main.get_command(app)))


def test_the_commands_stand_in_the_order_in_which_a_user_meets_them(
    goldfish: Callable[..., object],
) -> None:
    help_text = goldfish("--help").stdout
    places = [help_text.index(f"│ {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert {path[0] for path in PATHS if path} == set(COMMANDS)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_help_page_has_an_example(
    path: tuple[str, ...], goldfish: Callable[..., object]
) -> None:
    result = goldfish(*path, "--help")
    assert result.exit_code == 0
    assert f"Example: goldfish {' '.join(path)}".rstrip() in result.stdout


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert [option.name for option in command.params if not getattr(option, "help", "")] == []


def test_the_version_is_shown(goldfish: Callable[..., object]) -> None:
    assert goldfish("--version").stdout == f"goldfish {__version__}\n"


def test_no_arguments_show_the_help_and_are_a_usage_error(goldfish: Callable[..., object]) -> None:
    result = goldfish()
    assert result.exit_code == 2
    assert "Usage: goldfish" in result.stdout


@pytest.mark.parametrize("path", [(), ("ask",), ("train",), ("profile",)], ids=" ".join)
def test_help_loads_no_heavy_library(path: tuple[str, ...], repository: Path) -> None:
    code = (
        "import atexit, sys; from goldfish_cli.cli import main; "
        f"atexit.register(lambda: print('HEAVY', *({HEAVY!r} & set(sys.modules)))); "
        f"sys.argv = ['goldfish', *{path!r}, '--help']; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "HEAVY"


def test_help_takes_little_time(repository: Path) -> None:
    # 0.35 s of processor time is what we promise; a loaded machine makes the same work dearer, so
    # it is measured against Python's own start and the import of Typer.
    help_time = _cpu_seconds(["-m", "goldfish_cli.cli", "--help"], repository)
    typer_time = _cpu_seconds(["-c", "import typer, typer.rich_utils"], repository)
    assert help_time < max(0.35, 2.5 * typer_time)


def _cpu_seconds(arguments: list[str], cwd: Path) -> float:
    """Return the least user and system time of three runs."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_given_a_completion_script(
    shell: str, goldfish_process: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    result = goldfish_process("--show-completion", shell)
    assert result.returncode == 0, result.stderr
    assert "_GOLDFISH_COMPLETE" in result.stdout


def test_commands_and_profiles_are_completed(
    goldfish_process: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    def complete(words: str) -> list[str]:
        environment = {
            "_GOLDFISH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        return goldfish_process(environment=environment).stdout.split()

    assert complete("goldfish pro") == ["profile"]
    assert complete("goldfish ask --profile 2") == ["24gb"]


def test_the_help_pages_in_docs_are_those_of_the_commands(repository: Path) -> None:
    spec = spec_from_file_location("write_help_pages", repository / "docs/write_help_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    written = {path.name: path.read_text(encoding="utf-8") for path in module.PAGES.glob("*.md")}
    assert written == module.help_pages(), "run: make docs"
