"""A question of a benchmark with its truth, and the rules by which answers are scored.

Nothing here knows how a benchmark's files look, nor who answers or judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Rule = Literal["open", "choice", "count", "judged"]
"""How an answer is scored: by normalised exact match and judges (``open``), by the option it
names (``choice``), as a whole number (``count``), or by judges alone, on a scale (``judged``)."""

Extra = Literal["free", "wups", "text", "meteor"]
"""What some papers report beside: ActivityNet-QA's accuracy on free questions, WUPS
(arXiv:1410.0210), BLEU, ROUGE-L and CIDEr, or METEOR."""

Dimension = Literal[
    "accuracy", "correctness", "detail", "context", "temporal", "consistency", "summary"
]
"""What a judge is asked: yes or no with 0 to 5 (``accuracy``), or a grade from 0 to 5 for one of
the five qualities of Video-ChatGPT (arXiv:2306.05424), or for a summary."""


@dataclass(frozen=True, slots=True)
class EvalItem:
    """One question about one video."""

    id: str
    """Unique in its file, and the same whenever that file is read."""
    video: str
    """The video's name as the annotations give it, without folder; its ending may be missing."""
    question: str
    answers: tuple[str, ...]
    """Accepted answers, the canonical one first; empty where none is published."""
    rule: Rule = "open"
    options: tuple[str, ...] = ()
    """The choices without letters or numbers before them."""
    correct: int | None = None
    """Which option is right, from 0; ``None`` where it is not published or not among them."""
    category: str = ""
    """Type of question as the benchmark names it; "" where it names none."""
    start: float | None = None
    """First second of the part of the video that the question is about."""
    end: float | None = None
    spans: tuple[tuple[float, float], ...] = ()
    """All parts of the video that bear the answer out, where the annotations tell several."""
    duration: float | None = None
    """Of the whole video in seconds, where the annotations tell it."""
    second_question: str = ""
    """For consistency: the same question in other words, answered and judged along with it."""
    dimensions: tuple[Dimension, ...] = ("accuracy",)
    """What a judge is asked about the answer."""

    @property
    def moments(self) -> tuple[tuple[float, float], ...]:
        """The parts of the video that bear the answer out, as far as they are known."""
        if self.spans or self.start is None or self.end is None:
            return self.spans
        return ((self.start, self.end),)

    @property
    def is_scorable(self) -> bool:
        """Whether there is a truth to compare with."""
        return self.correct is not None if self.rule == "choice" else bool(self.answers)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A set of questions as it circulates: its files, its official split and its rules."""

    name: str
    """As it is typed: ``msvd``."""
    title: str
    """As papers call it: ``MSVD-QA``."""
    read: Callable[[Sequence[Path]], list[EvalItem]]
    """Reads annotation files of any of the set's known layouts; several files make one set.

    Raises ``AnnotationError`` for a file that cannot be read or holds something else."""
    prompt: Callable[[EvalItem], str]
    """What a model is asked: the question with its options and the form of answer wanted."""
    split: str
    """The official split, its number of questions, and what papers report instead if they do."""
    metric: str
    """What the set's papers report, in a few words."""
    source: str
    """Where the annotations come from: an address, and the paper."""
    also_named: Callable[[str], tuple[str, ...]] = lambda _: ()
    """Other names under which a video's file circulates."""
    cuts: bool = False
    """Whether ``start`` and ``end`` bound what is shown, as in MVBench, rather than say where the
    evidence lies, as in TVQA."""
    is_right: Callable[[EvalItem, str], bool] | None = None
    """Whether an answer is right, where that is exact and no judge is needed."""
    also: tuple[Extra, ...] = ()
    is_long: bool = False
    """Videos of many minutes, which are answered through an index."""
    by: str = "question type"
    """What ``EvalItem.category`` stands for."""
