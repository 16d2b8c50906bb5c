"""Words as retrieval and evidence compare them: case, accents and endings aside, any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")
_UNSPACED = re.compile(r"([぀-ヿ㐀-鿿가-힯฀-๿])")
"""Scripts without spaces: each of their characters counts as a word."""

_FUNCTION_WORDS = """
    a about an and any are as at be been being but by can could did do does during else
    ever for from had has have he her here him his how i if in into is it its just may
    me might more most my no not of off on once one ones only or our out over please she
    should so some such than that the their them then there these they this those to too
    under up upon us very was we were what when where whether which while who whom whose
    why will with would you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that say nothing about a film; other languages are left to their statistics."""
_UNEVEN = {
    "went": "go", "goes": "go", "gone": "go", "said": "say", "says": "say", "seen": "see",
    "saw": "see", "grew": "grow", "grown": "grow", "shrank": "shrink", "shrunk": "shrink",
    "stood": "stand", "kept": "keep", "got": "get", "came": "come", "took": "take", "ran": "run",
    "told": "tell", "spoke": "speak", "sank": "sink", "rose": "rise", "slid": "slide",
}  # fmt: skip
_STEMMER = snowballstemmer.stemmer("english")


def words(text: str) -> list[str]:
    """Split a text into words, case and accents folded; characters of unspaced scripts alone."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    composed = unicodedata.normalize("NFC", plain)
    return _WORD.findall(_UNSPACED.sub(r" \1 ", composed))


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Bring an English word to its stem, so that ``moves``, ``moving`` and ``grew`` meet theirs."""
    return str(
        _STEMMER.stemWord(_UNEVEN.get(word, word).removesuffix("'s").removesuffix("\u2019s"))
    )


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order."""
    return [stem(word) for word in words(text)]


def content_stems(text: str) -> list[str]:
    """The stems of the words that say something, in order."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


def holds_phrase(haystack: Sequence[str], phrase: Sequence[str]) -> bool:
    """Tell whether the words of a phrase stand side by side in a text, both as stems."""
    return count_phrase(haystack, phrase) > 0


def count_phrase(haystack: Sequence[str], phrase: Sequence[str]) -> int:
    """Count where the words of a phrase stand side by side in a text, both as stems."""
    size = len(phrase)
    starts = range(len(haystack) - size + 1)
    return sum(list(haystack[start : start + size]) == list(phrase) for start in starts)
