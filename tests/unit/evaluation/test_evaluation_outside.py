import json
from pathlib import Path

import pytest

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.outside import NOT_THERE, read_predictions
from goldfish_cli.evaluation.predictions import Prediction, PredictionFile

ITEMS = [
    EvalItem("10", "a_clip.mp4", "What is it?", ("cat",)),
    EvalItem("11", "a_clip.mp4", "Who runs?", ("dog",)),
    EvalItem("12", "b", "What is it?", ("cow",)),
    EvalItem("13", "b", "Pick", ("x",), rule="choice", options=("x", "y"), correct=0),
]


def answers(path: Path) -> dict[str, str]:
    matched = read_predictions(path, ITEMS)
    return {one.id: one.prediction for one in matched.predictions if not one.problem}


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_the_references_own_files_are_read(tmp_path: Path) -> None:
    rows = [
        {"video_name": "a_clip", "Q": " what is it? ", "A": "cat", "pred": "A cat."},
        {"video_name": "b.mp4", "Q": "What is it?", "A": "cow", "pred": "A cow."},
    ]
    assert answers(write(tmp_path / "p.json", rows)) == {"10": "A cat.", "12": "A cow."}


def test_what_the_file_leaves_out_is_a_problem_of_that_question(tmp_path: Path) -> None:
    rows = [{"video_name": "b", "Q": "What is it?", "pred": "x"}]
    matched = read_predictions(write(tmp_path / "p.json", rows), ITEMS)
    assert [one.id for one in matched.predictions] == ["10", "11", "12", "13"]
    assert [one.problem for one in matched.predictions] == [NOT_THERE, NOT_THERE, "", NOT_THERE]


def test_predictions_for_other_questions_are_counted(tmp_path: Path) -> None:
    rows = [
        {"video_name": "b", "Q": "What is it?", "pred": "x"},
        {"video_name": "z", "Q": "What is it?", "pred": "x"},
    ]
    assert read_predictions(write(tmp_path / "p.json", rows), ITEMS).left_over == 1


def test_consistency_answers_come_in_pairs(tmp_path: Path) -> None:
    items = [EvalItem("1", "v", "Who?", ("x",), second_question="Who is it?")]
    rows = [{"video_name": "v", "Q1": "Who?", "Q2": "Who is it?", "pred1": "one", "pred2": "two"}]
    (found,) = read_predictions(write(tmp_path / "p.json", rows), items).predictions
    assert (found.prediction, found.second) == ("one", "two")


def test_samples_of_lmms_eval_are_read_by_document(tmp_path: Path) -> None:
    lines = [
        {
            "doc_id": 0,
            "doc": {"video_name": "b", "question": "What is it?", "answer": "cow"},
            "target": "cow",
            "resps": [["A big cow."]],
            "filtered_resps": ["A cow."],
        },
        {"doc_id": 1, "doc": {"question_id": 11}, "target": "dog", "filtered_resps": [["dog"]]},
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert answers(path) == {"12": "A cow.", "11": "dog"}


def test_samples_of_lmms_eval_without_documents_go_by_number_and_target(tmp_path: Path) -> None:
    lines = [
        {"doc_id": place, "target": target, "filtered_resps": [f"answer {place}"]}
        for place, target in [(3, "A"), (1, "dog"), (0, "cat"), (2, "cow")]
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert answers(path) == {"10": "answer 0", "11": "answer 1", "12": "answer 2", "13": "answer 3"}
    lines[0]["target"] = "B"
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(AnnotationError, match="do not belong together"):
        read_predictions(path, ITEMS)


def test_tables_of_vlmevalkit_are_read(tmp_path: Path) -> None:
    table = "index\tvideo\tquestion\tanswer\tprediction\n"
    table += "10\tb\tWhat is it?\tcow\tcow!\n0\ta_clip\tWho runs?\tdog\ta dog\n"
    path = tmp_path / "p.tsv"
    path.write_text(table)
    assert answers(path) == {"12": "cow!", "11": "a dog"}  # the index is the row's number


def test_spreadsheets_of_vlmevalkit_are_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "video", "question", "prediction"])
    book.active.append([1, "b", "What is it?", "cow"])
    book.active.append([2, "a_clip", "Who runs?", None])
    book.save(tmp_path / "p.xlsx")
    with pytest.raises(AnnotationError, match=r"Row 3 of p\.xlsx holds no prediction"):
        answers(tmp_path / "p.xlsx")
    book.active["D3"] = "dog"
    book.save(tmp_path / "p.xlsx")
    assert answers(tmp_path / "p.xlsx") == {"12": "cow", "11": "dog"}


def test_a_run_of_ours_is_taken_with_its_controls(tmp_path: Path) -> None:
    own = [
        Prediction("10", "a_clip.mp4", "What is it?", "cat"),
        Prediction("10", "a_clip.mp4", "What is it?", "dog", "blind"),
        Prediction("99", "z", "What?", "x"),
    ]
    PredictionFile(tmp_path / "predictions.jsonl").append(own)
    for path in (tmp_path, tmp_path / "predictions.jsonl"):
        matched = read_predictions(path, ITEMS)
        assert matched.left_over == 1
        told = {(one.id, one.condition): one.prediction for one in matched.predictions}
        assert told["10", "full"] == "cat"
        assert told["10", "blind"] == "dog"
        assert told["11", "full"] == ""


def test_the_same_question_asked_twice_of_a_video_takes_answers_in_order(tmp_path: Path) -> None:
    items = [EvalItem("1", "v", "Who?", ("x",)), EvalItem("2", "v", "Who?", ("y",))]
    rows = [{"video": "v", "question": "Who?", "pred": text} for text in ("one", "two")]
    matched = read_predictions(write(tmp_path / "p.json", rows), items)
    assert [one.prediction for one in matched.predictions] == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"video_name": "b", "Q": "What is it?"}]', "holds no prediction"),
        ('[{"pred": "x"}]', "names no question"),
        ('[{"video": "zz", "question": "?", "pred": "x"}]', "None of the 1 predictions"),
        ("", "holds nothing"),
        ("PK\x03\x04 no sheet", "no readable spreadsheet"),
        (
            '{"id": "1", "video": "v", "question": "q", "prediction": "p", "condition": "x"}\n',
            "Line 1",
        ),
    ],
)
def test_a_file_of_something_else_is_one_error(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    if content.startswith("PK"):
        pytest.importorskip("openpyxl")
    with pytest.raises(AnnotationError, match=problem):
        read_predictions(path, ITEMS)


def test_a_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no file of predictions"):
        read_predictions(tmp_path / "none.json", ITEMS)


def test_an_id_counts_more_than_the_order_of_questions_in_the_same_words(tmp_path: Path) -> None:
    items = [EvalItem("1", "v", "Who?", ("x",)), EvalItem("2", "v", "Who?", ("y",))]
    rows = [{"id": one, "video": "v", "question": "Who?", "pred": one} for one in ("2", "1")]
    matched = read_predictions(write(tmp_path / "p.json", rows), items)
    assert [one.prediction for one in matched.predictions] == ["1", "2"]


def test_answers_that_contradict_each_other_are_counted(tmp_path: Path) -> None:
    rows = [{"video": "b", "question": "What is it?", "pred": text} for text in ("x", "x", "y")]
    matched = read_predictions(write(tmp_path / "p.json", rows), ITEMS)
    assert matched.contradicting == 1
    assert {one.prediction for one in matched.predictions if not one.problem} == {"y"}
