"""``goldfish eval`` as a user meets it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from chat_server import ChatServer, fail, running_server, say
from film_parts import draw_film
from typer.testing import CliRunner, Result

from goldfish_cli.cli import app

Run = Callable[..., Result]
KEYS = {"benchmark", "n", "accuracy", "score", "ci95", "controls", "judge"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of Shapes World with questions."""
    folder = tmp_path_factory.mktemp("world") / "shapes"
    words = ["prep", "shapes", "--out", folder, "--clips", 4, "--images", 0, "--split", "test"]
    done = CliRunner().invoke(app, [*map(str, words), "--workers", "1", "--questions", "6"])
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def finished(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over all of them, with controls."""
    out = tmp_path_factory.mktemp("run") / "first"
    done = evaluate(world, "--out", out, "--controls")
    assert done.exit_code == 0, done.stderr
    return out


def evaluate(world: Path, *arguments: object) -> Result:
    words = ["eval", "shapes", "--data", world / "instructions.json", *arguments, "--profile=cpu"]
    if "--predictions" not in arguments:
        words += ["--videos", world / "videos"]
    return CliRunner().invoke(app, list(map(str, words)), prog_name="goldfish")


def only_json(result: Result) -> dict[str, object]:
    (line,) = result.stdout.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_a_run_shows_a_table_with_controls_and_intervals(finished: Path, world: Path) -> None:
    again = evaluate(world, "--out", finished, "--controls")
    assert again.exit_code == 0
    lines = again.stdout.splitlines()
    assert lines[0].startswith("Shapes World: 24 questions")
    shown = {line.split("  ")[0]: line for line in lines[2:8]}
    assert {"full", "blind", "other video"} <= set(shown)
    assert " to " in shown["full"]
    assert "minnow" in again.stderr
    assert "What a guess would score" in again.stderr


def test_json_holds_the_keys_that_scripts_rely_on(finished: Path, world: Path) -> None:
    result = only_json(evaluate(world, "--out", finished, "--controls", "--json"))
    assert set(result) >= KEYS
    assert result["n"] == 24
    assert result["answered"] == 24
    assert result["controls"]["blind"]["n"] == 24  # type: ignore[index]
    assert result["provenance"]["annotations"]["instructions.json"]  # type: ignore[index]
    kept = json.loads((finished / "result.json").read_text())
    assert kept["accuracy"] == result["accuracy"]


def test_answers_that_are_there_are_not_asked_again(finished: Path, world: Path) -> None:
    before = (finished / "predictions.jsonl").read_bytes()
    assert evaluate(world, "--out", finished, "--controls").exit_code == 0
    assert (finished / "predictions.jsonl").read_bytes() == before


def test_a_limited_run_says_so_and_keeps_the_other_answers(
    finished: Path, world: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "run"))
    done = evaluate(world, "--out", copy, "--limit", 6)
    assert done.exit_code == 0
    assert "Only 6 of the 24 questions" in done.stderr
    lines = (copy / "predictions.jsonl").read_text().splitlines()
    assert sorted(lines) == sorted((finished / "predictions.jsonl").read_text().splitlines())


def test_a_folder_of_another_benchmark_is_not_mixed_with(
    finished: Path, world: Path, tmp_path: Path
) -> None:
    words = ["eval", "custom", "--data", world / "instructions.json", "--videos", world / "videos",
             "--out", finished]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, words)), prog_name="goldfish")
    assert done.exit_code == 2
    assert "holds a run of shapes, not of custom" in done.stderr


def test_shards_join_to_the_whole(finished: Path, world: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        assert evaluate(world, "--out", tmp_path, "--shard", f"{number}/2").exit_code == 0
    whole = only_json(evaluate(world, "--out", tmp_path, "--json"))
    first = json.loads((finished / "result.json").read_text())
    assert whole["accuracy"] == first["accuracy"]


def test_answers_are_scored_without_a_model(finished: Path, world: Path) -> None:
    first = json.loads((finished / "result.json").read_text())
    result = only_json(evaluate(world, "--predictions", finished, "--json"))
    assert result["accuracy"] == first["accuracy"]
    assert result["controls"] == first["controls"]
    assert result["model"] == "minnow"


def test_a_perfect_oracle_scores_100_percent_and_a_constant_answer_its_share(
    world: Path, tmp_path: Path
) -> None:
    items = json.loads((world / "instructions.json").read_text())
    rows = [{"video_name": i["video_id"], "Q": i["q"], "pred": i["a"]} for i in items]
    (tmp_path / "oracle.json").write_text(json.dumps(rows))
    assert only_json(
        evaluate(world, "--predictions", tmp_path / "oracle.json", "--json")
    )["accuracy"] == 1.0  # fmt: skip
    constant = [row | {"pred": "yes"} for row in rows]
    (tmp_path / "yes.json").write_text(json.dumps(constant))
    found = only_json(evaluate(world, "--predictions", tmp_path / "yes.json", "--json"))
    assert found["accuracy"] == sum(item["a"] == "yes" for item in items) / len(items)


def test_a_missing_video_is_named_counted_and_ends_with_8(world: Path, tmp_path: Path) -> None:
    videos = Path(shutil.copytree(world / "videos", tmp_path / "videos"))
    gone = min(videos.glob("*.mp4"))
    gone.unlink()
    data = world / "instructions.json"
    words = ["eval", "shapes", "--data", data, "--videos", videos, "--out", tmp_path / "run"]
    done = CliRunner().invoke(app, [*map(str, words), "--json", "--profile", "cpu"])
    assert done.exit_code == 8
    assert f"{gone.stem}: there is no such video (6 questions without an answer)" in done.stderr
    result = only_json(done)
    assert (result["n"], result["answered"]) == (24, 18)
    assert result["unanswered"] == [
        {"video": gone.stem, "reason": "there is no such video", "questions": 6}
    ]


def test_reports_are_written_as_page_and_markdown(
    finished: Path, tmp_path: Path, world: Path
) -> None:
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    done = evaluate(world, "--predictions", finished, "--report", page, "--report", text)
    assert done.exit_code == 0
    assert "<svg" in page.read_text()
    assert "Shapes World" in text.read_text()


def test_two_runs_are_compared_question_by_question(
    finished: Path, world: Path, tmp_path: Path
) -> None:
    items = json.loads((world / "instructions.json").read_text())
    rows = [{"video_name": i["video_id"], "Q": i["q"], "pred": "yes"} for i in items]
    (tmp_path / "yes.json").write_text(json.dumps(rows))
    other = tmp_path / "other"
    assert evaluate(world, "--predictions", tmp_path / "yes.json", "--out", other).exit_code == 0
    words = ["eval", "compare", str(finished), str(other)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("all")
    found = only_json(CliRunner().invoke(app, [*words, "--json"]))
    assert found["whole"]["n"] == 24  # type: ignore[index]
    assert found["whole"]["difference"] < 0  # type: ignore[index]
    assert found["whole"]["p"] <= 0.13  # four videos: 2 of 16 ways to flip them  # type: ignore[index]


def test_labels_correct_the_judge(world: Path, tmp_path: Path) -> None:
    data = tmp_path / "own.csv"
    rows = [f"v{i},Is it so?,yes,{i}" for i in range(40)]
    data.write_text("video,question,answer,id\n" + "\n".join(rows))
    told = [{"id": str(i), "pred": "yes" if i % 2 else "no"} for i in range(40)]
    (tmp_path / "told.json").write_text(json.dumps(told))
    labels = [{"id": str(i), "correct": "yes"} for i in range(20)]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    words = ["eval", "custom", "--data", data, "--predictions", tmp_path / "told.json",
             "--labels", tmp_path / "labels.json", "--json"]  # fmt: skip
    result = only_json(CliRunner().invoke(app, list(map(str, words))))
    assert result["accuracy"] == 0.5
    assert result["corrected"]["accuracy"] == 1.0  # type: ignore[index]
    assert result["corrected"]["labelled"] == 20  # type: ignore[index]
    shown = CliRunner().invoke(app, list(map(str, words[:-1]))).stdout
    assert "right % corrected" in shown
    assert shown.splitlines()[-1].split()[:3] == ["20", "50.0", "100.0"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["eval", "msvdd", "--data", "x", "--videos", "y"], 2, "no benchmark 'msvdd'"),
        (["eval", "msvd"], 2, "Which annotation file"),
        (["eval", "msvd", "--data", "x.json"], 2, "Where are the videos"),
        (["eval", "msvd", "--data", "none.json", "--videos", "."], 3, "none.json"),
        (["eval", "compare", ".", "."], 3, "holds no run"),
    ],
)
def test_a_mistake_is_one_line_with_a_hint_and_its_exit_code(
    goldfish: Run, words: list[str], code: int, message: str
) -> None:
    done = goldfish(*words)
    assert done.exit_code == code
    assert message in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--shard", "3/2"], 2, "--shard takes I/N"),
        (["--labels", "none.json"], 3, "none.json"),
        (["--report", "nowhere/x.html"], 2, "no folder nowhere"),
        (["--subtitles", "nowhere"], 2, "no folder nowhere"),
        (["--report", "x.pdf"], 2, "neither .html nor .md"),
        (["--judge", "offlin"], 5, "no judge 'offlin'"),
        (["--judge-prices", "1"], 2, "two numbers"),
        (["--prompt", "Say it"], 2, "has no {question}"),
        (["--model", "minow"], 5, "no model 'minow'"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_asked(
    world: Path, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = evaluate(world, "--out", tmp_path / "run", *words)
    assert done.exit_code == code, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "run" / "predictions.jsonl").exists()


def test_the_list_names_splits_and_rules(goldfish: Run) -> None:
    assert "msrvtt" in goldfish("eval", "list").stdout
    lines = goldfish("eval", "list", "--json").stdout.splitlines()
    assert {"benchmark", "split", "metric"} <= set(json.loads(lines[0]))


def ask_judge(folder: Path, server: ChatServer, *more: object) -> Result:
    """Score four answers by a judge on a server."""
    rows = [f"{i},v{i // 2},Is it {i}?,yes" for i in range(4)]
    (folder / "own.csv").write_text("id,video,question,answer\n" + "\n".join(rows))
    told = [{"id": str(i), "pred": "yes" if i else "no"} for i in range(4)]
    (folder / "told.json").write_text(json.dumps(told))
    words = ["eval", "custom", "--data", folder / "own.csv", "--predictions", folder / "told.json",
             "--judge", server.name, "--judge-workers", 1, "--json", *more]  # fmt: skip
    return CliRunner().invoke(app, list(map(str, words)), prog_name="goldfish")


def test_a_judge_with_faults_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    no = '{"pred": "no", "score": 1.5}'
    with running_server() as server:
        server.answers = [
            say(no),
            fail(500),
            say("Well, I would say yes."),
            say('{"pred": "yes", "score": 4.5}'),
            say('{"pred": "yes", "score": 5}'),
            say(no),
        ]
        done = ask_judge(tmp_path, server, "--judge-prices", "1,2")
        assert done.exit_code == 0, done.stderr
        result = only_json(done)
        assert len(server.requests) == 6
        again = only_json(ask_judge(tmp_path, server, "--judge-prices", "1,2"))
        assert len(server.requests) == 6  # all four verdicts were kept
    assert result["accuracy"] == again["accuracy"] == 0.5
    assert result["score"] == (1.5 + 4.5 + 5 + 1.5) / 4
    assert "judge-model" in str(result["judge"])
    judging: Any = result["judging"]
    assert judging["requests"] == 6
    assert judging["cost"] == pytest.approx(5 * (100 + 2 * 10) / 1e6)
    agreement: Any = result["agreement"]
    assert agreement["n"] == 4
    assert agreement["same"] == 0.75  # the rules say: no, yes, yes, yes
    assert again["judging"]["cached"] == 4  # type: ignore[index]


def test_a_judge_that_cannot_be_understood_leaves_answers_unjudged(tmp_path: Path) -> None:
    with running_server() as server:
        server.answers = [say("No idea.")]
        done = ask_judge(tmp_path, server)
    assert done.exit_code == 8
    result = only_json(done)
    assert (result["unjudged"], result["accuracy"]) == (4, 0.0)
    assert "4 answers got no verdict" in done.stderr


def test_runs_of_different_judges_are_compared_with_a_warning(tmp_path: Path) -> None:
    with running_server() as server:
        server.answers = [say('{"pred": "yes", "score": 4.5}')]
        assert ask_judge(tmp_path, server, "--out", tmp_path / "a").exit_code == 0
        assert (
            ask_judge(tmp_path, server, "--judge=offline", "--out", tmp_path / "b").exit_code == 0
        )
    done = CliRunner().invoke(app, ["eval", "compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0
    assert "Different judges decided" in done.stderr


def test_a_run_that_is_killed_goes_on_and_ends_the_same(
    world: Path, finished: Path, tmp_path: Path, repository: Path
) -> None:
    words = [sys.executable, "-m", "goldfish_cli.cli", "eval", "shapes", "--data",
             world / "instructions.json", "--videos", world / "videos", "--out", tmp_path / "run",
             "--controls", "--profile", "cpu", "--offline"]  # fmt: skip
    file = tmp_path / "run" / "predictions.jsonl"
    killed = 0
    for lines in (2, 40):
        process = subprocess.Popen(
            list(map(str, words)), cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while process.poll() is None and (
            not file.exists() or file.read_bytes().count(b"\n") < lines
        ):
            time.sleep(0.005)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.communicate()
    assert killed >= 1
    done = subprocess.run(list(map(str, words)), cwd=repository, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr

    def told(path: Path) -> dict[tuple[str, str], str]:
        rows = list(map(json.loads, path.read_text().splitlines()))
        found = {(row["id"], row["condition"]): row["prediction"] for row in rows}
        assert len(found) == len(rows)  # nothing twice
        return found

    assert told(file) == told(finished / "predictions.jsonl")
    results = [json.loads((path / "result.json").read_text()) for path in (finished, file.parent)]
    assert results[0]["accuracy"] == results[1]["accuracy"]
    assert results[0]["controls"] == results[1]["controls"]


def test_films_go_through_an_index_and_tell_of_their_evidence(tmp_path: Path) -> None:
    made = draw_film(tmp_path / "world", minutes=0.5)
    words = ["eval", "films", "--data", made.folder, "--videos", made.folder / "films",
             "--out", tmp_path / "run", "--controls", "--profile", "cpu"]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, words)), prog_name="goldfish")
    assert done.exit_code == 0, done.stderr
    assert "recall@5" in done.stdout
    assert "wrong for the fault of" in done.stdout
    assert "'other video' applies to none" in done.stderr
    again = only_json(CliRunner().invoke(app, [*map(str, words), "--json"]))
    assert again["retrieval"]["n"] > 0  # type: ignore[index]
    assert set(again["controls"]) >= {"blind", "moment"}  # type: ignore[arg-type]
    assert (tmp_path / "run" / "index" / "index.sqlite").exists()


def test_a_folder_of_subtitles_and_one_of_features_serve_films_as_well(tmp_path: Path) -> None:
    made = draw_film(tmp_path / "world", minutes=0.5)
    said = tmp_path / "said"
    said.mkdir()
    cue = "1\n00:00:01,000 --> 00:00:02,000\nThe password is walrus.\n"
    (said / f"{made.video.stem}.srt").write_text(cue)
    asked = {"video_id": made.video.stem, "family": "narration", "q": 'When is "walrus" said?',
             "a": "The password is walrus.", "spans": [[1.0, 2.0]]}  # fmt: skip
    (tmp_path / "film_questions.json").write_text(json.dumps([asked]))
    words = ["eval", "films", "--data", tmp_path, "--videos", made.folder / "films", "--out",
             tmp_path / "run", "--subtitles", said, "--features", tmp_path / "kept",
             "--profile", "cpu"]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, words)), prog_name="goldfish")
    assert done.exit_code == 0, done.stderr
    (row,) = map(json.loads, (tmp_path / "run" / "predictions.jsonl").read_text().splitlines())
    assert row["subtitles"].endswith(".srt")
    assert row["cited"] == [[1.0, 2.0]]
    assert list((tmp_path / "kept").glob("*.safetensors"))
