"""Plots as inline SVG: widths in percent and type in pixels, so that they fit a phone and a desk.

Colours are the page's, by class. Every plot says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goldfish_cli.evaluation.report.markup import Ids, cut, html
from goldfish_cli.evaluation.report.numbers import UNKNOWN, known, known_interval

_ROW = 42  # pixels: a line of type, and the bar under it
_BAR = 12
_TYPE = 15  # from the top of a row to its baseline
_AXIS = 24
_LABEL = 90  # characters of a label; the drawing clips it, its full text is in the table

Kind = Literal["main", "control", "guess", "part"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One value with its interval."""

    label: str
    value: float | None
    ends: tuple[float, float] | None
    text: str
    """The value as it is written beside the bar."""
    kind: Kind = "part"


@dataclass(frozen=True, slots=True)
class Scale:
    """What the axis spans."""

    largest: float
    ticks: tuple[float, ...]
    unit: str

    def place(self, value: float) -> float:
        """Give a value's place in percent of the width."""
        return 100 * min(1.0, max(0.0, value / self.largest))


SHARES = Scale(1.0, (0.0, 0.25, 0.5, 0.75, 1.0), "%")
GRADES = Scale(5.0, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), "")


def bars(title: str, rows: Sequence[Bar], scale: Scale, ids: Ids) -> str:
    """Draw bars with whiskers, one under the other; the main one's interval runs through all.

    Args:
        title: What is shown.
        rows: From the top.
        scale: Of the axis.
        ids: Of the page.
    """
    height = _ROW * len(rows)
    drawn = [_grid(scale, height), *(_band(one, scale, height) for one in rows)]
    drawn += [_row(one, scale, _ROW * place) for place, one in enumerate(rows)]
    said = "; ".join(f"{cut(one.label, _LABEL)}: {one.text}" for one in rows)
    return _drawing(title, f"Bars. {said}.", height + _AXIS, drawn, ids)


def stacked(title: str, parts: Sequence[tuple[str, float | None, str]], ids: Ids) -> str:
    """Draw one bar of several parts with its legend.

    Args:
        title: What is shown.
        parts: Name, share and written share of each, from the left.
        ids: Of the page.
    """
    whole = max(1.0, sum(max(0.0, known(share) or 0.0) for _, share, _ in parts))
    drawn: list[str] = []
    left = 0.0
    for place, (_, share, text) in enumerate(parts):
        width = 100 * max(0.0, known(share) or 0.0) / whole
        drawn.append(
            f'<rect class="stack{place}" x="{left:.3f}%" y="0" width="{width:.3f}%" height="36"/>'
        )
        if width >= 17:  # wide enough for its text on a phone
            middle = left + width / 2
            drawn.append(
                f'<text class="on" x="{middle:.3f}%" y="23" text-anchor="middle">'
                f"{html(text)}</text>"
            )
        left += width
    said = "; ".join(f"{name}: {text}" for name, _, text in parts)
    legend = "".join(
        f'<li><svg class="swatch" width="14" height="14" aria-hidden="true">'
        f'<rect class="stack{place}" width="14" height="14"/></svg> {html(name)} '
        f"<b>{html(text)}</b></li>"
        for place, (name, _, text) in enumerate(parts)
    )
    drawing = _drawing(title, f"A bar of parts. {said}.", 36, drawn, ids)
    return f'{drawing}<ul class="legend">{legend}</ul>'


def _drawing(title: str, said: str, height: int, drawn: Sequence[str], ids: Ids) -> str:
    name, words = ids.new("plot"), ids.new("plot")
    return (
        f'<svg class="plot" width="100%" height="{height}" role="img" '
        f'aria-labelledby="{name} {words}"><title id="{name}">{html(title)}</title>'
        f'<desc id="{words}">{html(said)}</desc>{"".join(drawn)}</svg>'
    )


def _grid(scale: Scale, height: int) -> str:
    drawn = []
    for tick in scale.ticks:
        place = scale.place(tick)
        anchor = "start" if place < 1 else "end" if place > 99 else "middle"
        number = f"{100 * tick:.0f}" if scale.largest == 1.0 else f"{tick:.0f}"
        unit = f" {scale.unit}" if scale.unit and place > 99 else ""
        drawn.append(
            f'<line class="grid" x1="{place:.2f}%" x2="{place:.2f}%" y1="0" y2="{height}"/>'
            f'<text class="tick" x="{place:.2f}%" y="{height + 17}" '
            f'text-anchor="{anchor}">{number}{unit}</text>'
        )
    return "".join(drawn)


def _band(one: Bar, scale: Scale, height: int) -> str:
    ends = known_interval(one.ends)
    if one.kind != "main" or ends is None:
        return ""
    left, right = map(scale.place, ends)
    width = max(0.0, right - left)
    return f'<rect class="band" x="{left:.3f}%" y="0" width="{width:.3f}%" height="{height}"/>'


def _row(one: Bar, scale: Scale, top: int) -> str:
    value = known(one.value)
    bar = top + _TYPE + 6
    drawn = [
        f'<svg x="0" y="{top}" width="76%" height="{_TYPE + 6}"><text x="0" y="{_TYPE}">'
        f"{html(' '.join(one.label.split()), _LABEL)}</text></svg>",
        f'<text class="value" x="100%" y="{top + _TYPE}" text-anchor="end">{html(one.text)}</text>',
    ]
    if value is None:
        drawn.append(f'<text class="tick" x="0" y="{bar + _BAR - 1}">{UNKNOWN} not known</text>')
        return "".join(drawn)
    drawn.append(
        f'<rect class="{one.kind}" x="0" y="{bar}" width="{scale.place(value):.3f}%" '
        f'height="{_BAR}"/>'
    )
    ends = known_interval(one.ends)
    if ends is not None:
        drawn.append(_whisker(scale.place(ends[0]), scale.place(ends[1]), bar + _BAR / 2))
    return "".join(drawn)


def _whisker(left: float, right: float, middle: float) -> str:
    caps = "".join(
        f'<line class="whisker" x1="{x:.3f}%" x2="{x:.3f}%" y1="{middle - 5}" y2="{middle + 5}"/>'
        for x in (left, right)
    )
    return (
        f'<line class="whisker" x1="{left:.3f}%" x2="{right:.3f}%" y1="{middle}" y2="{middle}"/>'
        f"{caps}"
    )
