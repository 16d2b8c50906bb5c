import json
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from goldfish_cli.commands.options import parse_assignments
from goldfish_cli.commands.output import note, progress, show, show_json, table, warn
from goldfish_cli.errors import UsageError
from goldfish_cli.profiles import load_profile


@dataclass(frozen=True, slots=True)
class Inner:
    time: float


@dataclass(frozen=True, slots=True)
class Outer:
    video: Path
    rate: Fraction
    frames: tuple[Inner, ...]
    text: str


def test_a_result_of_any_kind_becomes_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    result = Outer(Path("a b.mp4"), Fraction(30000, 1001), (Inner(0.5),), "two\nlines, größer")
    show_json({"result": result, "profile": load_profile("cpu"), "score": np.float32(0.5)})
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    found = json.loads(line)
    assert found["result"]["video"] == "a b.mp4"
    assert found["result"]["rate"] == pytest.approx(29.97, abs=0.001)
    assert found["result"]["frames"] == [{"time": 0.5}]
    assert "größer" in line
    assert found["profile"]["name"] == "cpu"
    assert found["score"] == 0.5


def test_what_has_no_json_form_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        show_json({"thing": object()})


def test_only_results_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    show("an answer")
    note("good to know")
    warn("take care")
    captured = capsys.readouterr()
    assert captured.out == "an answer\n"
    assert captured.err == "note: good to know\nwarning: take care\n"


def test_quiet_keeps_notes_back(capsys: pytest.CaptureFixture[str]) -> None:
    note("good to know", quiet=True)
    warn("take care", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_results_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show("[bold]not markup[/bold] " + "long " * 60, end="")
    assert capsys.readouterr().out == "[bold]not markup[/bold] " + "long " * 60


def test_a_table_in_a_pipe_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table(["name", "value"], [("a", 1), ("long" * 40, None)])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.index("value") == first.index("1")
    assert second == "long" * 40


@pytest.mark.parametrize("quiet", [True, False])
def test_no_bar_is_drawn_where_there_is_no_terminal(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Working", 3, quiet=quiet) as advance:
        advance(1)
        advance(2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal_is_drawn_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("Working", 3, unit="clips") as advance:
        advance(3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Working" in captured.err
    assert "3/3" in captured.err


def test_assignments_are_keys_and_values() -> None:
    assert parse_assignments(["a.b=1e-4", "c = x=y"]) == {"a.b": "1e-4", "c": "x=y"}


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_an_assignment_without_a_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="KEY=VALUE"):
        parse_assignments([text])


def test_what_libraries_print_goes_to_stderr_and_results_to_stdout(repository: Path) -> None:
    code = """
import os, subprocess, sys
from goldfish_cli.commands.output import show, stdout_for_results_alone, table
with stdout_for_results_alone():
    print("from Python")
    os.write(1, b"from C\\n")
    subprocess.run([sys.executable, "-c", "print('from a process')"], check=True)
    show("a result")
    table(["a"], [["row"]])
print("afterwards")
os.write(1, b"and from C\\n")
"""
    result = subprocess.run(
        [sys.executable, "-uc", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stdout == "a result\na\nrow\nafterwards\nand from C\n"
    assert result.stderr == "from Python\nfrom C\nfrom a process\n"
