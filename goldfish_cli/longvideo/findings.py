"""From one film's index to what answers a question: a route each, by rules, without a model.

Each finding carries the statements that it rests upon; none of its times or words comes from
anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from goldfish_cli.longvideo.clock import clock, span
from goldfish_cli.longvideo.evidence import FULL, WEAK, FilmView, Fit
from goldfish_cli.longvideo.question import Question
from goldfish_cli.longvideo.statements import Statement
from goldfish_cli.longvideo.words import FUNCTION_WORDS, holds_phrase

MOST_LISTED = 12
"""Places that an answer names; the others are counted."""
NAME_WORDS = 2
"""Of what is told, so many words name a thing; what it does comes after."""
SAID_NEARBY_S = 5.0
"""How far from a time that was named a cue may be and still answer for it."""
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer from the index, or where to look for one."""

    text: str
    """"" if the model has to look."""
    evidence: tuple[Fit, ...]
    looked: bool = False
    """Whether the model looked again, and the places hold what it answered."""


NOTHING = Finding("", ())


def at_time(view: FilmView, question: Question, _: Sequence[Fit] = ()) -> Finding:
    """What is seen or said at a time, or between two."""
    start, end = _span_asked(view, question)
    if start > view.film.end:
        ends = clock(view.film.duration)
        return Finding(f"Not in the film, which ends at {ends}.", ())
    if question.order and len(question.times) == 1:
        return _beside(view, question, [Statement("", -1, "seen", start, start, "", ())])
    if question.about_speech:
        return _said_at(view, start, end)
    found = [one for one in view.seen if _touches(one, start, end)]
    if not found and any(_touches(one, start, end) for one in view.said):
        return _said_at(view, start, end)
    is_told = question.about_events or not question.phrases
    if not found or not is_told or question.counted:
        return Finding("", whole(found))
    return Finding(joined(found), whole(found))


def when(view: FilmView, question: Question, found: Sequence[Fit]) -> Finding:
    """At what times something is seen or said, given the statements that tell of it."""
    if not found:
        return NOTHING
    spans = _spans([fit.statement for fit in found])
    if question.order == "last":
        spans = spans[-1:]
    elif question.order == "first":
        spans = spans[:1]
    offset = view.film.start
    told = [span(start - offset, end - offset) for start, end in spans[:MOST_LISTED]]
    more = f", and {len(spans) - MOST_LISTED} more times" if len(spans) > MOST_LISTED else ""
    kept = [
        fit
        for fit in found
        if any(start <= fit.statement.start < max(end, start + 0.1) for start, end in spans)
    ]
    return Finding(f"At {_listed(told)}{more}.", tuple(kept))


def count(view: FilmView, question: Question, found: Sequence[Fit]) -> Finding:
    """How many times something is seen or said, given the statements that tell of it."""
    found = found if question.phrases else whole(view.seen)
    if question.times or question.share:
        start, end = _span_asked(view, question)
        start = view.film.start if len(question.times) == 1 else start
        found = [fit for fit in found if _touches(fit.statement, start, end)]
    if not found:
        return NOTHING
    number, unit = len(found), "time"
    if not question.phrases:
        unit = question.counted.removesuffix("s")
        number = len({_thing(fit.statement) for fit in found}) if unit == "thing" else number
    word = NUMBERS[number] if number < len(NUMBERS) else str(number)
    return Finding(f"{word.capitalize()} {unit}{'' if number == 1 else 's'}.", tuple(found))


def _thing(one: Statement) -> tuple[str, ...]:
    """What a statement begins with, which in English names who acts."""
    return tuple(stem for stem in one.stems if stem not in FUNCTION_WORDS)[:NAME_WORDS]


def listing(view: FilmView, question: Question, found: Sequence[Fit]) -> Finding:
    """Every place where something is seen or said, with its time."""
    lines = [
        f"{span(one.start - view.film.start, one.end - view.film.start)} {one.text}"
        for one in (fit.statement for fit in found)
    ]
    return Finding("\n".join(lines), tuple(found))


def in_order(view: FilmView, question: Question, found: Sequence[Fit]) -> Finding:
    """What comes first or last, or right after or before what some statements tell."""
    if question.order in ("first", "last"):
        if question.about_speech:
            cues = _which(view.said, question)
            return Finding(" ".join(one.text for one in cues), whole(cues))
        chosen = [one for moment in _which(view.moments(), question) for one in moment]
        return Finding(joined(chosen), whole(chosen)) if chosen else NOTHING
    anchors = [fit.statement for fit in found]
    if not anchors:
        return NOTHING
    return (
        _apart(view, question, anchors[0]) if question.offset else _beside(view, question, anchors)
    )


def which_of(found: Sequence[Fit], question: Question) -> Sequence[Fit]:
    """Of the places where something is, the ones that are asked for by number."""
    if question.rank == question.many == 1 or not question.phrases:
        return found
    return _which(sorted(found, key=lambda fit: fit.statement.start), question)


def _apart(view: FilmView, question: Question, anchor: Statement) -> Finding:
    """What is there some seconds after or before a statement's time."""
    at = (anchor.end if question.offset > 0 else anchor.start) + question.offset - view.film.start
    if at < 0:
        return Finding("Nothing: that is before the film begins.", whole([anchor]))
    found = at_time(view, replace(question, times=(at,), order=None, phrases=()))
    return Finding(found.text, (*found.evidence, *whole([anchor])))


def spoken(view: FilmView, question: Question) -> Finding:
    """What is said while something is seen, or about something."""
    about = question.phrases[-1:]
    if any(fit.score >= FULL for fit in view.fits(about, view.said)):
        return NOTHING  # it is spoken of itself
    seen = [fit for fit in view.fits(about, view.seen) if fit.score >= FULL]
    seen = seen or [Fit(one, WEAK) for one in view.nearest_named(about[0])]
    if seen:
        clip = view.clip(seen[0].statement.clip)
        cues = [one for one in view.said if one.clip == clip.number]
        beside = [
            one for one in cues if _touches(one, seen[0].statement.start, seen[0].statement.end)
        ]
        chosen = beside or cues
        text = " ".join(one.text for one in chosen) or "Nothing is said then."
        return Finding(text, (*whole(chosen), seen[0]))
    return NOTHING


def full_fits(view: FilmView, question: Question) -> list[Fit]:
    """Statements that hold all that is asked about, in the film's order: seen, else said."""
    if not question.phrases:
        return list(whole(view.said)) if question.about_speech else []
    kinds = [view.said] if question.about_speech else [view.seen, view.said]
    for statements in kinds:
        if question.is_quote:
            statements = [
                one
                for one in statements
                if all(holds_phrase(one.stems, phrase) for phrase in question.phrases)
            ]
        found = [fit for fit in view.fits(question.phrases, statements) if fit.score >= FULL]
        if found:
            return sorted(found, key=lambda fit: fit.statement.start)
    return []


def like_it(view: FilmView, question: Question) -> list[Fit]:
    """Of an order, what is seen of the thing that is asked about, if it does something else."""
    if question.route != "order" or not question.phrases:
        return []
    return [Fit(one, 1.0) for one in view.nearest_named(question.phrases[0])]


def _span_asked(view: FilmView, question: Question) -> tuple[float, float]:
    """The time or times that are asked about, on the film's clock."""
    if question.share:
        start, end = (view.film.start + share * view.film.duration for share in question.share)
        return start, end
    first, last = question.times[0], question.times[-1]
    if first < 0:
        return max(view.film.start, view.film.end + first), view.film.end + last
    return view.film.start + first, view.film.start + last


def _beside(view: FilmView, question: Question, anchors: Sequence[Statement]) -> Finding:
    """The moment, or the cue, next to the first of some statements."""
    anchor = anchors[0]
    after = question.order == "after"
    if question.about_speech:
        cues = [
            one
            for one in view.said
            if (one.start >= anchor.end - 0.05 if after else one.end <= anchor.start + 0.05)
        ]
        chosen = (cues[:1] if after else cues[-1:]) if cues else []
        return Finding(" ".join(one.text for one in chosen), whole(chosen))
    moments = view.moments()
    here = anchor.clip, anchor.place
    if anchor.clip < 0 or anchor.kind == "said":  # a time that was named, or a cue
        sides = [
            m for m in moments if (m[0].start >= anchor.end if after else m[0].end <= anchor.start)
        ]
    else:
        places = [(m[0].clip, m[0].place) for m in moments]
        at = places.index(here)
        sides = moments[at + 1 :] if after else moments[:at]
    if not sides:
        where = "end" if after else "start"
        return Finding(f"Nothing: it is at the {where} of the film.", whole(anchors[:1]))
    chosen = sides[0 if after else -1]
    return Finding(joined(chosen), (*whole(chosen), *whole(anchors[:1])))


def _said_at(view: FilmView, start: float, end: float) -> Finding:
    found = [one for one in view.said if _touches(one, start, end)]
    if found:
        return Finding(" ".join(one.text for one in found), whole(found))
    near = sorted(
        (max(one.start - end, start - one.end), one.start, one)
        for one in view.said
        if _touches(one, start - SAID_NEARBY_S, end + SAID_NEARBY_S)
    )
    if near:
        cue = near[0][2]
        return Finding(cue.text, whole([cue]))
    return Finding("Nothing is said then.", ())


def _which(items: Sequence[T], question: Question) -> Sequence[T]:
    """The items that are asked for by number, from the first or from the last, in their order."""
    counted = items[::-1] if question.order == "last" else items
    chosen = counted[question.rank - 1 :][: question.many]
    return chosen[::-1] if question.order == "last" else chosen


def _touches(one: Statement, start: float, end: float) -> bool:
    """Whether a statement's span and another share a moment; a time that was named is a moment."""
    return one.start < end and one.end > start if end > start else one.start <= start < one.end


def whole(statements: Sequence[Statement]) -> tuple[Fit, ...]:
    """Take statements as evidence that fits; a time that was named is none."""
    return tuple(Fit(one, 1.0) for one in statements if one.clip >= 0)


def joined(statements: Sequence[Statement]) -> str:
    """Things of one moment as one sentence, moments one after another."""
    sentences: list[str] = []
    for place, one in enumerate(statements):
        before = statements[place - 1] if place else None
        if before and (before.clip, before.place) == (one.clip, one.place) and one.kind == "seen":
            told = one.text[:1].lower() + one.text[1:]
            sentences[-1] = f"{sentences[-1].rstrip('.')} while {told}"
        else:
            sentences.append(one.text)
    return " ".join(sentences)


def _spans(statements: Sequence[Statement]) -> list[tuple[float, float]]:
    """Join what follows at once."""
    spans: list[tuple[float, float]] = []
    for one in sorted(statements, key=lambda one: one.start):
        if spans and one.start - spans[-1][1] < 1.0:
            spans[-1] = spans[-1][0], max(spans[-1][1], one.end)
        else:
            spans.append((one.start, one.end))
    return spans


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
