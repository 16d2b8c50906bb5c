"""An evaluation as one HTML page that stands by itself: numbers, plots, worst cases, settings.

Nothing is fetched from anywhere. What videos, annotations and models say is escaped, and the page
runs no script and takes no style but its own, which the browser is told by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from goldfish_cli.evaluation.report import tables, words
from goldfish_cli.evaluation.report.cases import cases
from goldfish_cli.evaluation.report.earlier import earlier_runs
from goldfish_cli.evaluation.report.markup import Ids, html
from goldfish_cli.evaluation.report.numbers import counted, grade, percent, with_unit
from goldfish_cli.evaluation.report.plots import GRADES, SHARES, Bar, Kind, bars, stacked
from goldfish_cli.evaluation.report.record import as_json, command
from goldfish_cli.evaluation.report.tables import Table
from goldfish_cli.evaluation.results import EvalResult, Score

_MAX_BARS = 24
_FOLDED_ROWS = 20  # tables of more rows are folded
_MAX_FLAGS = 50


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading of its own."""

    id: str
    heading: str
    body: str


def report_page(result: EvalResult, *, earlier: Sequence[Mapping[str, Any]] = ()) -> str:
    """Write an evaluation as HTML.

    Args:
        result: What was found. Videos of the worst cases are read where they lie.
        earlier: Earlier results as ``read_summary`` gives them, the oldest first.
    """
    template = files("goldfish_cli.evaluation.report").joinpath("page.html").read_text("utf-8")
    ids = Ids()
    sections = [one for one in _sections(result, earlier, ids) if one.body]
    return Template(template).substitute(
        style_hash=_hash_of(template, "style"),
        script_hash=_hash_of(template, "script"),
        title=html(f"{result.title or result.benchmark} · Goldfish evaluation", 200),
        heading=html(result.title or result.benchmark, 200),
        about=_about(result),
        headlines="".join(map(_headline, words.headlines(result))),
        denominator=html(" ".join(words.denominator(result))),
        judge=html(words.judged_by(result)),
        flags=_flags(result.flags),
        contents="".join(f'<li><a href="#{one.id}">{one.heading}</a></li>' for one in sections),
        sections="\n".join(
            f'<section id="{one.id}"><h2>{one.heading}</h2>{one.body}</section>' for one in sections
        ),
    )


def _sections(result: EvalResult, earlier: Sequence[Mapping[str, Any]], ids: Ids) -> list[Section]:
    return [
        Section("controls", "Full against the controls", _controls(result, ids)),
        Section("breakdowns", "Breakdowns", _breakdowns(result, ids)),
        Section("long-video", "Long video", _long_video(result, ids)),
        Section("judges", "Judges", _judges(result)),
        Section("metrics", "All metrics", _table(tables.metrics(result), is_named=True)),
        Section("worst", "Worst cases", cases(result.worst) if result.worst else ""),
        Section("unanswered", "Unanswered questions", _unanswered(result)),
        Section(
            "earlier",
            "Beside earlier results",
            _table(earlier_runs(result, earlier), is_named=True),
        ),
        Section("reproduce", "To make it again", _reproduce(result, ids)),
    ]


def _hash_of(template: str, element: str) -> str:
    """Hash the page's one script or style, as a Content-Security-Policy names it."""
    found = re.search(rf"<{element}>(.*?)</{element}>", template, flags=re.DOTALL)
    content = found[1] if found else ""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _about(result: EvalResult) -> str:
    facts = [("Split", result.split), ("Reported as", result.metric), ("Model", result.model)]
    facts += [("Profile", result.profile), ("Answers", result.predictions)]
    return "".join(
        f"<div><dt>{name}</dt><dd><bdi>{html(text, 500)}</bdi></dd></div>"
        for name, text in facts
        if text
    )


def _headline(one: words.Headline) -> str:
    return (
        f'<div><p class="number">{html(one.value)}</p><p><b>{html(one.name)}</b><br>'
        f'<span class="muted">{html(words.interval_words(one))}</span></p></div>'
    )


def _flags(flags: Sequence[str]) -> str:
    if not flags:
        return '<p class="note">Nothing was flagged.</p>'
    more = len(flags) - _MAX_FLAGS
    items = "".join(f'<li dir="auto">{html(text, 1000)}</li>' for text in flags[:_MAX_FLAGS])
    return (
        '<aside class="flags" aria-labelledby="flags"><h2 id="flags">What to know before believing '
        f"this</h2><ul>{items}{f'<li>{more:,} more.</li>' if more > 0 else ''}</ul></aside>"
    )


def _controls(result: EvalResult, ids: Ids) -> str:
    said = ""
    if not result.controls:
        said = (
            '<p class="note">No controls were run, so nothing here tells how far the questions '
            "can be answered without the video.</p>"
        )
    conditions = {"full": words.full(result), **result.controls}
    graded = words.is_graded(result)
    rows = [
        _bar(name, one, "main" if name == "full" else "control", graded=graded)
        for name, one in conditions.items()
    ]
    if not graded:
        rows += [
            Bar(f"guess: {name}", value, None, with_unit(percent(value), "%"), "guess")
            for name, value in result.guess.items()
        ]
    what = "Mean grade" if graded else "Right answers"
    plot = _plot(f"{what} under each condition", rows[:_MAX_BARS], ids, graded=graded)
    return f"{said}{plot}{_table(tables.comparison(result))}"


def _breakdowns(result: EvalResult, ids: Ids) -> str:
    graded = words.is_graded(result)
    drawn = []
    for what, parts in result.by.items():
        if not parts:
            continue
        shown = tables.largest(parts, _MAX_BARS)
        rows = [_bar(name, one, "part", graded=graded) for name, one in shown.items()]
        left_out = len(parts) - len(shown)
        more = f", the {len(shown)} largest parts of {len(parts):,}" if left_out else ""
        drawn.append(f"<h3>By {html(what, 100)}</h3>")
        if len(parts) > 1:
            measure = "Mean grade" if graded else "Right answers"
            drawn.append(_plot(f"{measure} by {what}{more}", rows, ids, graded=graded))
        drawn.append(
            _table(tables.breakdown(what, parts, graded=words.has_grades(result)), is_named=True)
        )
    return "".join(drawn)


def _bar(name: str, one: Score, kind: Kind, *, graded: bool) -> Bar:
    label = name or "(unnamed)"
    if graded:
        return Bar(label, one.score, one.score_ci95, grade(one.score), kind)
    return Bar(label, one.accuracy, one.ci95, with_unit(percent(one.accuracy), "%"), kind)


def _plot(title: str, rows: Sequence[Bar], ids: Ids, *, graded: bool) -> str:
    whiskers = " Whiskers are 95 % intervals." if any(one.ends for one in rows) else ""
    band = " The shaded band is that of the full run." if rows and rows[0].kind == "main" else ""
    drawing = bars(title, rows, GRADES if graded else SHARES, ids)
    note = f"{title}.{whiskers}{band if rows and rows[0].ends else ''}"
    return f"<figure>{drawing}<figcaption>{html(note, 400)}</figcaption></figure>"


def _long_video(result: EvalResult, ids: Ids) -> str:
    drawn = ""
    if result.faults is not None:
        parts = [
            (name, share, with_unit(percent(share), "%"))
            for name, _, share in tables.fault_shares(result)
        ]
        what = f"What became of {counted(result.faults.n, 'answered question')}"
        drawn = f"<figure>{stacked(what, parts, ids)}<figcaption>{what}.</figcaption></figure>"
    return f"{drawn}{_table(tables.faults(result))}{_table(tables.retrieval(result))}"


def _judges(result: EvalResult) -> str:
    correction = words.correction(result)
    said = f"<p>{html(correction)}</p>" if correction else ""
    cost = tables.judging(result)
    return f"{_table(tables.agreement(result))}{said}{_table(cost)}"


def _unanswered(result: EvalResult) -> str:
    reasons, videos = tables.unanswered_reasons(result), tables.unanswered_videos(result)
    return f"{_table(reasons)}{_table(videos)}"


def _reproduce(result: EvalResult, ids: Ids) -> str:
    text, left_out = as_json(result)
    pieces = [
        _table(tables.pairs("Settings", result.settings)),
        _table(tables.pairs("Commit, versions, machine, hashes", result.provenance)),
    ]
    spent = f"<p>The run took {result.seconds:,.1f} s.</p>" if result.seconds else ""
    note = ""
    if left_out:
        what = "; ".join(left_out[:10]) + (" …" if len(left_out) > 10 else "")
        note = (
            f'<p class="note">Left out here, to keep the page small: {html(what, 1000)}. '
            "The result's own JSON file is whole.</p>"
        )
    typed, record = ids.new("copy"), ids.new("copy")
    return (
        f'<div class="copyable"><pre id="{typed}" tabindex="0" aria-label="Command">'
        f"{html(command(result))}</pre>{_copy(typed)}</div>{spent}"
        f"<details><summary>Settings, versions and hashes</summary>{''.join(pieces)}</details>"
        f'<details class="record"><summary>The result as JSON</summary>{note}<div '
        f'class="copyable"><pre id="{record}" tabindex="0" aria-label="Result as JSON">'
        f"{html(text, len(text))}</pre>{_copy(record)}</div></details>"
    )


def _copy(target: str) -> str:
    return f'<button type="button" class="copy" data-copy="{target}" hidden>Copy</button>'


def _table(table: Table | None, *, is_named: bool = False) -> str:
    """Write a table; its caption is for the ear alone where a heading names it already."""
    if table is None:
        return ""
    head = "".join(
        f'<th scope="col"{"" if place < table.texts else _NUMBER}>{html(name, 200)}</th>'
        for place, name in enumerate(table.head)
    )
    rows = "".join(f"<tr>{_cells(row, table.texts)}</tr>" for row in table.rows)
    caption = html(table.caption, 200)
    note = f'<p class="note">{html(table.note, 1000)}</p>' if table.note else ""
    narrow = ' class="narrow"' if len(table.head) == 2 else ""
    unseen = ' class="unseen"' if is_named else ""
    drawn = (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table{narrow}>'
        f"<caption{unseen}>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"</div>{note}"
    )
    if len(table.rows) <= _FOLDED_ROWS:
        return drawn
    return (
        f"<details><summary>{caption}: table of {len(table.rows)} rows</summary>{drawn}</details>"
    )


_NUMBER = ' class="figure"'


def _cells(row: Sequence[str], texts: int) -> str:
    first, *others = row
    cells = [f'<th scope="row"><bdi>{html(first, 500)}</bdi></th>']
    for place, text in enumerate(others, 1):
        kind = "" if place < texts else _NUMBER
        cells.append(f"<td{kind}><bdi>{html(text, 500)}</bdi></td>")
    return "".join(cells)
