"""Text from videos, annotations and models on its way into HTML: it is never trusted."""

from __future__ import annotations

import re
from html import escape
from itertools import count as count_up

MAX_TEXT = 8_000
"""Characters of one text that a page holds."""
_SHORT = 320  # characters that are shown without unfolding
_SHORT_LINES = 6
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: object) -> str:
    """Make text fit to be written as UTF-8 and shown: no control characters, no half pairs."""
    whole = str(text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", whole)


def cut(text: str, most: int) -> str:
    """Cut a text and say by how much."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    return f"{text[:most]} … ({left_out:,} more characters are left out)"


def html(text: object, most: int = MAX_TEXT) -> str:
    """Escape a text for an element or a quoted attribute."""
    return escape(cut(clean(text), most))


def folded(text: str) -> str:
    """Show a text with its line breaks, the beginning alone where it is long."""
    whole = clean(text)
    if not whole.strip():
        return '<span class="muted">(empty)</span>'
    if len(whole) <= _SHORT and whole.count("\n") < _SHORT_LINES:
        return f'<span class="text" dir="auto">{escape(whole)}</span>'
    beginning = " ".join(whole[:_SHORT].split())[:160]
    return (
        f'<details class="fold"><summary dir="auto">{escape(beginning)} … '
        f'<span class="muted">({len(whole):,} characters)</span></summary>'
        f'<div class="text" dir="auto">{escape(cut(whole, MAX_TEXT))}</div></details>'
    )


class Ids:
    """Gives each element of one page an id of its own."""

    def __init__(self) -> None:
        self._numbers = count_up(1)

    def new(self, kind: str) -> str:
        """Give an id that no other element of the page has."""
        return f"{kind}-{next(self._numbers)}"
