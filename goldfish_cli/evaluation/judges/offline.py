"""Judge answers by rules, without a model or a network: the same verdict everywhere, at once.

An answer is right if it says what the reference says: the same words, but for form, number words
and a few synonyms, not denied, and not as one of several possibilities. It does not understand:
paraphrases beyond its tables are wrong to it, and who does what to whom escapes it. Its grades are
the overlap of words, a crude measure far below a language model's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from goldfish_cli.evaluation.items import Dimension, EvalItem
from goldfish_cli.evaluation.judges import tables
from goldfish_cli.evaluation.judges.lemmas import Word, bag, read_words, same_text
from goldfish_cli.evaluation.judges.numbers import is_number
from goldfish_cli.evaluation.judges.verdict import Verdict
from goldfish_cli.evaluation.judges.yes_no import is_yes_no, yes_or_no

VERSION = "offline-1"

_FULL = 5.0
_MOST_WHEN_WRONG = 2.0
_SAME = 0.85  # overlap from which two answers say the same in another order


class OfflineJudge:
    """Judges without a model; safe for threads."""

    name = VERSION

    def judge(
        self, item: EvalItem, prediction: str, dimension: Dimension, second: str = ""
    ) -> Verdict:
        """Judge one answer.

        ``accuracy`` is yes or no, with 5 for yes and up to 2, by overlap, for no. Every other
        dimension is graded by the overlap (F1) of the words with those of the reference, whatever
        the dimension asks; for ``consistency`` by the worse of the two answers.
        """
        references = _references(item)
        if not references:
            return Verdict(problem="The question has no reference answer.")
        if dimension == "consistency":
            return Verdict(score=min(_grade(references, prediction), _grade(references, second)))
        grade = _grade(references, prediction)
        if dimension != "accuracy":
            return Verdict(score=grade)
        if any(is_right(reference, prediction, item.question) for reference in references):
            return Verdict(correct=True, score=_FULL)
        return Verdict(correct=False, score=min(grade, _MOST_WHEN_WRONG))


def is_right(reference: str, prediction: str, question: str = "") -> bool:
    """Tell whether a prediction says what the reference says.

    Args:
        reference: The accepted answer, seldom more than a few words.
        prediction: A few words or sentences.
        question: Helps to read both: what it asks for, and what it gives away already.
    """
    if same_text(reference, prediction):
        return True
    if is_yes_no(reference):
        said = yes_or_no(prediction, question)
        return said is not None and said == yes_or_no(reference)
    wanted, given = read_words(reference), read_words(prediction)
    key = _telling(wanted)
    if not key:
        return False
    if len(key) == 1 and is_number(key[0].lemma):
        return _is_number_right(key[0].lemma, given, question)
    if len(key) == 1 and key[0].lemma in ("none", "nobody", "nothing") and _asks_how_many(question):
        return _is_number_right("#0", given, question)
    if _is_said(key, wanted, given) or _says_the_same(key, wanted, given):
        return True
    asked = {word.lemma for word in read_words(question)}
    new = [word for word in key if word.lemma not in asked]
    return bool(new) and new != key and "or" not in asked and _is_said(new, wanted, given)


def _references(item: EvalItem) -> list[str]:
    if item.answers:
        return list(item.answers)
    return [] if item.correct is None else [item.options[item.correct]]


def _telling(words: Sequence[Word]) -> list[Word]:
    """Return the words that an answer is about; of one such as ``up``, all that it has."""
    spoken = [word for word in words if word.role not in ("comma", "stop", "and", "or")]
    content = [word for word in spoken if word.role == "content"]
    return content or spoken


def _is_said(key: Sequence[Word], wanted: Sequence[Word], given: Sequence[Word]) -> bool:
    """Tell whether the words of the key stand together in a text, in order, all they are."""
    only_content = key[0].role == "content"
    places = [
        place
        for place, word in enumerate(given)
        if word.role == "content" or (not only_content and word.role in ("light", "negation"))
    ]
    spans = [span for start in range(len(places)) if (span := _span(key, given, places[start:]))]
    if not spans:
        return False
    fits = [_has_same_sign(key, given, span) for span in spans]
    if not all(fits):
        return False
    return not any(
        _is_one_of_several(key, given, span) or _is_elsewhere(wanted, given, span) for span in spans
    )


def _span(key: Sequence[Word], given: Sequence[Word], places: Sequence[int]) -> list[int]:
    """Find the key from the first place on; a single word may come between two of its words."""
    if given[places[0]].lemma != key[0].lemma:
        return []
    span, at = [places[0]], 0
    for word in key[1:]:
        for step in (1, 2):
            there = places[at + step] if at + step < len(places) else None
            if there is None or not _is_joined(given[span[-1] + 1 : there], step, word):
                continue
            if given[there].lemma == word.lemma:
                span.append(there)
                at += step
                break
        else:
            return []
    return span


def _is_joined(between: Sequence[Word], step: int, word: Word) -> bool:
    """Tell whether two words belong together: no sentence ends, and no list goes on between."""
    roles = {other.role for other in between}
    if "stop" in roles:
        return False
    return step == 1 or (word.lemma.isascii() and not roles & {"and", "or", "comma"})


def _has_same_sign(key: Sequence[Word], given: Sequence[Word], span: Sequence[int]) -> bool:
    if any(word.role == "negation" for word in key):  # "nothing" denies by itself
        return True
    pairs = zip(key, span, strict=True)
    return all(word.is_denied == given[place].is_denied for word, place in pairs)


def _is_one_of_several(key: Sequence[Word], given: Sequence[Word], span: Sequence[int]) -> bool:
    """Tell whether a match is offered beside others: red or blue, a red and blue one."""
    said = {word.lemma for word in key}
    first, last = span[0], span[-1]
    for place, word in enumerate(given):
        if word.role != "or":
            continue
        left = _content_before(given, place)
        right = _content_after(given, place, after_colour=_is_colour(given, left))
        others = [at for at in [left, *right] if at is not None and given[at].lemma not in said]
        if others and (left == last or (right and set(span) & set(right))):
            return True
    return _has_other_colour(given, first, _left_step) or _has_other_colour(
        given, last, _right_step
    )


def _content_before(given: Sequence[Word], place: int) -> int | None:
    for at in range(place - 1, -1, -1):
        if given[at].role == "stop":
            return None
        if given[at].role == "content":
            return at
    return None


def _content_after(given: Sequence[Word], place: int, *, after_colour: bool) -> list[int]:
    """Return the words that follow an "or", up to the next thing; of colours only the first."""
    found: list[int] = []
    for at in range(place + 1, len(given)):
        word = given[at]
        if word.role in ("stop", "comma", "and", "or") and found:
            break
        if word.role == "light" and found:
            break
        if word.role == "content":
            found.append(at)
    if found and after_colour and _is_colour(given, found[0]):
        return found[:1]
    return found


def _is_colour(given: Sequence[Word], place: int | None) -> bool:
    return place is not None and given[place].lemma in tables.COLOURS


def _left_step(place: int) -> int:
    return place - 1


def _right_step(place: int) -> int:
    return place + 1


def _has_other_colour(given: Sequence[Word], place: int, step: Callable[[int], int]) -> bool:
    """Tell whether a colour is listed with another: a red and blue shirt is not a red one."""
    if not _is_colour(given, place):
        return False
    at = step(place)
    while 0 <= at < len(given) and given[at].role in ("and", "or", "comma"):
        at = step(at)
    is_listed = 0 <= at < len(given) and _is_colour(given, at)
    return is_listed and not given[at].is_denied and given[at].lemma != given[place].lemma


def _is_elsewhere(wanted: Sequence[Word], given: Sequence[Word], span: Sequence[int]) -> bool:
    """Tell whether a match stands under something where the reference says on it."""
    if not wanted or wanted[0].role != "light" or len(wanted) == len(span):
        return False
    before = _content_before(given, span[0])
    if before is None or given[before].lemma not in tables.PLACES:
        return False
    return given[before].lemma not in {word.lemma for word in wanted}


def _says_the_same(key: Sequence[Word], wanted: Sequence[Word], given: Sequence[Word]) -> bool:
    """Tell whether two answers hold nearly the same words, in whatever order.

    Lists and several sentences are not compared so: what belongs to what would be lost.
    """
    if (_roles(given) - _roles(wanted)) & {"or", "and", "negation", "stop"}:
        return False
    if any(word.is_denied for word in key):
        return False
    content = [word.lemma for word in _telling(given)]
    if _numbers(content) != _numbers([word.lemma for word in key]):
        return False
    return _overlap([word.lemma for word in key], content) >= _SAME


def _roles(words: Sequence[Word]) -> set[str]:
    """Collect the roles in a text, the mark at its end aside."""
    return {word.role for word in (words[:-1] if words and words[-1].role == "stop" else words)}


def _is_number_right(number: str, given: Sequence[Word], question: str) -> bool:
    spoken = [word for word in given if word.role not in ("comma", "stop")]
    if len(spoken) == 1 and is_number(spoken[0].lemma):
        return spoken[0].lemma.removesuffix("th") == number.removesuffix("th")
    if any(word.role == "or" for word in spoken):
        return {word.lemma for word in spoken if is_number(word.lemma)} == {number}
    found = {word.lemma for word in spoken if is_number(word.lemma) and not word.is_denied}
    if any(is_number(word.lemma) and word.is_denied for word in spoken):
        found.discard(number)
    if not found and _asks_how_many(question):
        found = _quantities(spoken)
    if len(found) > 1:
        found = _counted(spoken, question) or found
    return found == {number}


def _asks_how_many(question: str) -> bool:
    words = [word.lemma for word in read_words(question)]
    return any(pair in (("how", "mani"), ("how", "much")) for pair in pairwise(words))


def _quantities(spoken: Sequence[Word]) -> set[str]:
    """Return what is counted without a number: a man, a couple, nobody."""
    words = [word.lemma for word in spoken]
    named = [tables.QUANTITIES[word] for word in words if word in tables.QUANTITIES]
    telling = [value for value in named if value != 1] or named
    return {f"#{value}" for value in telling}


def _counted(spoken: Sequence[Word], question: str) -> set[str]:
    """Of several numbers, return those that stand before what the question counts."""
    asked = [word.lemma for word in read_words(question)]
    if "mani" not in asked:
        return set()
    nouns = set(asked[asked.index("mani") + 1 :][:2])
    pairs = pairwise(spoken)
    return {one.lemma for one, two in pairs if is_number(one.lemma) and two.lemma in nouns}


def _numbers(lemmas: Sequence[str]) -> set[str]:
    return {lemma for lemma in lemmas if is_number(lemma)}


def _grade(references: Sequence[str], prediction: str) -> float:
    """Grade from 0 to 5 by overlap with the reference that is nearest."""
    if any(same_text(reference, prediction) for reference in references):
        return _FULL
    given = bag(prediction)
    return round(_FULL * max(_overlap(bag(reference), given) for reference in references), 2)


def _overlap(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Return the F1 of two bags of words."""
    shared = (Counter(wanted) & Counter(given)).total()
    return 2 * shared / (len(wanted) + len(given)) if shared else 0.0
