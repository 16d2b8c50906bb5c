"""The worst cases as HTML: a picture, the question, what was wanted and what was said."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from goldfish_cli.evaluation.report.markup import folded, html
from goldfish_cli.evaluation.report.numbers import counted, grade, known, with_unit
from goldfish_cli.evaluation.report.thumbnail import thumbnail
from goldfish_cli.evaluation.results import Interval, WorstCase
from goldfish_cli.longvideo.clock import clock, span

MAX_CASES = 30
"""Cases that a page shows; each takes about 15 KB."""
MAX_SECONDS = 60.0
"""For all pictures together, so that a slow disk cannot hold up the report."""
_MAX_CITED = 6


def cases(worst: Sequence[WorstCase], *, max_seconds: float = MAX_SECONDS) -> str:
    """Write a list of wrong answers to look at.

    Args:
        worst: The cases, the first ones first.
        max_seconds: For the pictures of all; later cases go without.
    """
    until = time.monotonic() + max_seconds
    shown = "".join(_case(one, until - time.monotonic()) for one in worst[:MAX_CASES])
    left_out = len(worst) - MAX_CASES
    more = f'<p class="note">{counted(left_out, "more case")} left out.</p>' if left_out > 0 else ""
    return f'<ol class="cases">{shown}</ol>{more}'


def _case(one: WorstCase, seconds_left: float) -> str:
    facts = [html(one.category, 80)] if one.category else []
    if known(one.score) is not None:
        facts.append(f"grade {with_unit(grade(one.score), 'of 5')}")
    if (evidence := _span(one.moment)) is not None:
        facts.append(f"evidence at {evidence}")
    cited = [text for ends in one.cited[:_MAX_CITED] if (text := _span(ends)) is not None]
    if cited:
        more = " …" if len(one.cited) > _MAX_CITED else ""
        facts.append(f"cites {', '.join(cited)}{more}")
    said = (
        ("Question", one.question, ""),
        ("Reference", one.reference, ""),
        ("Answer", one.prediction, ' class="wrong"'),
    )
    lines = "".join(f"<dt>{name}</dt><dd{mark}>{folded(text)}</dd>" for name, text, mark in said)
    return (
        f"<li>{_picture(one, seconds_left)}<div><h3><bdi>{html(one.video, 200)}</bdi></h3>"
        f'<p class="muted">{" · ".join([*facts, f"id <bdi>{html(one.id, 80)}</bdi>"])}</p>'
        f"<dl>{lines}</dl></div></li>"
    )


def _picture(one: WorstCase, seconds_left: float) -> str:
    if not one.path:
        return _placeholder("The video is not at hand.")
    if seconds_left <= 0:
        return _placeholder("No time was left to read the video.")
    path = Path(one.path)
    at = _middle(one.moment)
    jpeg = thumbnail(path, at, timeout_s=min(10.0, seconds_left))
    if jpeg is None:
        is_there = _is_there(path)
        return _placeholder(
            "The video cannot be read." if is_there else "The video is no longer where it was."
        )
    when = "from its middle" if at is None else f"at {clock(at)}"
    return (
        f'<img alt="Frame of {html(one.video, 80)} {when}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
    )


def _placeholder(reason: str) -> str:
    return f'<p class="away">{reason}</p>'


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _middle(moment: Interval | None) -> float | None:
    if moment is None or not all(map(isfinite, moment)):
        return None
    return sum(moment) / 2


def _span(ends: Interval | None) -> str | None:
    if ends is None or not all(map(isfinite, ends)):
        return None
    return span(*ends)
