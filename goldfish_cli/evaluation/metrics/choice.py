"""Find out which option an answer names, through all that models say around it. Nothing is guessed.

Ways to name an option are tried from the clearest to the faintest: what is called the answer, the
letter that the answer opens with, letters in brackets, the text of an option, a letter that stands
alone. The first way that is there decides; if it names several options, none is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from goldfish_cli.evaluation.metrics import choice_patterns as given
from goldfish_cli.evaluation.metrics.match import normalise

_CALLED_TEXT = re.compile(
    rf"\b{given.ANSWER_WORD}(?: (?:is|was|would|should|must|be|likely|probably|most|option))*$"
)
_NEGATIONS = frozenset(("not", "never", "neither", "nor", "isnt", "wasnt", "without", "except"))
_NEGATING_PAIRS = frozenset((("rather", "than"), ("instead", "of")))
_WRONG = frozenset(("not", "wrong", "incorrect", "false"))
_EDGES = " .\"'\n"
_NEAR = 400  # characters behind a letter that may be the text of its option


@dataclass(frozen=True, slots=True)
class _Mention:
    option: int
    end: int
    """Where the text goes on."""


def find_choice(answer: str, options: Sequence[str]) -> int | None:
    """Find the option that an answer names.

    Options are lettered from A in the question, in their order. ``Option 2`` is the second; a
    number alone says nothing, as some count from 0.

    Args:
        answer: What a model said.
        options: Their texts, without letters; the first 26 can be named by letter.

    Returns:
        From 0; ``None`` if no option is named or more than one: such an answer is wrong, and to be
        counted as unreadable. No option is ever picked at random.
    """
    text = _plain(answer)
    if not text or not options:
        return None
    reader = _Reader(text, options)
    if reader.is_letter:
        by_text, by_letter = reader.whole_text(), reader.lone_letter()
        is_capital = any(one.isupper() for one in text)  # as the options are lettered
        return by_letter if is_capital or by_text in (None, by_letter) else None
    whole = reader.whole_text()
    if whole is not None:
        return whole
    for named in reader.levels():
        if named:
            return named.pop() if len(named) == 1 else None
    return None


def _plain(answer: str) -> str:
    """Take off thoughts and decoration; what is boxed is the final answer."""
    text = given.THOUGHTS.sub(" ", unicodedata.normalize("NFKC", answer))
    text = text.rsplit("</think>", 1)[-1]  # the prompt may have opened the thoughts
    boxes = given.BOXED.findall(text)
    if boxes:
        text = f"Final answer: {boxes[-1]}"
    return given.DECORATION.sub(" ", text).strip()


class _Reader:
    """Reads one answer for what it says of the options."""

    def __init__(self, text: str, options: Sequence[str]) -> None:
        self._text = text
        self._words = normalise(text).split()
        self._given = options
        self._options = [normalise(option).split() for option in options]
        self._letters = given.LETTERS[: len(options)]
        self._patterns = given.patterns_for(len(self._letters))

    @property
    def is_letter(self) -> bool:
        """Whether the answer is one letter, with signs around it at most."""
        return sum(one.isalnum() for one in self._text) == 1 and self.lone_letter() is not None

    def lone_letter(self) -> int | None:
        """Return the option of the only letter in the answer."""
        found = [self._letters.find(one.upper()) for one in self._text if one.isalnum()]
        return found[0] if found and found[0] >= 0 else None

    def whole_text(self) -> int | None:
        """Return the only option whose text the whole answer is.

        A letter before it may look like an article: ``(A) the dog`` is not the dog.
        """
        opening = self._patterns.opening.match(self._text)
        is_lettered = opening is not None and opening["letter"] is not None
        bare = self._text.casefold().strip(_EDGES)
        same = [
            place
            for place, words in enumerate(self._options)
            if words == self._words
            and (not is_lettered or self._given[place].casefold().strip(_EDGES) == bare)
        ]
        return same[0] if len(same) == 1 else None

    def levels(self) -> Iterator[set[int]]:
        """Yield what each way of naming names, from the clearest way to the faintest."""
        patterns = self._patterns
        yield self._checked(self._letters_by([patterns.final]))
        called_texts = set(self._texts(only_called=True))
        yield self._checked(self._letters_by(patterns.called)) | called_texts
        listed = self._listed()
        yield self._checked(self._opening()) if len(listed) < 2 else set()
        marked = [*self._letters_by(patterns.marked), *self._numbered()]
        yield self._checked(marked) if len(listed) < 2 else listed
        yield set(self._texts())
        yield self._checked(self._letters_by([patterns.alone]))

    def _checked(self, mentions: Iterable[_Mention]) -> set[int]:
        """Options of the mentions, and those whose text stands behind another one's letter."""
        named: set[int] = set()
        for mention in mentions:
            named.add(mention.option)
            behind = self._text_behind(mention.end)
            if behind and mention.option not in behind:
                named |= behind
        return named

    def _letters_by(self, patterns: Iterable[re.Pattern[str]]) -> list[_Mention]:
        return [
            mention
            for pattern in patterns
            for match in pattern.finditer(self._text)
            for mention in self._mentions(match)
        ]

    def _opening(self) -> list[_Mention]:
        match = self._patterns.opening.match(self._text)
        return self._mentions(match) if match else []

    def _numbered(self) -> list[_Mention]:
        found = [
            (int(match["number"][:4]) - 1, match)
            for match in self._patterns.numbered.finditer(self._text)
        ] + [
            (given.ORDINALS.index(match["ordinal"].lower()), match)
            for match in self._patterns.counted.finditer(self._text)
        ]
        return [
            _Mention(option, match.end())
            for option, match in found
            if 0 <= option < len(self._options) and not self._is_negated(match.start(), match.end())
        ]

    def _mentions(self, match: re.Match[str]) -> list[_Mention]:
        """The letter of a match and those in its company, but for articles and denied ones."""
        groups = match.groupdict()
        group = "letter" if groups["letter"] else "bare"
        found = self._mention(match, group, is_sure=bool(groups.get("named")))
        further = self._patterns.company.match(self._text, match.end(group))
        while further:
            found += self._mention(further, "letter")
            further = self._patterns.company.match(self._text, further.end("letter"))
        return found

    def _mention(
        self, match: re.Match[str], group: str, *, is_sure: bool = False
    ) -> list[_Mention]:
        letter, start, end = match[group], match.start(group), match.end(group)
        is_article = (
            not is_sure
            and (letter in "AI" or letter.islower())
            and given.ARTICLE_AFTER.match(self._text, end)
        )
        if is_article or self._is_negated(start, end):
            return []
        return [_Mention(self._letters.index(letter.upper()), end)]

    def _is_negated(self, start: int, end: int) -> bool:
        before = self._text[max(0, start - 60) : start]
        return bool(
            given.NEGATED_BEFORE.search(before)
            or given.NEGATED_AFTER.match(self._text[end : end + 60])
        )

    def _text_behind(self, end: int) -> set[int]:
        """The options with the longest text that the answer goes on with after a letter."""
        words = normalise(self._text[end : end + _NEAR]).split()
        fitting = [
            place
            for place, option in enumerate(self._options)
            if option and words[: len(option)] == option
        ]
        longest = max((len(self._options[place]) for place in fitting), default=0)
        return {place for place in fitting if len(self._options[place]) == longest}

    def _listed(self) -> set[int]:
        """Options that are repeated, with letter and text."""
        found = [
            (self._letters.index(match["letter"].upper()), match.end())
            for match in self._patterns.marker.finditer(self._text)
        ]
        return {option for option, end in found if option in self._text_behind(end)}

    def _texts(self, *, only_called: bool = False) -> list[int]:
        """Options whose text is in the answer, but for those inside another one's."""
        spans = [
            (start, start + len(option), place)
            for place, option in enumerate(self._options)
            if option
            for start in range(len(self._words) - len(option) + 1)
            if self._words[start : start + len(option)] == option
        ]
        return [
            place
            for start, end, place in spans
            if not any(a <= start and end <= b and b - a > end - start for a, b, _ in spans)
            and not self._is_text_denied(start, end)
            and (not only_called or _CALLED_TEXT.search(" ".join(self._words[:start])))
        ]

    def _is_text_denied(self, start: int, end: int) -> bool:
        before, after = self._words[max(0, start - 2) : start], self._words[end : end + 2]
        return (
            (bool(before) and before[-1] in _NEGATIONS)
            or tuple(before) in _NEGATING_PAIRS
            or (bool(after) and after[0] in ("isnt", "wasnt"))
            or (len(after) == 2 and after[0] in ("is", "was") and after[1] in _WRONG)
        )
