"""Draw what a check has found as one HTML page: tables, and bars as inline SVG. No script."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from goldfish_cli.data.prepare.findings import Finding, Findings
from goldfish_cli.data.prepare.statistics import Distribution
from goldfish_cli.errors import InputError

WIDTH, HEIGHT, MARGIN = 640, 160, 24  # of a drawing, in pixels
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1d2530; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #dde3ea;
         vertical-align: top; overflow-wrap: anywhere }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.error { color: #a3161b } .warning { color: #8a5a00 } .mend { color: #5a6675 }
rect { fill: #3a78b5 } .limit { stroke: #a3161b; stroke-dasharray: 4 3 }
svg text { font-size: 11px; fill: #5a6675 }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ee; background: #14181d } td, th { border-color: #2c343d }
  .error { color: #ff8a8a } .warning { color: #e8b45c } .mend, svg text { color: #98a4b3;
  fill: #98a4b3 } rect { fill: #6aa7e0 }
}
"""


def write_report(
    path: Path,
    title: str,
    statistics: Mapping[str, Any],
    distributions: Mapping[str, Distribution],
    findings: Findings,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: Of the HTML file.
        title: What was checked.
        statistics: As ``Checker.statistics`` returns them.
        distributions: What to draw.
        findings: What is wrong; the first of each kind are shown.

    Raises:
        InputError: If the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        page = "\n".join(_page(title, statistics, distributions, findings))
        partial.write_text(page + "\n", encoding="utf-8", errors="replace")
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another --report FILE.html"
        ) from error


def _page(
    title: str,
    statistics: Mapping[str, Any],
    distributions: Mapping[str, Distribution],
    findings: Findings,
) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield f"<title>{escape(title)}</title>"
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>"
    yield from _summary(findings)
    yield "<h2>What is in it</h2>"
    yield from _table((), [*_facts(statistics)])
    for name, values in distributions.items():
        yield f"<h2>{escape(name.capitalize())}</h2>"
        yield _spread(values)
        yield _drawing(name, values)
    common = statistics["answers"]["common"]
    if common:
        yield "<h2>Answers that come most often</h2>"
        yield from _table(("answer", "times"), [(item["text"], item["count"]) for item in common])
    kept = findings.kept()
    if kept:
        yield "<h2>What is wrong</h2>"
        yield from _finding_rows(kept, findings)


def _summary(findings: Findings) -> Iterator[str]:
    errors, warnings = (sum(findings.counts(kind).values()) for kind in ("error", "warning"))
    if not errors and not warnings:
        yield "<p>Nothing is wrong.</p>"
        return
    yield f'<p><span class="error">Errors: {errors:,}.</span> '
    yield f'<span class="warning">Warnings: {warnings:,}.</span></p>'


def _facts(statistics: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in statistics.items():
        if isinstance(value, int | float):
            yield name.replace("_", " "), value
    for name, count in statistics["splits"].items():
        yield f"rows of {name}", count
    for name, value in statistics.get("media", {}).items():
        yield name, value
    yield "different answers", statistics["answers"]["distinct"]


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield "<table>"
    if columns:
        yield "<tr>" + "".join(f"<th>{escape(column)}</th>" for column in columns) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(_cell(value) for value in row) + "</tr>"
    yield "</table>"


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"


def _spread(values: Distribution) -> str:
    facts = values.summary()
    text = (
        f"{facts['count']:,} measured, in {values.unit}: "
        f"from {facts['min']:,} to {facts['max']:,}; "
        f"half up to {facts['median']:,}, 95 in 100 up to {facts['p95']:,}."
    )
    if facts.get("over"):
        text += f" {facts['over']:,} are above the limit of {facts['limit']:,}."
    return f"<p>{escape(text)}</p>"


def _drawing(name: str, values: Distribution) -> str:
    bars = values.bars()
    highest = max(bar.count for bar in bars)
    width = (WIDTH - 2 * MARGIN) / len(bars)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}" '
        f'style="max-width:{WIDTH}px">'
    ]
    floor = HEIGHT - MARGIN
    for number, bar in enumerate(bars):
        height = (floor - MARGIN / 2) * bar.count / highest
        parts.append(
            f'<rect x="{MARGIN + number * width:.1f}" y="{floor - height:.1f}" '
            f'width="{max(width - 1, 0.5):.1f}" height="{height:.1f}">'
            f"<title>{bar.low:g} to {bar.high:g}: {bar.count:,}</title></rect>"
        )
    low, high = bars[0].low, bars[-1].high
    parts.append(f'<text x="{MARGIN}" y="{HEIGHT - 8}">{low:g}</text>')
    parts.append(
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 8}" text-anchor="end">{high:g} '
        f"{escape(values.unit)}</text>"
    )
    if values.limit is not None and low < values.limit < high:
        at = MARGIN + (WIDTH - 2 * MARGIN) * (values.limit - low) / (high - low)
        parts.append(
            f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{floor}"/>'
            f'<text x="{at + 3:.1f}" y="12">limit {values.limit:g}</text>'
        )
    return "".join([*parts, "</svg>"])


def _finding_rows(kept: Sequence[Finding], findings: Findings) -> Iterator[str]:
    counts = {**findings.counts("error"), **findings.counts("warning")}
    before = ""
    yield "<table>"
    for finding in kept:
        if finding.kind != before:
            before = finding.kind
            yield (
                f'<tr><th class="{finding.severity}" colspan="3">{escape(finding.kind)} '
                f'({counts[finding.kind]:,}) <span class="mend">{escape(finding.mend)}</span>'
                "</th></tr>"
            )
        where = finding.file if finding.row is None else f"{finding.file}, row {finding.row}"
        yield (
            f"<tr><td>{escape(where)}</td><td>{escape(finding.id)}</td>"
            f"<td>{escape(finding.message)}</td></tr>"
        )
    yield "</table>"
