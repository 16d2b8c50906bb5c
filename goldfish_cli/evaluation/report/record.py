"""What it takes to make a result again: its command, and the result itself as JSON in bounds."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

from goldfish_cli.evaluation.report.markup import clean
from goldfish_cli.evaluation.results import EvalResult

MAX_ITEMS = 200
"""Items of one list or mapping that a page holds; the result's own file holds all."""
MAX_TEXT = 2_000
"""Characters of one text."""
_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def command(result: EvalResult) -> str:
    """Write the command that was typed, or the nearest to it that the result tells of."""
    typed = result.provenance.get("command")
    if isinstance(typed, str) and typed:
        return clean(typed)
    if isinstance(typed, Sequence) and typed:
        return clean(shlex.join(["goldfish", *map(str, typed)]))
    words = ["goldfish", "eval", result.benchmark]
    for flag, value in (("--model", result.model), ("--profile", result.profile)):
        if value:
            words += [flag, value]
    return clean(shlex.join(words))


def as_json(result: EvalResult) -> tuple[str, list[str]]:
    """Write a result as JSON that a page can hold, and say what had to be left out.

    What is no JSON becomes ``null`` or text; characters that cannot be seen are escaped.
    """
    left_out: list[str] = []
    values = _bounded(result, "", left_out)
    text = json.dumps(values, ensure_ascii=False, indent=1)
    return _UNSEEN.sub(lambda one: f"\\u{ord(one[0]):04x}", text), left_out


def _bounded(value: Any, name: str, left_out: list[str]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Mapping):
        kept = list(value.items())[:MAX_ITEMS]
        _note(name, len(value) - len(kept), "entries", left_out)
        return {
            _text(str(key), name, left_out): _bounded(one, f"{name}.{key}".strip("."), left_out)
            for key, one in kept
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        items = list(value)
        _note(name, len(items) - MAX_ITEMS, "items", left_out)
        return [_bounded(one, name, left_out) for one in items[:MAX_ITEMS]]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    return _text(str(value), name, left_out)


def _text(text: str, name: str, left_out: list[str]) -> str:
    _note(name, len(text) - MAX_TEXT, "characters", left_out)
    return text[:MAX_TEXT]


def _note(name: str, number: int, what: str, left_out: list[str]) -> None:
    if number > 0 and len(left_out) < MAX_ITEMS:
        left_out.append(f"{number:,} {what} of {name[:80] or 'the result'}")
