"""Questions as text or in a file: read, checked, ready to be asked."""

import json
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError, UsageError

_EXAMPLE = 'Ask in words, for example: goldfish ask clip.mp4 "What happens?"'


def check_question(question: str) -> str:
    """Return the question without surrounding white space.

    Raises:
        UsageError: If it is empty, holds no words, or is not text.
    """
    question = question.strip()
    if not question:
        raise UsageError("The question is empty.", hint=_EXAMPLE)
    try:
        question.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The question {question!a} is not valid UTF-8 text.",
            hint="Check the encoding of the terminal or of the file that it came from",
        ) from error
    if not any(character.isalnum() for character in question):
        raise UsageError(f"The question {question!r} holds no words.", hint=_EXAMPLE)
    return question


def read_questions(path: Path) -> list[str]:
    """Read questions from a file: one a line, or JSON or JSONL.

    In JSON a question is a string, or an object with the key ``question``; a ``.json`` file holds
    a list of them, a ``.jsonl`` file one a line. Empty lines are skipped.

    Raises:
        AnnotationError: If the file cannot be read or holds something else.
        UsageError: If a question is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise AnnotationError(
            f"The questions in {path} cannot be read: {reason}.",
            hint="A file of questions is text with one question a line, or JSON",
        ) from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    suffix = path.suffix.lower()
    if suffix == ".json":
        questions = _from_json(path, text)
    elif suffix == ".jsonl":
        questions = [_text_of(_parse(path, line, number), path, number) for number, line in lines]
    else:
        questions = [line for _, line in lines]
    if not questions:
        raise AnnotationError(f"{path} holds no questions.", hint="Write one question a line")
    return [check_question(question) for question in questions]


def _from_json(path: Path, text: str) -> list[str]:
    items = _parse(path, text, 1)
    if not isinstance(items, list):
        raise AnnotationError(
            f"{path} holds no list of questions.",
            hint='Such as: ["What happens?", {"question": "Who is it?"}]',
        )
    return [_text_of(item, path, number) for number, item in enumerate(items, 1)]


def _parse(path: Path, text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 1) + number - 1
        raise AnnotationError(
            f"Line {line} of {path} is not JSON: {getattr(error, 'msg', error)}.",
            hint="Name the file .txt if it holds one question a line",
        ) from error


def _text_of(item: Any, path: Path, number: int) -> str:
    question = item.get("question") if isinstance(item, dict) else item
    if not isinstance(question, str):
        raise AnnotationError(
            f"Item {number} of {path} holds no question.",
            hint='Each is a string or an object such as {"question": "What happens?"}',
        )
    return question
