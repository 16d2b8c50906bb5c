"""Write one page for each command from its own help text; a test keeps the pages true.

The terminal's width and colours come from the environment: run it by ``make docs``.
"""

from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from goldfish_cli.cli import app

PAGES = Path(__file__).parent / "commands"
NOTE = "<!-- Written by `make docs` from the command's own help. -->"


def help_pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return {
        f"{name}.md": "\n".join([f"# goldfish {name}", "", NOTE, *_sections(name, child)]) + "\n"
        for name, child in command.commands.items()
    }


def _sections(path: str, command: object) -> Iterator[str]:
    if path.count(" "):
        yield from ("", f"## goldfish {path}")
    yield from ("", "```text", _help(path), "```")
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _sections(f"{path} {name}", child)


def _help(path: str) -> str:
    result = CliRunner().invoke(app, [*path.split(), "--help"], prog_name="goldfish")
    return "\n".join(line.rstrip() for line in result.stdout.strip("\n").splitlines())


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for old in PAGES.glob("*.md"):
        old.unlink()
    for name, text in help_pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
