"""Answers about films, scored: what counts as right, and what as pointing there."""

import json
from pathlib import Path

import pytest

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.films import (
    FilmItem,
    read_film_items,
    score,
    share_pointing,
    share_right,
)
from goldfish_cli.evaluation.metrics.retrieval import temporal_iou


def item(family: str, answer: str = "", *spans: tuple[float, float]) -> FilmItem:
    return FilmItem("film", family, "?", answer, spans)


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (item("needle", "", (62.2, 65.9)), "At 1:02-1:06.", True),
        (item("needle", "", (62.2, 65.9)), "At 1:04.", True),
        (item("needle", "", (62.2, 65.9)), "At 1:12-1:16.", False),
        (item("needle", "", (62.2, 65.9)), "At 0:10-0:12 and 1:02-1:06.", False),
        (item("needle", "", (62.2, 65.9)), "It is not in the film.", False),
        (item("needle", "moves left", (1, 2)), "moves left", True),
        (item("count", "three", (1, 2)), "Three times.", True),
        (item("count", "three", (1, 2)), "Two times.", False),
        (item("order", "A red star grows.", (1, 2)), "a red star grows", True),
        (
            item("order", "A red star grows while a blue cross blinks.", (1, 2)),
            "A blue cross blinks while a red star grows.",
            True,
        ),
        (item("order", "A red star grows.", (1, 2)), "A red star grows. A cross.", False),
        (item("absent", "It is not in the film."), "There is no star.", True),
        (item("absent", "It is not in the film."), "At 0:10.", False),
    ],
)
def test_an_answer_is_right_or_wrong(asked: FilmItem, answer: str, right: bool) -> None:
    assert score(asked, answer).right is right


def test_overlap_is_intersection_over_union() -> None:
    assert temporal_iou((0, 10), (5, 15)) == pytest.approx(1 / 3)
    assert temporal_iou((0, 1), (2, 3)) == 0.0


def test_each_true_span_must_be_pointed_at() -> None:
    both = item("count", "two", (0, 10), (20, 30))
    one_cited = score(both, "Two times.", [(0, 9)])
    all_cited = score(both, "Two times.", [(0, 9), (21, 30)])
    assert not one_cited.points_there
    assert all_cited.points_there
    wrong = score(both, "One time.", [])
    assert share_pointing([one_cited, all_cited, wrong]) == 0.5
    assert share_right([one_cited, all_cited, wrong]) == {"count": (2 / 3, 3)}


def test_questions_are_read_back(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="film_questions"):
        read_film_items(tmp_path)
    asked = [{"video_id": "f", "family": "count", "q": "?", "a": "two", "spans": [[1, 2]]}]
    (tmp_path / "film_questions.json").write_text(json.dumps(asked))
    assert read_film_items(tmp_path) == [FilmItem("f", "count", "?", "two", ((1.0, 2.0),))]
