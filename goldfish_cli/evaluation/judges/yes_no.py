"""Find out whether an answer says yes or no, in whatever words."""

from __future__ import annotations

from goldfish_cli.evaluation.judges import tables
from goldfish_cli.evaluation.judges.lemmas import Word, read_words, starts_of

_LEAD = 3  # words in which "yes or no" would stand
_ELLIPSIS = frozenset(
    ("he", "she", "it", "they", "there", "this", "that", "be", "do", "have", "will", "can")
)

_PRONOUNS = frozenset(("he", "she", "it", "they"))


def yes_or_no(answer: str, question: str = "") -> bool | None:
    """Return what an answer says; ``None`` if it says neither, or both.

    Args:
        answer: A word or whole sentences.
        question: Where an answer has no yes or no in it, it says yes if it repeats what the
            question says, and no if it denies a part of that.
    """
    text = starts_of(answer)
    if text.startswith(tables.NO_STARTS):
        return False
    if text.startswith(tables.YES_STARTS):
        return True
    words = read_words(answer)
    spoken = [word for word in words if word.role not in ("comma", "stop")]
    if not spoken or any(word.lemma in tables.UNDECIDED for word in spoken):
        return None
    lead = [word.lemma for word in spoken[:_LEAD]]
    if any(word in tables.YES for word in lead) and any(word in tables.NO for word in lead):
        return None if "or" in lead or "and" in lead else lead[0] in tables.YES
    first = lead[0]
    if first in tables.YES | tables.FIRST_YES:
        return True
    if first in tables.NO | tables.FIRST_NO:
        return False
    return _from_sentence(spoken, question)


def is_yes_no(reference: str) -> bool:
    """Tell whether a reference answer is a yes or a no, with or without more after a comma."""
    words = read_words(reference)
    if not words or words[0].lemma not in tables.YES | tables.NO:
        return starts_of(reference) in (*tables.YES_STARTS, *tables.NO_STARTS)
    return len(words) == 1 or words[1].role in ("comma", "stop")


def _from_sentence(spoken: list[Word], question: str) -> bool | None:
    for word in spoken:
        if word.lemma in tables.YES | tables.ALWAYS_YES:
            return not word.is_denied
    denies = any(word.role == "negation" for word in spoken)
    if all(word.lemma in _ELLIPSIS or word.role != "content" for word in spoken):
        return not denies  # he does not, it is, there are
    asked = [word.lemma for word in read_words(question) if word.role == "content"]
    if not asked or any(word.role == "negation" for word in read_words(question)):
        return None
    said = {word.lemma for word in spoken if word.role == "content"}
    if denies:
        return False if said & set(asked) else None
    if any(word.lemma in _PRONOUNS for word in spoken) and said <= set(asked):
        return True if asked[-1] in said else None  # it is sunny: "it" stands for the rest
    return True if said >= set(asked) else None
