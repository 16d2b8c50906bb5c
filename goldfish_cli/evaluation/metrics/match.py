"""Compare free answers with references: to the letter, but for their form, and as VQA does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from goldfish_cli.evaluation.judges.numbers import join_numbers

_ARTICLES = frozenset(("a", "an", "the"))
_APOSTROPHES = re.compile(r"(?<=\w)['\u2019\u02bc\uff07](?=\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_AGREEING = 3  # people, of ten, who must say the same for an answer to count in full


def is_exact(prediction: str, reference: str) -> bool:
    """Tell whether two answers are the same characters, but for space around them.

    This is how MSVD-QA, MSRVTT-QA (Xu et al. 2017), TGIF-QA's frame set and ActivityNet-QA score
    the words of a fixed list.
    """
    return prediction.strip() == reference.strip()


def is_normalised_match(prediction: str, reference: str) -> bool:
    """Tell whether two answers are the same when normalised; an empty one matches nothing."""
    told = normalise(prediction)
    return bool(told) and told == normalise(reference)


def normalise(answer: str) -> str:
    """Bring an answer to one form: case, articles, punctuation and number words taken away.

    In any script: widths and ligatures become plain (NFKC), letters, their marks and digits stay,
    every other sign parts words. ``The twenty-one Dogs!`` becomes ``21 dogs``. An answer of nothing
    but articles or signs stays, in lower case.
    """
    plain = unicodedata.normalize("NFKC", answer).casefold().strip()
    words = join_numbers(_words(plain))
    kept = [word.removeprefix("#") for word in words if word not in _ARTICLES]
    return " ".join(kept) or plain


def vqa_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """Score an answer against those of several people (Antol et al. 2015, arXiv:1505.00468).

    Full marks if three others say the same, a third for each below; the mean over leaving out each
    person in turn, as VQA's evaluation does with its ten.

    Args:
        prediction: What was answered.
        answers: One of each person, repetitions included; with a single one this is a match.

    Raises:
        ValueError: If there are no answers.
    """
    if not answers:
        raise ValueError("Without references an answer cannot be scored.")
    same = [is_normalised_match(prediction, answer) for answer in answers]
    if len(same) == 1:
        return float(same[0])
    total = sum(same)
    return sum(min(1.0, (total - one) / _AGREEING) for one in same) / len(same)


def _words(text: str) -> list[str]:
    text = _THOUSANDS.sub("", _APOSTROPHES.sub("", text))
    return "".join(one if _is_kept(text, place) else " " for place, one in enumerate(text)).split()


def _is_kept(text: str, place: int) -> bool:
    if unicodedata.category(text[place])[0] in "LMN":
        return True
    between = text[place - 1 : place] + text[place + 1 : place + 2]
    return text[place] in ".:" and len(between) == 2 and between.isdecimal()
