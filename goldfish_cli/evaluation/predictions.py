"""What a model answered to the questions of a benchmark: kept line by line, read again later.

A run that was stopped leaves whole lines, so that the next one goes on where it ended.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from goldfish_cli.errors import AnnotationError, UsageError

Condition = Literal["full", "blind", "subtitles", "other video", "moment"]
"""What a model is shown. ``full``: the video and what is said. ``blind``: neither.
``subtitles``: grey pictures and what is said. ``other video``: another one's pictures with this
one's subtitles. ``moment``: only the part that the question is about."""
CONDITIONS: tuple[Condition, ...] = get_args(Condition)

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer to one question under one condition, or why there is none."""

    id: str
    video: str
    question: str
    """As the benchmark has it, without the options and the form of answer that was asked for."""
    prediction: str
    condition: Condition = "full"
    second: str = ""
    """The answer to the same question in other words, where the benchmark asks for it."""
    problem: str = ""
    """Why there is no answer; "" where there is one."""
    key: str = ""
    """Hash of all that the answer depends on; "" for answers from elsewhere."""
    setup: str = ""
    """Hash of what all answers of one run have in common, so that a mixture is noticed."""
    model: str = ""
    subtitles: str = "none"
    """Where what is said comes from."""
    frames: int | None = None
    duration: float | None = None
    """Of the video, in seconds."""
    seconds: float | None = None
    """That the answer took, its share of reading the video included."""
    cited: Spans = ()
    """Start and end in seconds of each place that the answer cites as its evidence."""
    retrieved: Spans = ()
    """Of each clip that retrieval found, the best first."""


_NAMES = frozenset(field.name for field in fields(Prediction))
_TEXTS = (
    "id",
    "video",
    "question",
    "prediction",
    "second",
    "problem",
    "key",
    "setup",
    "model",
    "subtitles",
)
_NUMBERS = ("frames", "duration", "seconds")


def digest(parts: Sequence[object]) -> str:
    """Hash plain values, of which all that an answer depends on is one list."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


class PredictionFile:
    """The predictions of one run, in a JSONL file that grows as they come.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep a second run from writing the same file.

        Raises:
            UsageError: If another run writes it, or the folder cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise UsageError(
                f"Another run is writing {self.path}.", hint="Wait for it, or name another --out"
            ) from None
        except (OSError, NotImplementedError) as error:  # the latter: a disk without locks
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"{self.path.parent} cannot be written: {reason}.", hint="Name another --out"
            ) from error
        try:
            yield
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)

    def read(self) -> dict[tuple[str, Condition], Prediction]:
        """Read what is there by question and condition; the last line of each counts.

        A half line at the end, as a killed run leaves it, is passed over.

        Raises:
            AnnotationError: If the file holds something else.
        """
        if not self.path.exists():
            return {}
        found: dict[tuple[str, Condition], Prediction] = {}
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                prediction = prediction_from(json.loads(line))
            except ValueError as error:
                is_cut = number == len(lines) and line.startswith(b'{"id": '[: len(line)])
                if is_cut:
                    break
                raise AnnotationError(
                    f"Line {number} of {self.path} is no prediction: {error}.",
                    hint="Name another --out, or delete that line: its question is asked again",
                ) from error
            found[prediction.id, prediction.condition] = prediction
        return found

    def append(self, predictions: Iterable[Prediction]) -> None:
        """Write predictions behind what is there, each as a whole line."""
        lines = "".join(map(_line, predictions))
        text = lines.encode("utf-8", "backslashreplace")  # half a character: as JSON writes it
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":  # the half line of a run that was killed
                    _drop_last_line(self.path)
            file.write(text)

    def rewrite(self, predictions: Iterable[Prediction]) -> None:
        """Write these in place of all that is there, whole or not at all."""
        beside = self.path.with_name(self.path.name + ".part")
        text = "".join(map(_line, predictions))
        beside.write_bytes(text.encode("utf-8", "backslashreplace"))
        beside.replace(self.path)


def prediction_from(values: Any) -> Prediction:
    """Make a prediction of a line's values.

    Raises:
        ValueError: If a value is missing, unknown or of the wrong type, saying which.
    """
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    missing = {"id", "video", "question", "prediction"} - set(values)
    unknown = set(values) - _NAMES
    if missing or unknown:
        which = f"it has no {sorted(missing)[0]}" if missing else f"unknown key {min(unknown)!r}"
        raise ValueError(which)
    for name in _TEXTS:
        if not isinstance(values.get(name, ""), str):
            raise ValueError(f"{name} is no text: {values[name]!r}")
    for name in _NUMBERS:
        value = values.get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and math.isfinite(value)):
            raise ValueError(f"{name} is no number: {value!r}")
    if values.get("condition", "full") not in CONDITIONS:
        raise ValueError(f"unknown condition {values['condition']!r}")
    spans = {name: _spans(name, values.get(name, ())) for name in ("cited", "retrieved")}
    return Prediction(**(values | spans))


def _spans(name: str, value: Any) -> Spans:
    try:
        spans = tuple((float(start), float(end)) for start, end in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no list of [start, end]") from error
    if not all(start <= end < math.inf for start, end in spans):
        raise ValueError(f"{name} has a span that ends before it starts")
    return spans


def _line(prediction: Prediction) -> str:
    default = Prediction("", "", "", "")
    values = {
        name: value
        for name, value in asdict(prediction).items()
        if name in ("id", "video", "question", "prediction", "condition")
        or value != getattr(default, name)
    }
    return json.dumps(values, ensure_ascii=False) + "\n"


def _drop_last_line(path: Path) -> None:
    with path.open("rb+") as file:
        whole = file.read()
        file.truncate(whole.rfind(b"\n") + 1)
