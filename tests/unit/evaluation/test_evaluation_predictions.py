import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.evaluation.predictions import (
    CONDITIONS,
    Prediction,
    PredictionFile,
    prediction_from,
)

ONE = Prediction("1", "a.mp4", "What?", "a cat\nand a dog", key="k", cited=((1.0, 2.5),))
TWO = Prediction("2", "b.mp4", "Who?", "", "blind", problem="there is no such video")


@given(
    texts=st.lists(st.text(), min_size=4, max_size=4),
    condition=st.sampled_from(CONDITIONS),
    frames=st.none() | st.integers(0, 99),
    spans=st.lists(st.tuples(st.floats(0, 1e5), st.floats(1e5, 2e5)), max_size=3),
)
def test_a_line_gives_back_what_was_written(
    texts: list[str],
    condition: str,
    frames: int | None,
    spans: list[tuple[float, float]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    prediction = Prediction(*texts, condition, frames=frames, retrieved=tuple(spans))  # type: ignore[arg-type]
    file = PredictionFile(tmp_path_factory.mktemp("p") / "predictions.jsonl")
    file.append([prediction])
    assert file.read() == {(texts[0], condition): prediction}


def test_the_last_line_of_a_question_and_condition_counts(tmp_path: Path) -> None:
    file = PredictionFile(tmp_path / "p.jsonl")
    file.append([ONE, TWO])
    again = Prediction("1", "a.mp4", "What?", "a dog")
    file.append([again])
    assert file.read() == {("1", "full"): again, ("2", "blind"): TWO}


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_half_a_line_at_the_end_is_passed_over_and_written_over(tmp_path: Path, cut: int) -> None:
    file = PredictionFile(tmp_path / "p.jsonl")
    file.append([ONE, TWO])
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-cut])
    assert ("1", "full") in file.read()
    file.append([TWO])
    assert file.read() == {("1", "full"): ONE, ("2", "blind"): TWO}
    assert all(json.loads(line) for line in file.path.read_text().splitlines())


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    file = PredictionFile(tmp_path / "p.jsonl")
    file.append([ONE])
    file.path.write_text(file.path.read_text() + "{oops\n" + file.path.read_text())
    with pytest.raises(AnnotationError, match="Line 2"):
        file.read()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "no JSON object"),
        ({"id": "1"}, "it has no prediction"),
        ({"id": "1", "video": "v", "question": "q", "prediction": 3}, "prediction is no text"),
        ({"id": "1", "video": "v", "question": "q", "prediction": "p", "x": 1}, "unknown key 'x'"),
        (
            {"id": "1", "video": "v", "question": "q", "prediction": "p", "condition": "deaf"},
            "unknown condition 'deaf'",
        ),
        (
            {"id": "1", "video": "v", "question": "q", "prediction": "p", "cited": [1]},
            "cited is no list",
        ),
        (
            {"id": "1", "video": "v", "question": "q", "prediction": "p", "cited": [[2, 1]]},
            "ends before it starts",
        ),
        (
            {"id": "1", "video": "v", "question": "q", "prediction": "p", "frames": True},
            "frames is no number",
        ),
    ],
)
def test_a_line_of_another_shape_is_told_what_is_wrong(values: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        prediction_from(values)


def test_rewriting_replaces_all_that_was_there(tmp_path: Path) -> None:
    file = PredictionFile(tmp_path / "p.jsonl")
    file.append([ONE, TWO])
    file.rewrite([TWO])
    assert file.read() == {("2", "blind"): TWO}
    assert [path.name for path in tmp_path.iterdir()] == ["p.jsonl"]


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    file = PredictionFile(tmp_path / "run" / "p.jsonl")
    other = PredictionFile(tmp_path / "run" / "p.jsonl")
    refused = pytest.raises(UsageError, match="Another run is writing")
    with file.writing(), refused, other.writing():
        pass
    with other.writing():  # the lock is gone with its run
        other.append([ONE])


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    refused = pytest.raises(UsageError, match="cannot be written")
    with refused, PredictionFile(tmp_path / "file" / "run" / "p.jsonl").writing():
        pass


def test_a_foreign_file_of_one_line_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("my notes")
    with pytest.raises(AnnotationError, match="Line 1"):
        PredictionFile(path).read()
    assert path.read_text() == "my notes"


def test_half_a_character_is_kept_as_json_writes_it(tmp_path: Path) -> None:
    odd = Prediction("1", "v", "What?", "a\ud800b\u2028c\x85d")
    file = PredictionFile(tmp_path / "p.jsonl")
    file.append([odd])
    file.rewrite(file.read().values())
    assert file.read() == {("1", "full"): odd}
