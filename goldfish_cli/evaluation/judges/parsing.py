"""Read a judgement out of a model's reply, strictly: what is not clear is refused, never guessed.

JSON is what is asked for. Python's way of writing the same is read as well, because the protocol of
Video-ChatGPT (arXiv:2306.05424) made models write it; so are fences, chatter and thoughts around.
"""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from goldfish_cli.evaluation.judges.verdict import Verdict

MAX_SCORE = 5
MAX_LENGTH = 100_000
"""Characters of a reply that are read; no judgement is that long."""

_MAX_BRACES = 1000
_THOUGHTS = re.compile(
    r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)"  # one that was cut judged nothing yet
    r"|\A(?:(?!<think).)*?</think(?:ing)?>",  # chat templates may open it in the prompt
    re.DOTALL,
)
_FLAT = re.compile(r"\{[^{}]*\}")
_DECODER = json.JSONDecoder(object_pairs_hook=lambda pairs: _without_repeats(pairs))


class ReplyError(ValueError):
    """A reply that holds no clear judgement; the message says why, to follow "the reply"."""


def read_verdict(text: str, *, with_pred: bool) -> Verdict:
    """Read ``{"pred": "yes", "score": 4}``, or only the score.

    A score is kept as it is, so 4.8 stays 4.8. Several judgements in one reply must be the same.

    Args:
        text: The reply.
        with_pred: Whether yes or no was asked for besides a score.

    Raises:
        ReplyError: If there is no judgement in it, or one that is not in the form asked for.
    """
    if len(text) > MAX_LENGTH:
        raise ReplyError(f"is {len(text)} characters long")
    answer = _THOUGHTS.sub("", text)
    if not answer.strip():
        raise ReplyError("is empty")
    verdicts = {_verdict(found, with_pred) for found in _objects(answer)}
    if not verdicts:
        raise ReplyError("holds no JSON object with a score")
    if len(verdicts) > 1:
        raise ReplyError("holds several judgements that differ")
    return verdicts.pop()


def _verdict(found: dict[str, Any], with_pred: bool) -> Verdict:
    if not with_pred:
        return Verdict(score=_score(found))
    if "pred" not in found:
        raise ReplyError('lacks "pred"')
    pred = found["pred"]
    word = pred.strip().casefold() if isinstance(pred, str) else ""
    if word not in ("yes", "no"):
        raise ReplyError(f'has {_shown(pred)} as "pred" where yes or no was asked for')
    return Verdict(correct=word == "yes", score=_score(found))


def _score(found: dict[str, Any]) -> float:
    if "score" not in found:
        raise ReplyError('lacks "score"')
    score = found["score"]
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise ReplyError(f'has {_shown(score)} as "score" where a number was asked for')
    if not 0 <= score <= MAX_SCORE or not math.isfinite(score):
        raise ReplyError(f"has the score {_shown(score)}, which is not from 0 to {MAX_SCORE}")
    return float(score)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, default=repr)
    except (ValueError, RecursionError):  # an integer too long to write
        text = type(value).__name__
    return text if len(text) <= 40 else text[:40] + "..."


def _objects(text: str) -> list[dict[str, Any]]:
    """Find the objects in a text that have a key of a judgement, outermost first."""
    found: list[dict[str, Any]] = []
    position, tries = text.find("{"), 0
    while position >= 0:
        tries += 1
        if tries > _MAX_BRACES:
            raise ReplyError("is full of braces")
        value, end = _object_at(text, position)
        if value is not None and value.keys() & {"pred", "score"}:
            found.append(value)
        else:
            end = position + 1
        position = text.find("{", end)
    return found


def _object_at(text: str, position: int) -> tuple[dict[str, Any] | None, int]:
    """Read the object that starts at a brace as JSON, else as Python writes it."""
    try:
        value, end = _DECODER.raw_decode(text, position)
    except ReplyError:
        raise
    except (ValueError, RecursionError):  # not only of JSON: of a number too long to read as well
        flat = _FLAT.match(text, position)
        return (_python_dict(flat.group()), flat.end()) if flat else (None, position + 1)
    return value, end


def _python_dict(text: str) -> dict[str, Any] | None:
    try:
        tree = ast.parse(text, mode="eval").body
        if not isinstance(tree, ast.Dict):
            return None
        keys = [ast.literal_eval(key) for key in tree.keys if key]
        values = [ast.literal_eval(value) for value in tree.values]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
        return None
    return _without_repeats(list(zip(keys, values, strict=True)))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ReplyError("gives one key twice")
    return found
