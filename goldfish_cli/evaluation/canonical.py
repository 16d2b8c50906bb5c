"""Answers of Shapes World in the one form in which they are compared."""

from __future__ import annotations

import re

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(answer: str) -> str:
    """Lower case, without articles and the final stop, single spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().strip().rstrip(".")).split())
