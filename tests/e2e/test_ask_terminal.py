"""``goldfish ask --chat`` in a terminal: a pseudo-terminal plays the person's."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ask_parts import save_goldfish, write_video

PROMPT = b"\x1b[?2004h"  # what a terminal is told when a line can be typed

pty = pytest.importorskip("pty", reason="pseudo-terminals are of POSIX")


def test_a_chat_in_a_terminal_answers_keeps_stdout_clean_and_ends_with_ctrl_d(
    tmp_path: Path, repository: Path
) -> None:
    folder = save_goldfish(tmp_path / "model")
    film = write_video(tmp_path / "clip.mp4")
    person, terminal = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(repository), "TERM": "xterm"}
    command = [sys.executable, "-m", "goldfish_cli.cli", "ask", str(film), "--chat", "--json"]
    with subprocess.Popen(
        [*command, "--model", str(folder), "--profile", "cpu", "--max-new-tokens", "4"],
        env=environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        seen = bytearray()
        reader = threading.Thread(target=_collect, args=(person, seen))
        reader.start()
        _wait_for(PROMPT, 1, seen, process)
        os.write(person, b"What?\r")
        assert process.stdout
        answers = [json.loads(process.stdout.readline())]
        _wait_for(PROMPT, 2, seen, process)
        os.write(person, b"half a quest\x03Who?\r")  # Ctrl-C throws a line away
        answers.append(json.loads(process.stdout.readline()))
        _wait_for(PROMPT, 4, seen, process)  # the third was thrown away
        os.write(person, b"\x04")
        rest = process.stdout.read()
        process.wait(timeout=60)
    os.close(person)
    reader.join(timeout=10)
    assert process.returncode == 0
    assert [answer["question"] for answer in answers] == ["What?", "Who?"]
    assert rest == b""
    assert b"/help" in seen


def _collect(person: int, seen: bytearray) -> None:
    while True:
        try:
            data = os.read(person, 4096)
        except OSError:  # how a pseudo-terminal says that the program is gone
            return
        if not data:
            return
        seen.extend(data)
        if b"\x1b[6n" in data:  # the program asks where the cursor is
            os.write(person, b"\x1b[1;1R")


def _wait_for(what: bytes, times: int, seen: bytearray, process: "subprocess.Popen[bytes]") -> None:
    while seen.count(what) < times:
        assert process.poll() is None, seen.decode(errors="replace")
        threading.Event().wait(0.05)
