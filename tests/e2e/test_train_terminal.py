"""``goldfish train`` in a terminal: a pseudo-terminal of a given width is watched."""

import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="pseudo-terminals are of POSIX")
import fcntl  # noqa: E402 - of POSIX as well
import struct  # noqa: E402
import termios  # noqa: E402

_TINY = Path(__file__).parents[1] / "unit" / "training" / "conftest.py"
_spec = spec_from_file_location("tiny_training", _TINY)
assert _spec and _spec.loader
_tiny = module_from_spec(_spec)
_spec.loader.exec_module(_tiny)
tokenizer, config, base, data = _tiny.tokenizer, _tiny.config, _tiny.base, _tiny.data

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def watch(command: list[str], environment: dict[str, str], columns: int) -> tuple[str, bytes]:
    """Run a command with its stderr in a terminal; return what stood there, and its stdout."""
    person, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen = bytearray()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal
    ) as process:
        os.close(terminal)
        while True:
            try:
                seen += os.read(person, 65536)
            except OSError:  # how a pseudo-terminal says that the program is gone
                break
        assert process.stdout
        result = process.stdout.read()
    os.close(person)
    assert process.returncode == 0, seen.decode(errors="replace")
    return seen.decode(), result


def _without_size() -> dict[str, str]:
    """The environment, but for what would overrule the size of the terminal."""
    return {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LINES")}


@pytest.mark.parametrize("columns", [40, 100])
def test_a_terminal_sees_a_panel_that_fits_and_stdout_stays_clean(
    repository, base, data, tmp_path, columns
):
    changes = ["max_steps=30", "batch_size=2", "validation=0.3", "log_steps=1", "save_steps=10"]
    text, result = watch(
        [
            *(sys.executable, "-m", "goldfish_cli.cli", "train", "3"),
            *("--data", str(data / "instructions.json"), "--videos", str(data / "videos")),
            *("--from", str(base), "--out", str(tmp_path / "runs"), "--profile", "tiny"),
            *("--features", str(tmp_path / "store")),
            *(word for change in changes for word in ("--set", f"stage3.{change}")),
        ],
        _without_size() | {"PYTHONPATH": str(repository), "TERM": "xterm"},
        columns,
    )
    assert result.decode() == f"{tmp_path / 'runs' / 'stage3_video_instruct_final'}\n"
    lines = _CONTROLS.sub("", text).replace("\r", "\n").split("\n")
    lines = [line for line in lines if line]
    panel, notes = lines[:-1], lines[-1]
    assert notes.startswith("note: Loss curves: ")  # after the panel; the terminal wraps it
    assert max(map(len, panel)) <= columns
    shown = "\n".join(panel)
    last = shown[shown.rindex("stage 3 ") :]
    assert "30/30" in last
    for fact in (
        "loss ",
        "smoothed ",
        "lr ",
        " tokens/s",
        " GiB",
        "held back ",
        "█",
        "▁",
        "asked: ",
        "reference: ",
    ):
        assert fact in last
