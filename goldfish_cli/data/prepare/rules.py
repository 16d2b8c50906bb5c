"""Rules about the text of annotations: each has a name, can be switched off, and says what it saw.

A rule sees one text at a time. What needs the whole file (repeated rows, repeated captions) is in
``repeats``.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from goldfish_cli.errors import UsageError

MAX_WORDS = 384  # about the 512 tokens that training keeps of an answer

_LINK = re.compile(
    r"(?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|tv|io|ly|be|co)(?:[/?:]\S*)?",
    re.IGNORECASE,
)
# Scripts that do not set words apart: each of their characters counts as a word.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Japanese, Chinese
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class TextRule:
    """A reason for which a text makes its row useless.

    Args:
        name: As in ``--without NAME`` and in the account.
        help: What such a text is, in a few words.
        check: Returns what is wrong with a text, ``""`` where nothing is.
    """

    name: str
    help: str
    check: Callable[[str], str]


def count_words(text: str) -> int:
    """Count words; in scripts that set none apart, characters."""
    return sum(1 for _ in _WORD.finditer(text))


def is_empty(text: str) -> bool:
    """Tell whether a text says nothing: it has no letter, digit or symbol such as an emoji."""
    return not any(char.isalnum() or unicodedata.category(char)[0] in "NS" for char in text)


def is_link(text: str) -> bool:
    """Tell whether a text is an address, or several, and nothing else that says something."""
    num_links = 0
    for word in text.split():
        if _LINK.fullmatch(word.strip("<>()[]\"',;:")):
            num_links += 1
        elif not is_empty(word):
            return False
    return num_links > 0


EMPTY = TextRule("empty", "no letter, digit or symbol", lambda text: _if(is_empty(text), "empty"))
LINK = TextRule("link", "only an address", lambda text: _if(is_link(text), "only a link"))
ONE_WORD = TextRule(
    "one-word", "a single word", lambda text: _if(count_words(text) == 1, "one word")
)


def too_long(max_words: int = MAX_WORDS) -> TextRule:
    """Make the rule against texts of more than ``max_words`` words."""

    def check(text: str) -> str:
        if len(text) <= max_words:  # a word has a character at least
            return ""
        words = count_words(text)
        return _if(words > max_words, f"{words} words, {max_words} at most")

    return TextRule("too-long", f"more than {max_words} words", check)


def caption_rules() -> tuple[TextRule, ...]:
    """Return the rules by which a caption of a film is junk, in the order they are asked."""
    return EMPTY, LINK, ONE_WORD


def first_breach(text: str, rules: Iterable[TextRule]) -> tuple[str, str] | None:
    """Return the name of the first rule that a text breaks, and what is wrong; ``None``: none."""
    for rule in rules:
        if detail := rule.check(text):
            return rule.name, detail
    return None


def check_names(chosen: Sequence[str], known: Sequence[str], *, option: str) -> frozenset[str]:
    """Return the names of rules that an option gave.

    Raises:
        UsageError: If there is no rule of such a name.
    """
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UsageError(
            f"{option} names no rule: {', '.join(unknown)}.", hint=f"Rules: {', '.join(known)}"
        )
    return frozenset(chosen)


def _if(broken: bool, detail: str) -> str:
    return detail if broken else ""
