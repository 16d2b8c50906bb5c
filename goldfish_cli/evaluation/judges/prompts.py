"""Templates of what a judge is asked: filled with an answer, or read from a user's file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.items import Dimension
from goldfish_cli.evaluation.judges.chat import Message

PLACEHOLDERS = ("question", "answer", "prediction", "question2", "prediction2")

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HINT = (
    "Write YAML with a user text, and a system text if you like; name the dimension above them if "
    "it is not accuracy. Placeholders: " + " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """What a judge is told and asked, with placeholders such as ``{question}`` in it.

    Other braces stand for themselves, so that a JSON example needs no escapes.
    """

    system: str
    user: str

    def fill(self, values: Mapping[str, str]) -> list[Message]:
        """Put values in all at once: a placeholder in an answer stays what it is, text."""

        def value(match: re.Match[str]) -> str:
            return values.get(match[1], match[0])

        messages = [("system", self.system), ("user", self.user)]
        return [
            Message(role=role, content=_PLACEHOLDER.sub(value, text))
            for role, text in messages
            if text.strip()
        ]


def prompt_hash(prompts: Mapping[Dimension, PromptTemplate]) -> str:
    """Tell sets of prompts apart, in 8 hexadecimal digits."""
    content = {name: [prompt.system, prompt.user] for name, prompt in prompts.items()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def read_prompt_file(path: Path) -> dict[Dimension, PromptTemplate]:
    """Read a user's prompts from a YAML file.

    The file holds ``user``, and perhaps ``system``, for accuracy; or dimensions with these under
    each. Dimensions that it does not name are for the caller to fill.

    Raises:
        AnnotationError: If it cannot be read, or a prompt lacks the answer or what to reply. All
            that is wrong is told at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "it is nested too deep"
        raise AnnotationError(
            f"The judge prompt {path.name} cannot be read: {reason}", hint=_HINT
        ) from error
    if not isinstance(content, dict) or not content:
        raise AnnotationError(f"The judge prompt {path.name} holds no prompt.", hint=_HINT)
    if "user" in content or "system" in content:
        content = {"accuracy": content}
    mistakes = [
        mistake for name, prompt in content.items() for mistake in _mistakes(str(name), prompt)
    ]
    if mistakes:
        raise AnnotationError(f"The judge prompt {path.name}: {'; '.join(mistakes)}.", hint=_HINT)
    return {
        name: PromptTemplate(prompt.get("system") or "", prompt["user"])
        for name, prompt in content.items()
    }


def _mistakes(dimension: str, prompt: Any) -> list[str]:
    if dimension not in get_args(Dimension):
        return [f"there is no dimension {dimension} (but {', '.join(get_args(Dimension))})"]
    if not isinstance(prompt, dict):
        return [f"{dimension} holds no user text"]
    extra = [f"{dimension} has an unknown {key}" for key in prompt.keys() - {"system", "user"}]
    user, system = prompt.get("user"), prompt.get("system") or ""
    if not isinstance(user, str) or not isinstance(system, str) or not user.strip():
        return [*sorted(extra), f"{dimension} holds no user text"]
    return [*sorted(extra), *_mistakes_in(dimension, f"{system}\n{user}")]


def _mistakes_in(dimension: str, text: str) -> list[str]:
    twice = dimension == "consistency"
    allowed = PLACEHOLDERS if twice else PLACEHOLDERS[:3]
    needed = ("answer", "prediction", "prediction2") if twice else ("answer", "prediction")
    used = dict.fromkeys(_PLACEHOLDER.findall(text))
    keys = ("pred", "score") if dimension == "accuracy" else ("score",)
    return [
        *(f"{dimension} has an unknown {{{name}}}" for name in used if name not in allowed),
        *(f"{dimension} lacks {{{name}}}" for name in needed if name not in used),
        *(
            f'{dimension} never asks for "{key}"'
            for key in keys
            if not re.search(rf"\b{key}\b", _PLACEHOLDER.sub("", text))
        ),
    ]
