"""Score answers about films of Shapes World: what is said, and what is cited for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.canonical import normalise
from goldfish_cli.evaluation.metrics.retrieval import temporal_iou
from goldfish_cli.longvideo.clock import times_in

FILM_ORDER = ("needle", "order", "count", "narration", "between", "absent")
MIN_OVERLAP = 0.3
"""Of a citation and the true span, intersection over union: from here on it points there."""
CLOCK_SLACK_S = 1.0
"""Answers give times to the second."""
_REFUSAL = re.compile(r"not in the films?\b|there is no|nothing in|don't know|cannot")


@dataclass(frozen=True, slots=True)
class FilmItem:
    """A question about a film, with the truth."""

    video: str
    family: str
    question: str
    answer: str
    """ "" where the times are the answer."""
    spans: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FilmScore:
    """A question, what was answered, and what that is worth."""

    item: FilmItem
    answer: str
    cited: tuple[tuple[float, float], ...]
    """Start and end of each citation that is marked as supported."""
    right: bool

    @property
    def points_there(self) -> bool:
        """Whether a citation overlaps each true span."""
        return all(
            any(temporal_iou(span, cited) > MIN_OVERLAP for cited in self.cited)
            for span in self.item.spans
        )


def read_film_items(folder: Path) -> list[FilmItem]:
    """Read the questions of a folder that ``goldfish prep shapes --films`` made.

    Raises:
        AnnotationError: If there are none.
    """
    path = folder / "film_questions.json"
    if not path.is_file():
        raise AnnotationError(
            f"{folder} holds no film_questions.json.",
            hint="Make it with: goldfish prep shapes --films 1",
        )
    return [
        FilmItem(
            item["video_id"],
            item["family"],
            item["q"],
            item["a"],
            tuple((float(start), float(end)) for start, end in item["spans"]),
        )
        for item in json.loads(path.read_text(encoding="utf-8"))
    ]


def score(item: FilmItem, answer: str, cited: Sequence[tuple[float, float]] = ()) -> FilmScore:
    """Tell whether an answer is right.

    A question for a time is answered right if the answer names one time, and that lies in the true
    span or overlaps it; one for what happens, if it is the canonical sentence, where two
    simultaneous things may stand in either order; one about what never appears, if it is refused.
    """
    return FilmScore(item, answer, tuple(cited), is_right(item, answer))


def is_right(item: FilmItem, answer: str) -> bool:
    """Tell whether an answer is right, whatever it cites; see ``score``."""
    if item.family == "absent":
        return _REFUSAL.search(answer.lower()) is not None
    if not item.answer:
        return _names_the_time(answer, item.spans[0])
    told, truth = normalise(answer), normalise(item.answer)
    if item.family == "count":
        return told.split()[:1] == [truth]
    halves = truth.split(" while ")
    return told in (truth, " while ".join(reversed(halves)))


def _names_the_time(answer: str, span: tuple[float, float]) -> bool:
    named = [one.seconds for one in times_in(answer.replace("-", " to "))]
    if not named or len(named) > 2:
        return False
    start, end = named[0], named[-1]
    return start < span[1] + CLOCK_SLACK_S and end > span[0] - CLOCK_SLACK_S


def share_right(scores: Iterable[FilmScore]) -> dict[str, tuple[float, int]]:
    """Share of right answers and number of questions by family, in a fixed order."""
    tally: dict[str, list[bool]] = {family: [] for family in FILM_ORDER}
    for one in scores:
        tally.setdefault(one.item.family, []).append(one.right)
    return {
        family: (sum(found) / len(found), len(found)) for family, found in tally.items() if found
    }


def share_pointing(scores: Iterable[FilmScore]) -> float:
    """Of the right answers to questions with true spans, the share whose citations point there."""
    found = [one.points_there for one in scores if one.right and one.item.spans]
    return sum(found) / len(found) if found else 0.0
