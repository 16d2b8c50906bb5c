"""How well a film's statements fit what a question is about, by the words of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import log

from goldfish_cli.longvideo.question import Phrase
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.statements import Statement, statements_of
from goldfish_cli.longvideo.words import FUNCTION_WORDS, holds_phrase

FULL = 0.999
"""Of a fit: everything that the question names is there."""
WEAK = 0.5
"""Evidence that holds a smaller share of what is asked about is none."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A statement, and the share of a question's words, weighted by rarity, that it holds."""

    statement: Statement
    score: float


@dataclass(frozen=True)
class FilmView:
    """One film's statements, ready to be searched."""

    film: FilmRecord
    clips: Sequence[ClipRecord]

    @cached_property
    def statements(self) -> list[Statement]:
        """All that the film shows and says, in its order."""
        return statements_of(self.film.id, self.clips)

    @cached_property
    def seen(self) -> list[Statement]:
        """What it shows."""
        return [one for one in self.statements if one.kind == "seen"]

    @cached_property
    def said(self) -> list[Statement]:
        """What is said in it."""
        return [one for one in self.statements if one.kind == "said"]

    @cached_property
    def _frequencies(self) -> Counter[str]:
        return Counter(stem for one in self.statements for stem in set(one.stems))

    def knows(self, stem: str) -> bool:
        """Whether the film's text has a word at all."""
        return self._frequencies[stem] > 0

    def fits(self, phrases: Sequence[Phrase], among: Iterable[Statement]) -> list[Fit]:
        """Rate statements by what they hold of the phrases, the best first, then by time.

        A word that the film never uses counts as missing, unless it follows two or more words that
        stand there together: then it is another word for what they do.
        """
        wanted = [self._known(phrase) for phrase in phrases]
        total = sum(self._weight(stem) for phrase in wanted for stem in phrase)
        if not total:
            return []
        rated = [Fit(one, self._held(one, wanted) / total) for one in among]
        found = [fit for fit in rated if fit.score > 0]
        return sorted(found, key=lambda fit: (-round(fit.score, 6), fit.statement.start))

    def nearest_named(self, phrase: Phrase) -> list[Statement]:
        """What is seen of the thing that a phrase begins with, if it does something else.

        English names who acts before it says what is done: of "red cross moves left", statements
        that hold "red cross" are given if none holds more.
        """
        for size in range(len(phrase) - 1, 1, -1):
            found = [one for one in self.seen if holds_phrase(one.stems, phrase[:size])]
            if found:
                return found
        return []

    def moments(self) -> list[list[Statement]]:
        """What is seen, moment by moment: things seen at the same time are together."""
        grouped = groupby(self.seen, key=lambda one: (one.clip, one.place))
        return [list(group) for _, group in grouped]

    def clip(self, number: int) -> ClipRecord:
        """The clip of a number."""
        return next(clip for clip in self.clips if clip.number == number)

    def _known(self, phrase: Phrase) -> Phrase:
        end = len(phrase)
        while end > 2 and not self.knows(phrase[end - 1]):
            end -= 1
        return phrase[:end]

    def _held(self, statement: Statement, wanted: Iterable[Phrase]) -> float:
        together = statement.kind == "seen"
        return sum(
            sum(map(self._weight, part))
            for phrase in wanted
            for part in _parts_held(statement.stems, phrase, together=together)
        )

    def _weight(self, stem: str) -> float:
        count = len(self.statements)
        return log(1 + count / (1 + self._frequencies[stem]))


def _parts_held(stems: Sequence[str], phrase: Phrase, *, together: bool) -> Iterator[Phrase]:
    """The longest run of a phrase's words that a text holds; of speech, each word by itself."""
    if not together:
        yield tuple(stem for stem in phrase if stem in stems)
        return
    for size in range(len(phrase), 0, -1):
        for start in range(len(phrase) - size + 1):
            if holds_phrase(stems, phrase[start : start + size]):
                yield phrase[start : start + size]
                return


def is_supported(answer: Iterable[str], asked: Iterable[str], evidence: Iterable[str]) -> bool:
    """Tell whether every word of an answer stands in its question or its evidence, as stems.

    An answer that says nothing beyond the question supports nothing.
    """
    told = [stem for stem in answer if stem not in FUNCTION_WORDS]
    new = set(told) - set(asked)
    return bool(new) and new <= set(evidence)
