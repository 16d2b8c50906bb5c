"""``goldfish ask`` as a program: odd names, bad files, pipes and signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ask_parts import save_goldfish, write_audio, write_video

GOLDFISH = [sys.executable, "-m", "goldfish_cli.cli"]
NAMES = ["with space.mp4", 'it\'s "quoted".mp4', "-v.mp4", "Пётр 猫 é.mp4", "50%$HOME;x&.mp4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_goldfish(tmp_path_factory.mktemp("goldfish"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "clip.mp4")


@pytest.fixture
def environment(folder: Path, repository: Path) -> dict[str, str]:
    return os.environ | {
        "GOLDFISH_MODEL": str(folder),
        "GOLDFISH_PROFILE": "cpu",
        "PYTHONPATH": str(repository),
        "PYTHONUTF8": "1",
    }


def run(
    arguments: list[str], environment: dict[str, str], where: Path, *, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*GOLDFISH, "ask", *arguments],
        cwd=where,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=280,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_found(
    name: str, film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """A start after the end is told with the name, so no model need be loaded to see it read."""
    shutil.copy(film, tmp_path / name)
    result = run(["--start", "9", "--", name, "What?"], environment, tmp_path)
    assert result.returncode == 2
    assert f"{name} lasts 2.00 s" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_answered_about(
    name: str, film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copy(film, tmp_path / name)
    result = run(["--json", "--", name, "What?"], environment, tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["video"] == name


def test_a_question_is_answered_twice_with_the_same_bytes(
    film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    first, second = (
        run([str(film), "What?", "猫は?", "--max-new-tokens", "16"], environment, tmp_path)
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.startswith("Q: What?\nA: ")
    assert "Q: 猫は?\nA: " in first.stdout


def test_bad_files_exit_3_in_one_line_with_a_hint(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 64)
    write_audio(tmp_path / "speech.wav")
    for name in ("empty.mp4", "noise.mp4", "speech.wav", "gone.mp4"):
        result = run([name, "What?"], environment, tmp_path)
        assert result.returncode == 3, name
        assert result.stdout == ""
        error, hint = result.stderr.splitlines()
        assert error.startswith("error: ")
        assert name in error
        assert hint.startswith("hint: ")


def test_what_is_wrong_is_told_before_torch_is_loaded(
    film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    script = (
        "import sys; from goldfish_cli.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as error: print(error.code, 'torch' in sys.modules)"
    )
    for arguments in (["gone.mp4", "What?"], [str(film), "?"], [str(film), "What?", "--end", "0"]):
        result = subprocess.run(
            [sys.executable, "-c", script, "ask", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.stdout.split()[-1] == "False", (arguments, result)


def test_a_missing_model_exits_5_and_names_the_known_forms(
    film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"GOLDFISH_MODEL": "minow"}
    result = run([str(film), "What?"], environment, tmp_path)
    assert result.returncode == 5
    assert "Did you mean minnow?" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_chat_with_130(
    film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [*GOLDFISH, "ask", str(film), "--chat"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores the signal, and so would its child
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write("What?\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith("\n")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_an_answer_into_a_closed_pipe_ends_quietly(
    film: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [*GOLDFISH, "ask", str(film), *(f"What is {i}?" for i in range(50))],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=120)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
