"""``goldfish ask`` within this process, with a tiny model."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ask_parts import save_goldfish, write_audio, write_video
from typer.testing import CliRunner, Result

from goldfish_cli.cli import app

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "clip.mp4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_goldfish(tmp_path_factory.mktemp("goldfish"))


@pytest.fixture
def ask(folder: Path) -> Ask:
    torch.set_num_threads(1)

    def run(*arguments: object, stdin: str | None = None) -> Result:
        words = ["ask", *map(str, arguments)]
        options = ["--model", str(folder), "--max-new-tokens", "8"]
        if "--profile" not in words:
            options += ["--profile", "cpu"]
        return CliRunner().invoke(app, [*words, *options], input=stdin)

    return run


def records(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_answer_stands_alone_on_stdout(ask: Ask, film: Path) -> None:
    result = ask(film, "What?")
    (record,) = records(ask(film, "What?", "--json"))
    assert result.exit_code == 0
    assert "Q:" not in result.stdout
    plain = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", str(record["answer"]))
    assert result.stdout == f"{plain}\n"


def test_the_same_command_gives_the_same_bytes(ask: Ask, film: Path) -> None:
    first, second = ask(film, "What?", "Who?"), ask(film, "What?", "Who?")
    assert first.stdout == second.stdout
    assert first.stdout.startswith("Q: What?\nA: ")
    assert "\n\nQ: Who?\nA: " in first.stdout


def test_json_is_one_object_a_question(ask: Ask, film: Path, folder: Path) -> None:
    answers = records(ask(film, "What?", "Who?", "--json", "--frames", 2))
    assert [answer["question"] for answer in answers] == ["What?", "Who?"]
    first = answers[0]
    assert list(first) == [
        "question", "answer", "video", "model", "profile", "frames", "subtitles", "seconds",
        "tokens",
    ]  # fmt: skip
    assert first["model"] == str(folder)
    assert first["profile"] == "cpu"
    assert first["frames"] == [{"time": 0.5}, {"time": 1.5}]
    assert list(first["tokens"]) == ["prompt", "visual", "answer"]  # type: ignore[call-overload]


def test_options_may_stand_before_the_arguments(ask: Ask, film: Path) -> None:
    assert records(ask("--json", "--end", "0:01", film, "What?"))[0]["frames"]


def test_a_part_is_given_by_times_in_any_form(ask: Ask, film: Path) -> None:
    part = ask(film, "What?", "--json", "--start", "0:00:00.5", "--end", "00:01.5", "--frames", 2)
    assert records(part)[0]["frames"] == [{"time": 0.7}, {"time": 1.2}]


def test_questions_come_from_stdin_and_files_too(ask: Ask, film: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.jsonl"
    file.write_text('{"question": "Third?"}\n')
    result = ask(film, "First?", "-", "--questions", file, "--json", stdin="Second,\nor not?\n")
    assert [answer["question"] for answer in records(result)] == [
        "First?",
        "Second,\nor not?",
        "Third?",
    ]


def test_a_subtitle_file_is_used_and_named(ask: Ask, film: Path, tmp_path: Path) -> None:
    file = tmp_path / "words.srt"
    file.write_text("1\n00:00:00,100 --> 00:00:01,000\nthe code is seven\n")
    with_words = records(ask(film, "What?", "--json", "--subtitles", file))[0]
    without = records(ask(film, "What?", "--json", "--subtitles", "none"))[0]
    assert with_words["subtitles"] == "words.srt"
    assert without["subtitles"] == "none"
    assert with_words["tokens"]["prompt"] > without["tokens"]["prompt"]  # type: ignore[index]


def test_drawing_reports_the_seed_that_gives_the_same_answer(ask: Ask, film: Path) -> None:
    drawn = ask(film, "What?", "--temperature", 2)
    seed = re.search(r"--seed (\d+)", drawn.stderr)
    assert seed
    again = ask(film, "What?", "--temperature", 2, "--seed", seed[1])
    other = ask(film, "What?", "--temperature", 2, "--seed", int(seed[1]) + 1)
    assert drawn.stdout == again.stdout != other.stdout
    assert "--seed" not in again.stderr


def test_a_chat_from_a_pipe_answers_line_by_line(ask: Ask, film: Path) -> None:
    lines = "What?\n\n/frames\nWho?\n/reset\n/nonsense\nWhat?\n/quit\nNever?\n"
    result = ask(film, "--chat", "--json", stdin=lines)
    answers = records(result)
    assert result.exit_code == 0
    assert [answer["question"] for answer in answers] == ["What?", "Who?", "What?"]
    assert answers[0]["answer"] == answers[2]["answer"]
    assert answers[1]["tokens"]["prompt"] > answers[0]["tokens"]["prompt"]  # type: ignore[index]
    assert "frames at 0.20, 0.70, 1.20, 1.70 s" in result.stderr
    assert "There is no /nonsense" in result.stderr


def test_a_chat_begins_with_the_questions_of_the_command(ask: Ask, film: Path) -> None:
    result = ask(film, "What?", "--chat", "--json", stdin="Who?\n")
    first, second = records(result)
    assert second["tokens"]["prompt"] > first["tokens"]["prompt"]  # type: ignore[index]


def test_a_chat_goes_on_after_a_line_without_words(ask: Ask, film: Path) -> None:
    result = ask(film, "--chat", "--json", stdin="???\nWho?\n")
    assert result.exit_code == 8
    assert [answer["question"] for answer in records(result)] == ["Who?"]
    assert "holds no words" in result.stderr


def test_one_question_that_does_not_fit_does_not_stop_the_others(ask: Ask, film: Path) -> None:
    result = ask(film, "why " * 3000, "What?", "--json")
    assert result.exit_code == 8
    assert [answer["question"] for answer in records(result)] == ["What?"]
    assert "1 of 2 questions" in result.stderr


def test_a_single_question_that_does_not_fit_exits_4(ask: Ask, film: Path) -> None:
    result = ask(film, "why " * 3000)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "hint:" in result.stderr


def test_more_frames_than_the_context_holds_exits_4_with_the_number_that_fits(
    ask: Ask, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "long.mp4", seconds=6)
    profile = tmp_path / "narrow.yaml"
    profile.write_text("max_context_tokens: 100\ndevice: cpu\n")
    result = ask(film, "What?", "--frames", 40, "--profile", profile)
    assert result.exit_code == 4
    fitting = re.search(r"--frames (\d+) or fewer", result.stderr)
    assert fitting
    again = ask(film, "What?", "--frames", fitting[1], "--profile", profile, "--json")
    assert len(records(again)[0]["frames"]) == int(fitting[1])  # type: ignore[arg-type]
    auto = ask(film, "What?", "--profile", profile, "--json")
    assert auto.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["{film}"], "no question"),
        (["{film}", " "], "empty"),
        (["{film}", "?!"], "no words"),
        (["{film}", "What?", "--start", "2"], "lasts 2.00 s"),
        (["{film}", "What?", "--start", "1:00:00"], "lasts 2.00 s"),
        (["{film}", "What?", "--start", "1", "--end", "0.5"], "not after the start"),
        (["{film}", "What?", "--start", "1:75"], "mm:ss"),
        (["{film}", "What?", "--start", "-1"], "mm:ss"),
        (["{film}", "What?", "--end", "soon"], "mm:ss"),
        (["{film}", "What?", "--frames", "0"], "--frames"),
        (["{film}", "What?", "--sampling", "best"], "uniform"),
        (["{film}", "What?", "--sampling", "scene", "--fps", "2"], "--fps"),
        (["{film}", "What?", "--temperature", "0", "--top-p", "0.5"], "--top-p"),
        (["{film}", "-", "--chat"], "read once"),
        (["{film}", "What?", "--frame", "3"], "--frames"),
    ],
)
def test_what_makes_no_sense_exits_2_with_one_line(
    ask: Ask, film: Path, arguments: list[str], what: str
) -> None:
    result = ask(*(word.format(film=film) for word in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert what in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_question_file_or_subtitle_file_exits_3(ask: Ask, film: Path) -> None:
    assert ask(film, "--questions", "gone.txt").exit_code == 3
    result = ask(film, "What?", "--subtitles", "gone.srt")
    assert result.exit_code == 3
    assert "gone.srt" in result.stderr


def test_files_without_pictures_exit_3_with_a_hint(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 64)
    write_audio(tmp_path / "speech.wav")
    for name in ("empty.mp4", "noise.mp4", "speech.wav", "gone.mp4"):
        result = ask(tmp_path / name, "What?")
        assert result.exit_code == 3, name
        assert result.stdout == ""
        assert name in result.stderr
        assert "hint:" in result.stderr


def test_with_nothing_configured_minnow_answers_and_says_what_it_knows(film: Path) -> None:
    command = ["ask", str(film), "Describe the video.", "--json"]
    loud, quiet = (CliRunner().invoke(app, [*command, *more]) for more in ([], ["--quiet"]))
    (note,) = loud.stderr.splitlines()
    assert "Shapes World only" in note
    assert "--model" in note
    assert records(loud)[0]["model"] == "minnow"
    assert records(loud)[0]["answer"]
    assert quiet.stderr == ""


def test_an_address_is_not_a_file(ask: Ask) -> None:
    result = ask("https://example.com/clip.mp4", "What?")
    assert result.exit_code == 3
    assert "Download it first" in result.stderr


def test_the_help_has_an_example() -> None:
    result = CliRunner().invoke(app, ["ask", "--help"])
    assert result.exit_code == 0
    assert "Example: goldfish ask" in result.stdout
