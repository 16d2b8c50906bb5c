"""Read a text as the offline judge compares it: base forms, synonyms, numbers, and what is denied.

Any script: words are runs of letters, marks and digits, case folded; nothing is taken off them
except English endings. Scripts that are written without spaces are read character by character.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import snowballstemmer

from goldfish_cli.evaluation.judges import tables
from goldfish_cli.evaluation.judges.numbers import is_number, join_numbers

Role = Literal["content", "light", "negation", "and", "or", "comma", "stop"]

_UNSPACED = re.compile(r"([぀-ヿ㐀-鿿豈-﫿가-힯฀-๿])")
_CONTRACTIONS = (
    (re.compile(r"\bcan['\u2019]?t\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon['\u2019]?t\b"), "will not"),
    (re.compile(r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should)n['\u2019]?t\b"),
     r"\1 not"),
    (re.compile(r"n['\u2019]t\b"), " not"),
    (re.compile(r"['\u2019](?:s|re|ve|ll|d|m)\b"), " "),
)  # fmt: skip
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_STOPS = frozenset(".;:!?。।")
_COMMAS = frozenset(',、\u2013—()[]"\n')
_STEMMER = snowballstemmer.stemmer("english")
_STEMMER_LOCK = threading.Lock()  # it keeps the word it works on in itself


@dataclass(frozen=True, slots=True)
class Word:
    """One word or mark of a text."""

    lemma: str
    role: Role
    is_denied: bool = False
    """Whether a negation before it in its clause reaches it."""


def read_words(text: str) -> list[Word]:
    """Read a text, marks included."""
    words: list[Word] = []
    denied = False
    lemmas = _lemmas(text)
    for position, lemma in enumerate(lemmas):
        if denied:
            lemma = tables.WHEN_DENIED.get(lemma, lemma)
        role = _role(lemma)
        after = lemmas[position + 1] if position + 1 < len(lemmas) else ""
        if role == "stop" or lemma in tables.CLAUSE_STARTS:
            denied = False
        elif role == "comma" and (after in tables.SUBJECTS or lemmas[position - 1] in tables.NO):
            denied = False  # a clause of its own, and what follows the answer "no,"
        words.append(Word(lemma, role, denied))
        if role == "negation":
            denied = True
    return words


def same_text(first: str, second: str) -> bool:
    """Tell whether two texts differ at most in case, width and white space."""
    return _folded(first).split() == _folded(second).split()


def bag(text: str) -> list[str]:
    """List the lemmas of a text that say something, denials included; all if none does."""
    words = [word for word in read_words(text) if word.role not in ("comma", "stop", "and", "or")]
    telling = [word.lemma for word in words if word.role in ("content", "negation")]
    return telling or [word.lemma for word in words]


def starts_of(text: str) -> str:
    """Return a text folded and stripped, to look at how it starts."""
    return _folded(text).strip()


def _role(lemma: str) -> Role:
    if lemma in _STOPS:
        return "stop"
    if lemma == ",":
        return "comma"
    if lemma in ("and", "&"):
        return "and"
    if lemma in ("or", "either"):
        return "or"
    if lemma in tables.NEGATIONS:
        return "negation"
    return "light" if lemma in tables.LIGHT else "content"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _lemmas(text: str) -> list[str]:
    return _join_phrases([_lemma(word) for word in join_numbers(_split(text))])


def _split(text: str) -> list[str]:
    folded = _THOUSANDS.sub("", _folded(text))
    for pattern, replacement in _CONTRACTIONS:
        folded = pattern.sub(replacement, folded)
    around = zip(" " + folded, folded, folded[1:] + " ", strict=False)
    pieces = (_piece(before, letter, after) for before, letter, after in around)
    return _UNSPACED.sub(r" \1 ", "".join(pieces)).split()


def _piece(before: str, letter: str, after: str) -> str:
    """Return what a character is read as: itself, a mark by itself, or a space."""
    if unicodedata.category(letter)[0] in "LMN":
        return letter
    if letter in ".:" and before.isdecimal() and after.isdecimal():
        return letter  # 3.5, 12:30
    if letter in _STOPS:
        return " . "
    if letter in _COMMAS:
        return " , "
    if letter in "/|":
        return " or "
    return "" if unicodedata.category(letter) == "Cf" else " & " if letter == "&" else " "


def _join_phrases(lemmas: Sequence[str]) -> list[str]:
    joined: list[str] = []
    position = 0
    while position < len(lemmas):
        for size in (3, 2):
            meaning = _PHRASES.get(tuple(lemmas[position : position + size]))
            if meaning is not None:
                joined += [meaning] if meaning else []
                position += size
                break
        else:
            joined.append(lemmas[position])
            position += 1
    return joined


def _lemma(word: str) -> str:
    if is_number(word) or not word.isascii() or not word.isalpha():
        return word
    stem = _stem(word)
    return _SYNONYMS.get(stem, stem)


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    if word in tables.WHOLE:
        return word.removesuffix("s") if word in ("animals", "organs") else word
    base = tables.IRREGULAR.get(word, word)
    if base in _UNSTEMMED:
        return base
    with _STEMMER_LOCK:
        return str(_STEMMER.stemWord(base))


_UNSTEMMED = (
    tables.LIGHT | tables.NEGATIONS | tables.CLAUSE_STARTS | tables.YES | tables.NO | tables.PLACES
    | tables.FIRST_YES | tables.FIRST_NO | tables.UNDECIDED | tables.COLOURS | {"and", "or"}
    | tables.QUANTITIES.keys() | tables.WHEN_DENIED.keys()
)  # fmt: skip
_SYNONYMS = {
    _stem(word): _stem(group.split()[0])
    for group in tables.SYNONYMS
    for word in group.split()
    if not word.endswith("_")
}
_PHRASES = {
    tuple(_lemma(word) for word in phrase.split()): _lemma(meaning) if meaning else ""
    for phrase, meaning in tables.PHRASES.items()
}
