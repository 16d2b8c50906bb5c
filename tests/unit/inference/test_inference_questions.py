import json
from pathlib import Path

import pytest

from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.inference.questions import check_question, read_questions


def test_a_question_loses_only_the_space_around_it() -> None:
    assert check_question("  What is\nthis? 猫 ") == "What is\nthis? 猫"


@pytest.mark.parametrize("question", ["", " \t\n", "???", "…", "\x00\x1b"])
def test_a_question_without_words_is_refused(question: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_question(question)
    assert caught.value.exit_code == 2


def test_a_question_that_is_not_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not valid UTF-8"):
        check_question("what \udcff?")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.txt", "What?\n\n Who is it? \r\n"),
        ("questions", "\ufeffWhat?\nWho is it?"),
        ("q.json", json.dumps(["What?", {"question": "Who is it?", "answer": "Anna"}])),
        ("q.jsonl", '{"question": "What?"}\n\n"Who is it?"\n'),
    ],
)
def test_questions_are_read_from_lines_json_and_jsonl(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_questions(tmp_path / name) == ["What?", "Who is it?"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("q.txt", " \n", "holds no questions"),
        ("q.json", "[]", "holds no questions"),
        ("q.json", '{"question": "What?"}', "no list"),
        ("q.json", "[1,\n2,\n}", "Line 3 of .*q.json is not JSON"),
        ("q.jsonl", '"What?"\nWho?\n', "Line 2 of .*q.jsonl is not JSON"),
        ("q.jsonl", '"What?"\n{"text": "Who?"}\n', "Item 2 of .*q.jsonl holds no question"),
        ("q.json", '["What?", 3]', "Item 2 of .*q.json holds no question"),
    ],
)
def test_a_file_of_something_else_says_where(
    tmp_path: Path, name: str, content: str, what: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(AnnotationError, match=what) as caught:
        read_questions(tmp_path / name)
    assert caught.value.exit_code == 3


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="No such file"):
        read_questions(tmp_path / "gone.txt")
    (tmp_path / "latin.txt").write_bytes("Où est-il ?".encode("latin-1"))
    with pytest.raises(AnnotationError, match="not UTF-8"):
        read_questions(tmp_path / "latin.txt")
