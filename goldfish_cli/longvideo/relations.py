"""How the times of two things relate: which comes first, what comes between, what is together."""

from __future__ import annotations

from collections.abc import Sequence

from goldfish_cli.longvideo.evidence import FilmView, Fit
from goldfish_cli.longvideo.findings import (
    MOST_LISTED,
    NOTHING,
    Finding,
    count,
    joined,
    when,
    whole,
)
from goldfish_cli.longvideo.question import Question
from goldfish_cli.longvideo.statements import Statement


def which_first(question: Question, firsts: Sequence[Fit], seconds: Sequence[Fit]) -> Finding:
    """Whether one thing comes before or after another, or which of two comes first."""
    if not firsts or not seconds or firsts[0].statement == seconds[0].statement:
        return NOTHING
    one, two = firsts[0], seconds[0]
    is_before = one.statement.start < two.statement.start
    if question.order in ("first", "last"):
        chosen = one if is_before == (question.order == "first") else two
        return Finding(chosen.statement.text, (one, two))
    return Finding("Yes." if is_before == (question.order == "before") else "No.", (one, two))


def between(
    view: FilmView, question: Question, firsts: Sequence[Fit], seconds: Sequence[Fit]
) -> Finding:
    """What comes between two things: the first of one, and the next of the other."""
    pairs = [
        sorted((one, two), key=lambda fit: fit.statement.start)
        for one in firsts[:1]
        for two in (
            *(fit for fit in seconds if fit.statement.start > one.statement.start),
            *(fit for fit in seconds[::-1] if fit.statement.start <= one.statement.start),
        )
    ]
    if not pairs:
        return NOTHING
    one, two = pairs[0]
    start, end = _position(one.statement), _position(two.statement)
    if question.about_speech:
        inside = [
            cue
            for cue in view.said
            if cue.start >= one.statement.end - 0.05 and cue.end <= two.statement.start + 0.05
        ]
        text = " ".join(cue.text for cue in inside)
    else:
        moments = [moment for moment in view.moments() if start < _position(moment[0]) < end]
        inside = [told for moment in moments[:MOST_LISTED] for told in moment]
        more = len(moments) - MOST_LISTED
        text = joined(inside) + (f" And {more} more." if more > 0 else "")
    return Finding(text or "Nothing comes between them.", (*whole(inside), one, two))


def together(
    view: FilmView, question: Question, firsts: Sequence[Fit], seconds: Sequence[Fit]
) -> Finding:
    """Whether, or when, two things are there at the same time."""
    if not firsts or not seconds:
        return NOTHING
    pairs = [
        (one, two)
        for one in firsts
        for two in seconds
        if one.statement != two.statement and _share_a_moment(one.statement, two.statement)
    ]
    if not pairs:
        return Finding("No.", (firsts[0], seconds[0]))
    evidence = tuple(fit for pair in pairs for fit in pair)
    if question.route in ("when", "list"):
        return when(view, question, evidence)
    if question.route == "count":
        return count(view, question, [one for one, _ in pairs])
    return Finding("Yes.", evidence)


def beside(view: FilmView, found: Sequence[Fit]) -> Finding:
    """What else is there at the time of the first of some statements."""
    if not found:
        return NOTHING
    one = found[0].statement
    others = [told for told in view.seen if told != one and _share_a_moment(told, one)]
    text = joined(others) or "Nothing else."
    return Finding(text, (*whole(others), found[0]))


def _share_a_moment(one: Statement, two: Statement) -> bool:
    if one.kind == two.kind == "seen" and one.clip == two.clip:
        return one.place == two.place
    return one.start < two.end and two.start < one.end


def _position(one: Statement) -> tuple[int, int]:
    return one.clip, one.place
