"""The answer to a question about films, with its evidence as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a film that an answer rests upon. The times are the index's, never a model's."""

    video: str
    """The newest path of the film."""
    start: float
    end: float
    text: str
    """What is to be seen or heard there."""
    score: float
    """How well it fits the question, 0 to 1."""
    supported: bool
    """Whether the place lies in the film and its text bears out the answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One state of the coordinator, for the trace."""

    state: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LongAnswer:
    """What was asked, what was answered, and on what grounds: the keys of ``--json``."""

    question: str
    answer: str
    citations: tuple[Citation, ...]
    route: str
    steps: tuple[Step, ...]
    coverage: float
    """Share of the films' length that is indexed, 0 to 1."""
    seconds: float

    @property
    def is_supported(self) -> bool:
        """Whether any citation bears the answer out."""
        return any(one.supported for one in self.citations)
