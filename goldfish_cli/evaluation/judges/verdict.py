"""What a judge says of one answer, and what being a judge takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from goldfish_cli.evaluation.items import Dimension, EvalItem


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement of one answer."""

    correct: bool | None = None
    """Yes or no; ``None`` where only a grade was asked for, or no judgement was to be had."""
    score: float | None = None
    """From 0 to 5; ``None`` where no judgement was to be had, or the judge gives no grades."""
    problem: str = ""
    """Why there is no judgement; "" where there is one."""
    version: str = ""
    """Of the judging model, in its server's words; "" where it tells none, or no model judged."""


class Judge(Protocol):
    """Judges answers; the same name and version always mean the same way of judging."""

    @property
    def name(self) -> str:
        """Who judges, with version: results of different names are never compared in silence."""

    def judge(
        self, item: EvalItem, prediction: str, dimension: Dimension, second: str = ""
    ) -> Verdict:
        """Judge one answer.

        Args:
            item: The question with its reference answers.
            prediction: What was answered.
            dimension: What to judge.
            second: What was answered to ``item.second_question``.
        """
