"""Clean annotations of any known format: mend what is certain, drop what cannot be used.

Cleaning twice is the same as cleaning once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goldfish_cli.data.items import BadItem, Item, scan_items, to_record
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.mending import mend_all, repair_encoding, trim
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.repeats import CaptionCounts, RepeatedCaptions, SeenRows
from goldfish_cli.data.prepare.rules import (
    EMPTY,
    LINK,
    MAX_WORDS,
    ONE_WORD,
    TextRule,
    first_breach,
    too_long,
)

RULES = {
    "trim": "take spaces and invisible characters from the ends of texts",
    "encoding": "restore UTF-8 that was read as Windows-1252 or Latin-1",
    "empty": "drop answers and captions with no letter, digit or symbol",
    "too-long": "drop answers and captions with too many words",
    "duplicate": "drop rows that repeat another",
    "repeated-caption": "drop captions that stand in several films",
}
EXTRA_RULES = {
    "link": "drop captions that are only an address",
    "one-word": "drop captions of one word",
}


@dataclass(frozen=True, slots=True)
class CleanSettings:
    """What to do; ``rules`` names those that are on."""

    rules: frozenset[str] = frozenset(RULES)
    max_words: int = MAX_WORDS
    """Of an answer or caption, under ``too-long``."""
    max_films: int = 1
    """In which one caption may stand, under ``repeated-caption``."""


class Cleaner:
    """Cleans one file, in two passes: ``survey`` what repeats, if that matters, then ``clean``.

    Args:
        path: The annotations.
        settings: Which rules are on.
    """

    def __init__(self, path: Path, settings: CleanSettings) -> None:
        self.path = path
        self.mended: Counter[str] = Counter()
        """How many rows were mended, by rule; ``keys``: they had other names or another shape."""
        self.needs_survey = "repeated-caption" in settings.rules
        self._settings = settings
        self._repeated = RepeatedCaptions({})
        self._mends = _mends(settings.rules)
        self._answer_rules = _answer_rules(settings)
        self._caption_rules = (*self._answer_rules, *_caption_rules(settings))

    def survey(self) -> Iterator[None]:
        """Read the file once to see which captions repeat; a step a row.

        Raises:
            AnnotationError: If the file cannot be read.
        """
        counts = CaptionCounts()
        for row in scan_items(self.path):
            if isinstance(row, Item):
                item = self._mend(row)
                if item.caption is not None and self._breach(item) is None:
                    counts.add(item)
            yield
        self._repeated = counts.repeated(self._settings.max_films)

    def clean(self, output: PreparedFile, account: Account) -> Iterator[None]:
        """Write what is left, in the order of the file; a step a row.

        Raises:
            AnnotationError: If the file cannot be read.
        """
        seen = SeenRows()
        self.mended.clear()
        for row in scan_items(self.path):
            account.read()
            if isinstance(row, BadItem):
                output.drop(row.raw, row.reason, row.detail)
            else:
                item = self._mend(row)
                breach = self._breach(item) or self._repetition(item, seen)
                if breach:
                    output.drop(row.raw, *breach)
                else:
                    record = to_record(item)
                    self._count_mends(row, record)
                    output.write(record)
            yield

    def _mend(self, item: Item) -> Item:
        """Return the item with every text as it was meant; its id is only trimmed."""
        mend = self._mend_text
        return replace(
            item,
            id=trim(item.id) if "trim" in self._mends else item.id.strip(),
            turns=tuple((mend(question), mend(answer)) for question, answer in item.turns),
            caption=None if item.caption is None else mend(item.caption),
            extra=mend_all(item.extra, mend),
        )

    def _mend_text(self, text: str) -> str:
        before = None
        while text != before:  # a repair may bare a space at the end, and the other way round
            before = text
            for mend in self._mends.values():
                text = mend(text)
            text = text.strip()
        return text

    def _breach(self, item: Item) -> tuple[str, str] | None:
        """Return which rule an item breaks by itself, and how."""
        if not item.id:
            return "no-id", "the id is empty"
        if item.caption is not None:
            return _empty(item.caption, "caption") or first_breach(
                item.caption, self._caption_rules
            )
        for number, (question, answer) in enumerate(item.turns, start=1):
            breach = (
                _empty(question, "question")
                or _empty(answer, "answer")
                or first_breach(answer, self._answer_rules)
            )
            if breach:
                where = f"turn {number}: " if len(item.turns) > 1 else ""
                return breach[0], where + breach[1]
        return None

    def _repetition(self, item: Item, seen: SeenRows) -> tuple[str, str] | None:
        if num_films := self._repeated.num_films(item):
            return "repeated-caption", f"stands in {num_films} films"
        if "duplicate" in self._settings.rules and not seen.is_new(item):
            return "duplicate", "repeats an earlier row"
        return None

    def _count_mends(self, row: Item, record: dict[str, Any]) -> None:
        if _shape(row.raw) != _shape(record):
            self.mended["keys"] += 1
        for name, mend in self._mends.items():
            if mend_all(row.raw, mend) != row.raw:
                self.mended[name] += 1


def _shape(record: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The names of the keys, and those of the first turn of a dialogue."""
    turns = record.get("conversations")
    first = turns[0] if isinstance(turns, list) and turns else None
    return set(record), set(first) if isinstance(first, Mapping) else set()


def _mends(rules: frozenset[str]) -> dict[str, Callable[[str], str]]:
    every = {"trim": trim, "encoding": repair_encoding}
    return {name: mend for name, mend in every.items() if name in rules}


def _answer_rules(settings: CleanSettings) -> tuple[TextRule, ...]:
    every = (EMPTY, too_long(settings.max_words))
    return tuple(rule for rule in every if rule.name in settings.rules)


def _caption_rules(settings: CleanSettings) -> tuple[TextRule, ...]:
    return tuple(rule for rule in (LINK, ONE_WORD) if rule.name in settings.rules)


def _empty(text: str, kind: str) -> tuple[str, str] | None:
    """Nothing at all is never kept: it could not be read again."""
    return None if text else ("empty", f"the {kind} is empty")
