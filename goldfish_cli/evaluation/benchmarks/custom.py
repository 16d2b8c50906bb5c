"""Anyone's own questions: JSON, JSON lines or a table with names that can be recognised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from goldfish_cli.data.item_keys import ItemError, Keys, find_keys, read_id, read_turns
from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.lettered import find_options
from goldfish_cli.evaluation.benchmarks.options import Way, find_correct
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows, video_name
from goldfish_cli.evaluation.benchmarks.spans import read_span
from goldfish_cli.evaluation.items import Benchmark, EvalItem, Rule

_EXPECTED = (
    "A row has video, question and answer; and if there are: options, correct, type, start, end."
)
_ID_KEYS = ("question_id", "qid", "uid")
_VIDEO_KEYS = ("video", "videos", "video_name", "video_id")
"""Where one of them names the video, ``id`` is the question's."""
_CORRECT_KEYS = (
    *("correct", "answer_idx", "answer_index", "answer_number", "correct_idx", "correct_option"),
    *("correct_answer", "correct_choice"),
)
_TYPE_KEYS = ("type", "question_type", "task_type", "category", "family", "task")
_RULES: tuple[Rule, ...] = get_args(Rule)


def read_custom(paths: Sequence[Path]) -> list[EvalItem]:
    """Read files of any names that ``goldfish prep`` or a benchmark here would know.

    With options an item is a choice, else an open question; ``rule`` may say ``count`` or
    ``judged``. A conversation gives an item for each of its questions.

    Raises:
        AnnotationError: If a file cannot be read, or a row lacks the video or the question, or a
            choice names an option that is not there.
    """
    return with_ids([item for row in read_rows(paths, _EXPECTED) for item in _items(row)])


def _items(row: Row) -> Iterator[EvalItem]:
    values = dict(row.values)
    if "video" not in values and "videos" in values:  # LLaMA-Factory's and ms-swift's list of one
        values["video"] = values["videos"]
    keys = find_keys(tuple(values))
    try:
        video = video_name(read_id(values, keys))
        if keys.dialogue:
            for question, answer in read_turns(values, keys):
                yield EvalItem(id="", video=video, question=question, answers=(answer,))
            return
    except ItemError as error:
        raise row.error(error.detail) from error
    if not video:
        raise row.error("names no video")
    yield _item(row, video, keys)


def _item(row: Row, video: str, keys: Keys) -> EvalItem:
    question = row.text("question", *([keys.question] if keys.question else ["question"]))
    question, options = find_options(row, question)
    if options:
        return _choice(row, video, question, options)
    answers = _answers(row)
    rule = row.text_or_empty("rule").casefold() or "open"
    named = next((one for one in _RULES if one == rule and one != "choice"), None)
    if named is None:
        raise row.error(f"has the rule {rule!r} and no options; known: open, count, judged")
    if named == "count" and not all(answer.lstrip("-").isdecimal() for answer in answers):
        raise row.error(f"has the answer {answers[0]!r}, not a number, as its rule wants")
    return _with_place(row, video, question, answers, named)


def _choice(row: Row, video: str, question: str, options: tuple[str, ...]) -> EvalItem:
    correct = find_correct(row, row.get(*_CORRECT_KEYS), options, ("index", "letter", "text"))
    answer = row.get("answer")
    if correct is None:
        numbers = any(option.isdecimal() for option in options)
        ways: tuple[Way, ...] = ("text", "letter") if numbers else ("text", "letter", "index")
        correct = find_correct(row, answer, options, ways)
    kept = () if answer is None else (str(answer),)
    answers = (options[correct],) if correct is not None else kept
    return _with_place(row, video, question, answers, "choice", options, correct)


def _answers(row: Row) -> tuple[str, ...]:
    """Read the accepted answers: one, or a list of them."""
    value = row.get("answers", "answer")
    if isinstance(value, list):
        answers = tuple(str(one).strip() for one in value if str(one).strip())
        if not answers:
            raise row.error("has an empty list of answers")
        return answers
    return (row.text("answer", "answers", "answer", "a", "response"),)


def _with_place(
    row: Row,
    video: str,
    question: str,
    answers: tuple[str, ...],
    rule: Rule,
    options: tuple[str, ...] = (),
    correct: int | None = None,
) -> EvalItem:
    start, end = row.seconds("start", "start_time"), row.seconds("end", "end_time")
    if start is None and end is None:
        start, end = read_span(row, "ts", "time", "span", "time_reference")
    return EvalItem(
        id=row.text_or_empty(*_ID_KEYS, *(["id"] if row.get(*_VIDEO_KEYS) is not None else [])),
        video=video,
        question=question,
        answers=answers,
        rule=rule,
        options=options,
        correct=correct,
        category=row.text_or_empty(*_TYPE_KEYS),
        start=start,
        end=end,
    )


CUSTOM = Benchmark(
    name="custom",
    title="your own questions",
    read=read_custom,
    prompt=with_form,
    split="your own",
    metric="accuracy of choices and counts, exact match and judges of open answers",
    source="any JSON, JSON lines, CSV or TSV with video, question and answer",
    by="type",
)
