"""``goldfish index`` and ``goldfish longask`` as a user meets them."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from film_parts import FilmFolder, draw_film, plan_for
from typer.testing import CliRunner, Result

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.cli import app
from goldfish_cli.longvideo.indexer import index_film
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.profiles import load_profile

Run = Callable[..., Result]
SUBTITLES = """1
00:00:10,000 --> 00:00:12,000
This blade has a dark past.

2
00:02:00,500 --> 00:02:03,000
I'm searching for someone.

3
00:03:00,000 --> 00:03:02,000
Good night, Scales.
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> FilmFolder:
    return draw_film(tmp_path_factory.mktemp("films"), minutes=0.5)


def run_in(folder: Path) -> Run:
    torch.set_num_threads(1)

    def run(command: str, *arguments: object) -> Result:
        words = [*command.split(), *map(str, arguments), "--index", str(folder)]
        return CliRunner().invoke(app, words, prog_name="goldfish")

    return run


@pytest.fixture(scope="module")
def filled(drawn: FilmFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index with a film and with a film's subtitles."""
    folder = tmp_path_factory.mktemp("index")
    blade = folder.parent / "blade.srt"
    blade.write_text(SUBTITLES)
    done = run_in(folder)("index", drawn.video, blade, "--profile", "cpu")
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture
def goldfish(filled: Path, tmp_path: Path) -> Run:
    """Run a command on a copy of the index."""
    return run_in(Path(shutil.copytree(filled, tmp_path / "index")))


def test_what_was_done_is_told_in_fields(drawn: FilmFolder, goldfish: Run) -> None:
    done = goldfish("index --json", drawn.video, "--profile", "cpu")
    found = json.loads(done.stdout)
    assert list(found) == [
        "video", "id", "clips", "new", "reused", "failed", "duration", "seconds",
    ]  # fmt: skip
    assert (found["new"], found["failed"]) == (0, 0)
    assert found["clips"] == found["reused"] > 2
    assert found["duration"] == pytest.approx(drawn.truth["duration"], abs=0.2)


def test_the_films_of_an_index_are_listed_and_shown(drawn: FilmFolder, goldfish: Run) -> None:
    rows = [json.loads(line) for line in goldfish("index list --json").stdout.splitlines()]
    assert [Path(row["video"]).name for row in rows] == [drawn.video.name, "blade.srt"]
    assert [row["model"] for row in rows] == ["minnow", None]
    shown = goldfish("index show blade.srt").stdout
    assert "0:00-0:30" in shown
    assert "This blade has a dark past." in shown
    film, *clips = map(json.loads, goldfish("index show --json blade.srt").stdout.splitlines())
    assert film["complete"]
    assert clips[0]["cues"][0]["start"] == 10.0


def test_an_answer_has_its_citations(goldfish: Run) -> None:
    done = goldfish("longask --json", "blade.srt", "Who is she searching for?")
    found = json.loads(done.stdout)
    assert list(found) == [
        "question", "answer", "citations", "route", "steps", "coverage", "seconds",
    ]  # fmt: skip
    assert found["answer"] == "I'm searching for someone."
    (cited,) = found["citations"]
    assert list(cited) == ["video", "start", "end", "text", "score", "supported"]
    assert (cited["start"], cited["end"], cited["supported"]) == (120.5, 123.0, True)
    assert done.stderr == ""


def test_an_answer_is_followed_by_a_table_of_its_evidence(goldfish: Run) -> None:
    done = goldfish("longask", "blade.srt", "When is Scales mentioned?", "--explain")
    assert done.stdout.splitlines() == [
        "At 3:00-3:02.",
        "",
        "   time       evidence",
        "1  3:00-3:02  Good night, Scales.",
    ]
    assert "route: when, about scale" in done.stderr


def test_all_films_are_asked_unless_some_are_named(drawn: FilmFolder, goldfish: Run) -> None:
    every = json.loads(goldfish("longask --json --quiet", "When is the blade mentioned?").stdout)
    assert {Path(one["video"]).name for one in every["citations"]} == {"blade.srt"}
    named = goldfish("longask --json --quiet", drawn.video, "When is the blade mentioned?")
    assert json.loads(named.stdout)["citations"] == []


def test_strict_refuses_what_nothing_bears_out(goldfish: Run) -> None:
    lax = goldfish("longask", "blade.srt", "When does the unicorn appear?")
    assert lax.exit_code == 0
    assert "not in the film" in lax.stdout
    strict = goldfish("longask --strict", "blade.srt", "When does the unicorn appear?")
    assert strict.exit_code == 7
    assert strict.stdout == lax.stdout
    assert strict.stderr.startswith("error: Nothing in the index bears the answer out.\nhint:")


def test_a_video_that_is_not_there_yet_is_indexed_first(tmp_path: Path) -> None:
    path = tmp_path / "new film.srt"
    path.write_text(SUBTITLES)
    run = run_in(tmp_path / "index")
    done = run("longask", path, "What is said at 2:01?")
    assert done.exit_code == 0
    assert done.stdout.startswith("I'm searching for someone.\n")
    assert run("index list").stdout.count("new film.srt") == 2  # as film and as its subtitles


def test_a_film_that_is_removed_is_asked_no_more(goldfish: Run) -> None:
    assert goldfish("index remove", "blade.srt").stdout == "blade.srt is no longer in the index.\n"
    done = goldfish("longask", "blade.srt", "Who is she searching for?")
    assert done.exit_code == 7
    assert "has no film blade.srt" in done.stderr


def test_films_travel_between_indexes(goldfish: Run, tmp_path: Path) -> None:
    archive = tmp_path / "blade.goldfish"
    assert goldfish("index export", archive, "blade.srt").exit_code == 0
    elsewhere = run_in(tmp_path / "elsewhere")
    assert elsewhere("index import", archive).stdout.startswith("1 films added")
    done = elsewhere("longask", "Who is she searching for?")
    assert done.stdout.startswith("I'm searching for someone.")


def test_a_sound_index_is_found_sound_and_cleaned(goldfish: Run) -> None:
    assert goldfish("index verify").stdout.endswith("2 films, no problem found.\n")
    assert goldfish("index gc").exit_code == 0


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("index", 2, "There is no film."),
        ("index nothing.mp4", 3, "There is no file nothing.mp4."),
        ("index list", 7, "There is no index"),
        ("longask What?", 7, "There is no index"),
        ("longask nothing.mp4 What?", 7, "There is no index"),
        ("index --clip-seconds 0 pyproject.toml", 2, "--clip-seconds is 0"),
        ("index --overlap 40 pyproject.toml --clip-seconds 30", 2, "An overlap of 40 s"),
        ("index import nothing.goldfish", 7, "nothing.goldfish"),
        ("index pyproject.toml --model nonsense", 5, "There is no model 'nonsense'."),
        ("index pyproject.toml --model docs", 5, "The folder docs holds no model."),
        ("index pyproject.toml --model openai:x", 5, "does not name a model on a server"),
        ("index pyproject.toml --model no/such --offline", 5, "not on this machine and --offline"),
        ("longask What? --model nonsense", 5, "There is no model 'nonsense'."),
    ],
)
def test_mistakes_get_one_line_and_their_code(
    command: str, code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    repository: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(repository)
    done = run_in(tmp_path / "no index")(command)
    assert done.exit_code == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "no index").exists() or not list((tmp_path / "no index").glob("*.part"))


def test_of_several_films_the_readable_ones_are_indexed(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.srt", tmp_path / "bad.srt"
    good.write_text(SUBTITLES)
    bad.write_text("")
    run = run_in(tmp_path / "index")
    done = run("index", bad, good)
    assert done.exit_code == 8
    assert "bad.srt" in done.stderr
    assert json.loads(run("index list --json").stdout)["video"] == str(good)


def test_a_second_writer_refuses_if_told_not_to_wait(goldfish: Run, tmp_path: Path) -> None:
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0):
        blade = tmp_path / "pyproject.srt"
        blade.write_text(SUBTITLES)
        for command in ("index remove blade.srt", "index gc", f"index {blade}"):
            done = goldfish(f"{command} --no-wait")
            assert done.exit_code == 7
            assert f"is being written by process {os.getpid()}" in done.stderr
        assert goldfish("longask", "blade.srt", "Who is she searching for?").exit_code == 0


def test_an_index_can_be_asked_while_it_grows(drawn: FilmFolder, tmp_path: Path) -> None:
    minnow = NativeModel.load("minnow", load_profile("cpu", threads=1), offline=True)
    run = run_in(tmp_path / "index")
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        profile = load_profile("cpu", threads=1)
        growing = index_film(store, minnow, drawn.video, plan_for(minnow), profile)
        first = next(growing)
        name = " ".join(first.clip.summary.split()[1:3])
        done = run("longask --json --budget 0", f"When does the {name} appear?")
        found = json.loads(done.stdout)
        assert 0.0 < found["coverage"] < 1.0
        assert found["citations"][0]["start"] < first.clip.end
        assert "of the film is indexed" in done.stderr
        for _ in growing:
            pass
    whole = run("longask --json --budget 0", f"When does the {name} appear?")
    assert json.loads(whole.stdout)["coverage"] == pytest.approx(1.0, abs=0.01)


def test_a_citation_is_played_at_its_time(
    goldfish: Run, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, heard = tmp_path / "bin" / "mpv", tmp_path / "heard"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {heard}.part && mv {heard}.part {heard}\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(player.parent), prepend=":")
    done = goldfish("longask --open 1", "blade.srt", "Who is she searching for?")
    assert done.exit_code == 0, done.stderr
    for _ in range(100):
        if heard.exists():
            break
        time.sleep(0.05)
    assert heard.read_text().splitlines() == [
        "--start=120.50",
        str(filled.parent / "blade.srt"),
    ]
    beyond = goldfish("longask --open 5", "blade.srt", "Who is she searching for?")
    assert beyond.exit_code == 2
    assert "no citation 5" in beyond.stderr


def test_an_answer_becomes_a_page(goldfish: Run, tmp_path: Path) -> None:
    page = tmp_path / "answer.html"
    done = goldfish("longask --html", page, "blade.srt", "Who is she searching for?")
    assert done.exit_code == 0
    assert "I&#x27;m searching for someone." in page.read_text()
    nowhere = goldfish("longask --html", tmp_path / "no" / "a.html", "blade.srt", "Who is she?")
    assert nowhere.exit_code == 2
    assert "cannot be written: No such file or directory." in nowhere.stderr
    film = goldfish(
        "longask --html", tmp_path / "index" / "index.sqlite", "blade.srt", "Who is she?"
    )
    assert film.exit_code == 2
    assert "is no .html file" in film.stderr
    assert not list(tmp_path.rglob("*.part"))


def test_the_published_procedure_wants_an_index_of_its_own(
    drawn: FilmFolder, goldfish: Run, tmp_path: Path
) -> None:
    refused = goldfish("longask --reference", drawn.video, "What happens?")
    assert refused.exit_code == 7
    assert "clips of 80 s" in refused.stderr
    run = run_in(tmp_path / "reference")
    assert run("index --reference --profile cpu", drawn.video).exit_code == 0
    done = json.loads(run("longask --reference --json -q", "What happens?").stdout)
    assert done["route"] == "reference"
    assert not any(one["supported"] for one in done["citations"])


def test_an_export_does_not_replace_a_film(
    drawn: FilmFolder, goldfish: Run, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    shutil.copy(drawn.video, film)
    done = goldfish("index export", film)
    assert done.exit_code == 2
    assert "is no exported index" in done.stderr
    assert film.read_bytes() == drawn.video.read_bytes()


def test_a_whole_film_is_not_replaced_by_a_part(
    drawn: FilmFolder, goldfish: Run, tmp_path: Path
) -> None:
    minnow = NativeModel.load("minnow", load_profile("cpu", threads=1), offline=True)
    profile = load_profile("cpu", threads=1)
    with IndexStore.create_or_open(tmp_path / "part", wait_s=0) as store:
        next(index_film(store, minnow, drawn.video, plan_for(minnow), profile))
    archive = tmp_path / "part.goldfish"
    told = run_in(tmp_path / "part")("index export", archive)
    assert "% only" in told.stderr
    assert "1 there already" in goldfish("index import", archive).stdout
    rows = map(json.loads, goldfish("index list --json").stdout.splitlines())
    assert all(row["complete"] for row in rows)


def test_a_clip_that_went_missing_is_made_again(
    drawn: FilmFolder, goldfish: Run, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "index" / "index.sqlite") as database:
        database.execute(
            "DELETE FROM clips WHERE number = 1 AND film = (SELECT film FROM thumbnails)"
        )
    assert goldfish("index verify").exit_code == 7
    assert goldfish("index --profile cpu", drawn.video).exit_code == 0
    assert goldfish("index verify").exit_code == 0, goldfish("index verify").stdout


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_damaged_vectors_are_made_again(
    content: bytes, drawn: FilmFolder, goldfish: Run, tmp_path: Path
) -> None:
    about = tmp_path / "index" / "chroma" / "vectors.json"
    about.write_bytes(content)
    asked = goldfish("longask", "blade.srt", "Who is she searching for?")
    assert asked.stdout.startswith("I'm searching for someone.")
    assert "no vectors" in asked.stderr
    (tmp_path / "index" / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 100)
    again = goldfish("index --profile cpu", drawn.video)
    assert again.exit_code == 0
    assert "The vectors were damaged" in again.stderr
    assert "no vectors" not in goldfish("longask", "blade.srt", "Who is she?").stderr


def test_long_questions_are_questions(goldfish: Run) -> None:
    question = f"Who is she searching for{' so very' * 40} long?"
    assert goldfish("longask", "blade.srt", question).exit_code == 0


def test_a_film_that_was_replaced_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(SUBTITLES)
    run = run_in(tmp_path / "index")
    run("index", path)
    path.write_text(SUBTITLES.replace("Scales", "Tails"))
    done = run("longask --open 1", "Who is she searching for?")
    assert done.exit_code == 3
    assert "another file has its name" in done.stderr
    assert "another file has the name" in run("index verify").stderr


def test_a_wrong_embedder_is_refused_before_any_work(drawn: FilmFolder, tmp_path: Path) -> None:
    run = run_in(tmp_path / "index")
    done = run("index --embedder openai:nothing", drawn.video)
    assert done.exit_code == 2
    assert run("index list --json").stdout == ""


def test_names_that_are_no_text_are_refused_and_the_rest_is_done(tmp_path: Path) -> None:
    bad, good = tmp_path / os.fsdecode(b"bad\xff.srt"), tmp_path / "good.srt"
    for path in (bad, good):
        path.write_text(SUBTITLES)
    done = run_in(tmp_path / "index")("index", bad, good)
    assert done.exit_code == 8
    assert "no UTF-8 text" in done.stderr


def test_a_wrong_model_is_refused_even_where_none_is_needed(goldfish: Run, tmp_path: Path) -> None:
    path = tmp_path / "new.srt"
    path.write_text(SUBTITLES)
    assert goldfish("index --model nonsense", path).exit_code == 5
    assert goldfish("longask --model nonsense", "blade.srt", "Who is she?").exit_code == 5
    assert len(goldfish("index list --json").stdout.splitlines()) == 2


@pytest.mark.parametrize("command", ["index film.srt", "index list", "longask What?"])
def test_an_index_without_a_name_is_a_mistake(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--index", ""], prog_name="goldfish")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --index names no folder.\nhint: ")


def test_a_film_s_name_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\x1b[1m.srt"
    path.write_text(SUBTITLES)
    run = run_in(tmp_path / "index")
    assert len(run("index", path).stdout.splitlines()) == 1
    rows = run("index list").stdout.splitlines()
    assert len(rows) == 2
    assert "two\\nlines\\x1b[1m.srt" in rows[1]


def test_a_cue_at_the_end_of_a_hundred_hours_makes_no_thousand_clips(tmp_path: Path) -> None:
    path = tmp_path / "long.srt"
    path.write_text(f"{SUBTITLES}\n4\n99:59:57,000 --> 99:59:59,000\nStill here.\n")
    run = run_in(tmp_path / "index")
    assert json.loads(run("index --json", path).stdout)["clips"] < 12
    assert run("index verify").stdout == "1 films, no problem found.\n"
    asked = run("longask", "When is 'still here' said?")
    assert asked.stdout.startswith("At 99:59:57-99:59:59.")


def test_minnow_writes_no_chapters_and_says_so(drawn: FilmFolder, tmp_path: Path) -> None:
    run = run_in(tmp_path / "index")
    done = run("index --chapters model --profile cpu", drawn.video)
    assert done.exit_code == 2
    assert "minnow does not follow instructions" in done.stderr
