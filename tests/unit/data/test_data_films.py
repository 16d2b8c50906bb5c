"""Films of Shapes World: what is rare is as rare as is said, and the video shows the truth."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from film_parts import draw_film
from typer.testing import CliRunner

from goldfish_cli.cli import app
from goldfish_cli.data.shapes.film_questions import FILM_FAMILIES, film_questions
from goldfish_cli.data.shapes.film_writer import FilmsPlan, write_films
from goldfish_cli.data.shapes.films import Film, sample_film
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.subtitle_files import read_subtitle_file
from goldfish_cli.media.video import probe


@pytest.fixture(scope="module", params=range(5))
def film(request: pytest.FixtureRequest) -> Film:
    return sample_film(np.random.default_rng(request.param), 15.0, aspect=4 / 3)


def test_clips_follow_one_another_for_as_long_as_asked(film: Film) -> None:
    assert film.duration >= 15 * 60
    assert film.clips[0].start == 0.0
    for one, two in zip(film.clips, film.clips[1:], strict=False):
        assert one.end == two.start
        assert all(one.start <= event.start < event.end <= one.end + 1e-9 for event in one.events)


def test_needles_appear_once_the_rare_a_few_times_the_absent_never(film: Film) -> None:
    counts = Counter(event.name for one in film.clips for event in one.events)
    assert len(film.needles) == 8
    assert all(counts[name] == 1 for name in film.needles)
    assert all(2 <= counts[name] <= 5 for name in film.rare)
    assert all(counts[name] == 0 for name in film.absent)
    usual = set(counts) - set(film.needles) - set(film.rare)
    assert min(counts[name] for name in usual) > 5


def test_no_clip_shows_an_object_twice(film: Film) -> None:
    assert all(len({e.name for e in one.events}) == len(one.events) for one in film.clips)


def test_every_family_is_asked_with_true_spans(film: Film) -> None:
    asked = film_questions(film, np.random.default_rng(0))
    assert {one.family for one in asked} == set(FILM_FAMILIES)
    assert all(one.answer or one.family == "needle" for one in asked)
    for one in asked:
        assert bool(one.spans) == (one.family != "absent")
        assert all(0 <= start < end <= film.duration + 1e-6 for start, end in one.spans)
    counted = [one for one in asked if one.family == "count"]
    numbers = ("zero", "one", "two", "three", "four", "five")
    assert all(len(one.spans) == numbers.index(one.answer) for one in counted)


def test_a_written_film_is_what_its_truth_says(tmp_path: Path) -> None:
    drawn = draw_film(tmp_path / "films", minutes=0.5)
    info = probe(drawn.video)
    assert info.duration == pytest.approx(drawn.truth["duration"], abs=0.2)
    said = [cue["text"] for clip in drawn.truth["clips"] for cue in clip["narration"]]
    assert said
    assert [cue.text for cue in read_subtitle_file(drawn.video.with_suffix(".srt")).cues] == said
    assert all(one["video_id"] == drawn.truth["id"] for one in drawn.questions)


def test_the_same_plan_makes_the_same_film_and_another_is_refused(tmp_path: Path) -> None:
    plan = FilmsPlan("test", 1, 1, 0.5)
    list(write_films(tmp_path / "one", plan))
    list(write_films(tmp_path / "two", plan))
    for name in ("films.jsonl", "film_questions.json"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
    (again,) = write_films(tmp_path / "one", plan)
    assert again.reused
    with pytest.raises(AnnotationError, match="another minutes"):
        list(write_films(tmp_path / "one", FilmsPlan("test", 1, 1, 0.6)))
    assert json.loads((tmp_path / "one" / "shapes.json").read_text()) == asdict(plan)


def test_what_films_do_not_have_is_refused(tmp_path: Path) -> None:
    words = ["prep", "shapes", "--out", str(tmp_path / "films"), "--films", "1", "--held-out"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "no held-out wordings" in done.stderr
    assert not (tmp_path / "films").exists()
