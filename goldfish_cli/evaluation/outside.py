"""Read predictions from elsewhere: the reference's, lmms-eval's, VLMEvalKit's, any table.

Each is given to the question that it answers, by id where there is one, else by video and question.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from goldfish_cli.errors import AnnotationError, MissingPackageError
from goldfish_cli.evaluation.benchmarks.rows import Row, document_rows, read_rows
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.predictions import Prediction, PredictionFile

EXPECTED = (
    "Predictions are JSON, JSONL, CSV, TSV or XLSX with a column pred or prediction, and an id, or "
    "a video and a question; or what goldfish eval, lmms-eval or VLMEvalKit wrote"
)
NOT_THERE = "the file holds no prediction for it"
_ANSWERS = ("prediction", "pred", "pred1", "predict", "response", "model_answer", "model_output",
            "output", "filtered_resps", "resps")  # fmt: skip
_SECOND = ("pred2", "second")
_IDS = ("id", "question_id", "qid", "uid", "q_uid")
_VIDEOS = ("video_name", "video", "video_id", "videoid", "vid_name", "gif_name", "video_path")
_QUESTIONS = ("q", "question", "q1")
_OURS = {"id", "video", "question", "prediction", "condition"}
_XLSX = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Matched:
    """Predictions given to their questions."""

    predictions: tuple[Prediction, ...]
    """One for each question and condition; with a problem where the file holds none."""
    left_over: int
    """Predictions that belong to no question."""
    contradicting: int
    """Questions that are answered several times and differently; the last answer counts."""
    is_own: bool
    """Whether they are of our making, with conditions and evidence."""


def read_predictions(path: Path, items: Sequence[EvalItem]) -> Matched:
    """Read a file of predictions, or the folder of one of our runs, and match it to questions.

    Args:
        path: The file or folder.
        items: The questions.

    Raises:
        AnnotationError: If it cannot be read, holds no predictions, or none for these questions.
        MissingPackageError: If it is an XLSX file and openpyxl is not installed.
    """
    path = path / "predictions.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise AnnotationError(f"There is no file of predictions {path}.", hint=EXPECTED)
    rows = _xlsx_rows(path) if _is_xlsx(path) else read_rows([path], EXPECTED)
    if set(rows[0].values) >= _OURS:
        return _own(path, items)
    matcher = _Matcher(items)
    found: dict[str, Prediction] = {}
    left_over = 0
    contradicting: set[str] = set()
    for number, row in enumerate(rows):
        item = matcher.find(row, number, len(rows))
        if item is None:
            left_over += 1
            continue
        text, second = _text(row, _ANSWERS), _text(row, _SECOND, needed=False)
        if item.id in found and found[item.id].prediction != text:
            contradicting.add(item.id)
        found[item.id] = Prediction(item.id, item.video, item.question, text, second=second)
    if not found:
        raise AnnotationError(
            f"None of the {len(rows)} predictions in {path.name} is for one of these questions.",
            hint="Is it the same benchmark and split? " + EXPECTED,
        )
    matched = tuple(_completed(items, found))
    return Matched(matched, left_over, len(contradicting), is_own=False)


def _own(path: Path, items: Sequence[EvalItem]) -> Matched:
    """Take a file of ours as it is: its ids are those of the questions."""
    known = {item.id for item in items}
    found = PredictionFile(path).read()
    if not any(item_id in known for item_id, _ in found):
        raise AnnotationError(
            f"None of the predictions in {path} is for one of these questions.",
            hint="Is it the same benchmark, split and annotation file?",
        )
    full = {item_id: one for (item_id, condition), one in found.items() if condition == "full"}
    others = [
        one
        for (item_id, condition), one in found.items()
        if condition != "full" and item_id in known
    ]
    left_over = sum(item_id not in known for item_id, _ in found)
    return Matched((*_completed(items, full), *others), left_over, 0, is_own=True)


def _completed(items: Iterable[EvalItem], found: Mapping[str, Prediction]) -> Iterable[Prediction]:
    for item in items:
        yield found.get(item.id) or Prediction(
            item.id, item.video, item.question, "", problem=NOT_THERE
        )


class _Matcher:
    """Finds the question that a row answers; questions in the same words are given out in order."""

    def __init__(self, items: Sequence[EvalItem]) -> None:
        self._items = items
        self._by_id = {item.id: item for item in items}
        self._by_words: dict[tuple[str, str], deque[EvalItem]] = defaultdict(deque)
        for item in items:
            self._by_words[_stem(item.video), _words(item.question)].append(item)

    def find(self, row: Row, number: int, total: int) -> EvalItem | None:
        """Return the question, ``None`` if it is none of these.

        Raises:
            AnnotationError: If the row names neither an id nor a video and question.
        """
        values = row.values
        document = values.get("doc")
        if isinstance(document, Mapping):
            values = {str(name).casefold(): value for name, value in document.items()}
        has_question = any(values.get(name) for name in _QUESTIONS)
        by_id = self._of_id(values, _IDS if has_question else (*_IDS, "index"))
        if by_id is not None and self._asks(values) in ("", _words(by_id.question)):
            return by_id
        by_words = self._of_words(values)
        if by_words is not None or by_id is not None:
            return by_words or by_id  # a question in other words, such as with its options
        if "doc_id" in row.values and total == len(self._items):
            return self._by_place(row, number)
        if not has_question and not any(name in values for name in (*_IDS, "index")):
            raise row.error("names no question")
        return None

    def _of_id(self, values: Mapping[str, Any], names: Sequence[str]) -> EvalItem | None:
        """Find a question by its id; an index is often the mere number of the row."""
        found = (self._by_id.get(str(values.get(name))) for name in names)
        return next((item for item in found if item is not None), None)

    def _asks(self, values: Mapping[str, Any]) -> str:
        return _words(next((str(values[name]) for name in _QUESTIONS if values.get(name)), ""))

    def _of_words(self, values: Mapping[str, Any]) -> EvalItem | None:
        video = next((str(values[name]) for name in _VIDEOS if values.get(name)), "")
        waiting = self._by_words.get((_stem(video), self._asks(values)))
        if not waiting:
            return None
        return waiting.popleft() if len(waiting) > 1 else waiting[0]

    def _by_place(self, row: Row, number: int) -> EvalItem:
        """Take lmms-eval's number of the document, if its target is the question's answer."""
        place = row.values["doc_id"]
        if not isinstance(place, int) or not 0 <= place < len(self._items):
            raise row.error(f"has doc_id {place!r}, and there are {len(self._items)} questions")
        item = self._items[place]
        target = str(row.values.get("target", "")).strip()
        letter = "" if item.correct is None else chr(ord("A") + item.correct)
        known = {*map(_words, item.answers), letter.casefold(), str(item.correct)}
        if target and item.is_scorable and _words(target) not in known:
            raise row.error(
                f"has the target {target!r}, but question {place} is answered by "
                f"{item.answers[0] if item.answers else letter!r}: the files do not belong together"
            )
        return item


def _text(row: Row, names: Sequence[str], *, needed: bool = True) -> str:
    for name in names:
        value = row.values.get(name)
        while isinstance(value, list):  # lmms-eval nests them once or twice
            value = value[0] if value else ""
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            is_empty = isinstance(value, float) and math.isnan(value)  # a table's empty cell
            return "" if is_empty else str(value).strip()
    if needed:
        raise row.error("holds no prediction")
    return ""


def _stem(video: str) -> str:
    name = PurePosixPath(video.replace("\\", "/")).name
    suffix = PurePosixPath(name).suffix
    is_ending = bool(re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{1,4}", suffix))
    return (name[: -len(suffix)] if is_ending else name).casefold()


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _is_xlsx(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == _XLSX
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read: {error.strerror}.", hint=EXPECTED) from error


def _xlsx_rows(path: Path) -> list[Row]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingPackageError(
            f"{path.name} is a spreadsheet, which needs openpyxl.",
            hint="pip install 'goldfish-video[eval]', or save it as CSV",
        ) from error
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        header, *lines = (list(line) for line in book.worksheets[0].iter_rows(values_only=True))
    except Exception as error:  # the library raises what its XML and ZIP readers raise
        raise AnnotationError(f"{path.name} is no readable spreadsheet.", hint=EXPECTED) from error
    entries = [dict(zip(map(str, header), line, strict=False)) for line in lines if any(line)]
    rows = document_rows(entries, path, EXPECTED)
    if not rows:
        raise AnnotationError(f"{path.name} holds no predictions.", hint=EXPECTED)
    return [replace(row, place=f"Row {number}") for number, row in enumerate(rows, 2)]
