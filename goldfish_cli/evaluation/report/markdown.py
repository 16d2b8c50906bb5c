"""An evaluation as Markdown for a README or an issue: tables and bars of characters, no pictures.

What videos, annotations and models say stays text: no markup, no mention, no reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from goldfish_cli.evaluation.report import tables, words
from goldfish_cli.evaluation.report.markup import clean, cut
from goldfish_cli.evaluation.report.numbers import UNKNOWN, counted, known
from goldfish_cli.evaluation.report.record import command
from goldfish_cli.evaluation.report.tables import Table
from goldfish_cli.evaluation.results import EvalResult, Score, WorstCase

_MAX_TEXT = 400  # characters of one text
_MAX_ROWS = 40
_MAX_CASES = 10
_MAX_FLAGS = 50
_BAR = 20  # characters
_EIGHTHS = " ▏▎▍▌▋▊▉"
_MARKUP = re.compile(r"([\\`*_\[\]|~!$]|:(?=//|\w+:))")
_CALLS = re.compile(r"((?<!\w)@|#)(?=\w)")  # a mention of somebody, a reference to an issue
_JOINER = "\N{WORD JOINER}"


def report_markdown(result: EvalResult) -> str:
    """Write an evaluation as Markdown.

    Args:
        result: What was found; no video is opened.
    """
    graded = words.has_grades(result)
    parts = [
        f"# {_text(result.title or result.benchmark)}",
        *_summary(result),
        *_flags(result.flags),
        "## Full against the controls",
        _comparison(result),
    ]
    for what, scores in result.by.items():
        if scores:
            parts.append(_section(tables.breakdown(what, scores, graded=graded)))
    others = (
        tables.faults(result),
        tables.retrieval(result),
        tables.agreement(result),
        tables.judging(result),
        tables.metrics(result),
    )
    parts += [_section(one) for one in others if one is not None]
    if correction := words.correction(result):
        parts.append(_text(correction))
    parts += _worst(result.worst)
    missing = (tables.unanswered_reasons(result), tables.unanswered_videos(result))
    parts += [_section(one) for one in missing if one is not None]
    parts += _reproduce(result)
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(result: EvalResult) -> list[str]:
    main, *others = words.headlines(result)
    lines = [f"**{main.value}** {main.name} ({words.interval_words(main)})"]
    lines += [f"- {one.value} {one.name} ({words.interval_words(one)})" for one in others]
    about = [("Split", result.split), ("Reported as", result.metric), ("Model", result.model)]
    about += [("Profile", result.profile), ("Answers", result.predictions)]
    return [
        lines[0],
        "\n".join(lines[1:]),
        _text(" ".join(words.denominator(result))),
        _text(words.judged_by(result)),
        "\n".join(f"- {name}: {_text(text)}" for name, text in about if text),
    ]


def _flags(flags: Sequence[str]) -> list[str]:
    if not flags:
        return ["Nothing was flagged."]
    items = [f"- {_text(text)}" for text in flags[:_MAX_FLAGS]]
    if len(flags) > _MAX_FLAGS:
        items.append(f"- {len(flags) - _MAX_FLAGS:,} more.")
    return ["## What to know before believing this", "\n".join(items)]


def _comparison(result: EvalResult) -> str:
    """The table of the conditions, with a bar of characters in place of the plot."""
    table = tables.comparison(result)
    graded = words.is_graded(result)
    conditions = [words.full(result), *result.controls.values()]
    shares = [_share(one, graded=graded) for one in conditions]
    shares += [None if graded else value for value in result.guess.values()]
    said = "" if result.controls else "No controls were run."
    rows = tuple((*row, _bar(share)) for row, share in zip(table.rows, shares, strict=True))
    drawn = _table(Table(table.caption, (*table.head, ""), rows, table.note, table.texts))
    return f"{said}\n\n{drawn}" if said else drawn


def _share(one: Score, *, graded: bool) -> float | None:
    value = known(one.score if graded else one.accuracy)
    return value / 5 if graded and value is not None else value


def _bar(share: float | None) -> str:
    value = known(share)
    if value is None:
        return UNKNOWN
    eighths = round(min(1.0, max(0.0, value)) * _BAR * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + _EIGHTHS[rest].strip()).ljust(_BAR, "░")


def _worst(worst: Sequence[WorstCase]) -> list[str]:
    if not worst:
        return []
    head = ("video", "question", "reference", "answer")
    rows = tuple(
        (one.video, one.question, one.reference, one.prediction) for one in worst[:_MAX_CASES]
    )
    more = len(worst) - _MAX_CASES
    note = f"{counted(more, 'more case')} left out." if more > 0 else ""
    return [_section(Table("Worst cases", head, rows, note, texts=4))]


def _reproduce(result: EvalResult) -> list[str]:
    typed = command(result)
    longest = max((len(run) for run in re.findall("`+", typed)), default=0)
    fence = "`" * max(3, longest + 1)
    pairs = (
        tables.pairs("Settings", result.settings),
        tables.pairs("Commit, versions, machine, hashes", result.provenance),
    )
    found = [_section(one, depth=3) for one in pairs if one is not None]
    return ["## To make it again", f"{fence}sh\n{typed}\n{fence}", *found]


def _section(table: Table, depth: int = 2) -> str:
    return f"{'#' * depth} {_text(table.caption)}\n\n{_table(table)}"


def _table(table: Table) -> str:
    align = [":--" if place < table.texts else "--:" for place in range(len(table.head))]
    kept = table.rows[:_MAX_ROWS]
    lines = [_line(map(_text, table.head)), _line(align)]
    lines += [_line(map(_text, row)) for row in kept]
    notes = [_text(table.note)] if table.note else []
    if len(table.rows) > len(kept):
        notes.append(f"{counted(len(table.rows) - len(kept), 'more row')} left out.")
    return "\n".join(lines) + "".join(f"\n\n{note}" for note in notes)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """Escape a text for one line of Markdown or one cell of a table; line breaks stay visible."""
    whole = escape(cut(clean(text).strip(), _MAX_TEXT), quote=False)
    marked = _CALLS.sub(rf"\1{_JOINER}", _MARKUP.sub(r"\\\1", whole))
    return "<br>".join(line.strip() for line in marked.split("\n"))
