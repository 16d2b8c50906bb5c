"""Read the rows of any file that training reads, and look at what each of them says."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from goldfish_cli.data.items import BadItem, Item, scan_items
from goldfish_cli.data.prepare.mending import repair_encoding
from goldfish_cli.data.prepare.repeats import fold

Flaw = tuple[str, str]  # the kind of a finding, and what is wrong


@dataclass(frozen=True, slots=True)
class TarItem(Item):
    """What is said about an image inside a tar."""

    region: tuple[int, int]  # offset and size of the image


@dataclass(frozen=True, slots=True)
class TextLimits:
    """What a profile has room for, in tokens of a model."""

    count_tokens: Callable[[Sequence[str]], list[int]]
    max_prompt: int
    """All before the last answer; frames take their part of it too."""
    max_answer: int
    """The end token included."""


class TextLengths(NamedTuple):
    """Tokens that the text of a row takes."""

    prompt: int
    answers: tuple[int, ...]


def read_rows(path: Path) -> Iterator[Item | BadItem]:
    """Read annotations of any known format, or a tar of images; bad rows come in their place.

    Raises:
        AnnotationError: If the file as a whole cannot be read.
    """
    return _read_tar(path) if path.suffix == ".tar" else scan_items(path)


def answers_of(row: Item) -> tuple[str, ...]:
    """Return what the model learns to say."""
    return (row.caption or "",) if not row.turns else tuple(answer for _, answer in row.turns)


def measure(rows: Sequence[Item], limits: TextLimits) -> list[TextLengths]:
    """Count the tokens of many rows at once, which is several times faster than one by one."""
    questions = [question for row in rows for question, _ in row.turns]
    answers = [answer for row in rows for answer in answers_of(row)]
    asked = iter(limits.count_tokens(questions))
    said = iter(limits.count_tokens(answers))
    lengths = []
    for row in rows:
        prompt = sum(next(asked) for _ in row.turns)
        replies = tuple(next(said) + 1 for _ in answers_of(row))  # each has an end token
        lengths.append(TextLengths(prompt + sum(replies[:-1]), replies))
    return lengths


def text_flaws(row: Item) -> Iterator[Flaw]:
    """Yield what is odd about the words of a row."""
    for question, answer in row.turns:
        if fold(question) == fold(answer):
            yield "answer-is-question", f"the answer repeats the question: {_short(answer)}"
            break
    for text in (row.caption or "", *(text for turn in row.turns for text in turn)):
        if not text.isascii() and ("\ufffd" in text or repair_encoding(text) != text):
            yield "broken-encoding", f"letters were lost or misread: {_short(text)}"
            break


def length_flaws(lengths: TextLengths, limits: TextLimits) -> Iterator[Flaw]:
    """Yield which texts of a row do not fit."""
    if lengths.prompt >= limits.max_prompt:
        yield (
            "question-too-long",
            f"the text before the answer takes {lengths.prompt} tokens, the context has "
            f"{limits.max_prompt}, frames included",
        )
    longest = max(lengths.answers)
    if longest > limits.max_answer:
        yield "answer-cut", f"the answer takes {longest} tokens, {limits.max_answer} are learnt"


def _read_tar(path: Path) -> Iterator[Item | BadItem]:
    # Reading WebDataset's tars takes torch: 200 MB that other files need not pay for.
    from goldfish_cli.data.images import scan_image_tar

    lacking: list[tuple[str, str]] = []
    number = 0
    for pair in scan_image_tar(path, left_out=lambda key, part: lacking.append((key, part))):
        for bad in _drain(lacking, number):
            number += 1
            yield bad
        number += 1
        yield TarItem(number, pair.key, (), pair.caption, {}, {}, pair.region)
    yield from _drain(lacking, number)


def _drain(lacking: list[tuple[str, str]], number: int) -> list[BadItem]:
    bad = [
        BadItem(number + place, {"key": key}, f"no-{part}", f"has no {part}")
        for place, (key, part) in enumerate(lacking, start=1)
    ]
    lacking.clear()
    return bad


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
