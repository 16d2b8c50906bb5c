"""Results for reports: one with everything, one with nothing; and what reads pages strictly."""

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from goldfish_cli.evaluation.results import (
    Agreement,
    Corrected,
    EvalResult,
    Faults,
    Retrieval,
    Score,
    Unanswered,
    WorstCase,
)

EVIL = (
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)> & $title ${x} "
    "|cell|\r\nsecond line\x00\x1b[31m \ud83d ]]> --> `code` http://evil.example/x @someone #12"
)
VOID = {"meta", "br", "img", "link", "input", "hr"}
SHORT = ("rect", "line")  # SVG elements that close themselves


def plain_result(**changes: Any) -> EvalResult:
    """A result of 200 questions and nothing else."""
    result = EvalResult(
        benchmark="msvd",
        title="MSVD-QA",
        split="test",
        n=200,
        accuracy=0.634,
        score=None,
        ci95=(0.612, 0.689),
        judge="offline 3",
        metric="accuracy",
        answered=200,
        controls={},
        by={},
        metrics={},
        flags=(),
    )
    return replace(result, **changes)


def whole_result(**changes: Any) -> EvalResult:
    """A result with every part that there is."""
    kinds = {"what": 0.58, "who": 0.71, "how": 0.44, "when": 0.9, "where": None}
    by_kind = {
        name: Score(60 - 9 * place, share, share and (share - 0.07, min(1.0, share + 0.06)), 3.1)
        for place, (name, share) in enumerate(kinds.items())
    }
    result = plain_result(
        title="MSVD-QA",
        split="test: 13,157 questions on 520 videos; papers report all of them",
        n=2000,
        answered=1950,
        score=3.412,
        score_ci95=(3.301, 3.52),
        judge="openai:gpt-4o-mini@api.example, prompts 2",
        metric="accuracy and mean grade of a judge",
        controls={
            "blind": Score(2000, 0.512, (0.49, 0.534), 2.9, (2.8, 3.0)),
            "subtitles": Score(2000, 0.518, (0.495, 0.541), 2.95, (2.85, 3.05)),
            "other video": Score(2000, 0.401, (0.379, 0.424), 2.3, (2.2, 2.4)),
            "moment": Score(1204, 0.702, (0.674, 0.729), 3.7, (3.6, 3.8)),
        },
        by={
            "question type": by_kind,
            "length": {
                "under 2 min": Score(900, 0.67, (0.63, 0.71), 3.5),
                "2 to 15 min": Score(800, 0.62, (0.58, 0.66), 3.4),
                "over 15 min": Score(300, 0.55, (0.49, 0.61), 3.1),
            },
            "subtitles": {"with": Score(1200, 0.66, (0.63, 0.69), 3.5), "without": Score(800)},
        },
        metrics={"exact match": 0.31, "normalised match": 0.402, "count L2": 4.2, "CIDEr": 0.711},
        flags=(
            "A blind model scores 51.2 %: many of these questions can be answered without video.",
            "50 of 2,000 questions are unanswered, since 12 videos are missing.",
        ),
        unanswered=(
            Unanswered("vid1201", "the video is missing", 30),
            Unanswered("vid1300.avi", "the video cannot be read: its index is damaged", 20),
        ),
        without_truth=12,
        unjudged=3,
        guess={"the most frequent answer": 0.08, "any option": 0.0021},
        agreement=Agreement(("openai:gpt-4o-mini", "offline 3"), 1950, 0.91, 0.78, (0.74, 0.81)),
        corrected=Corrected(0.604, (0.561, 0.648), 50, 0.92),
        retrieval=Retrieval(
            1204, {"1": 0.41, "5": 0.72, "10": 0.8}, 0.536, 0.601, 0.388, 0.55
        ),
        faults=Faults(1204, 0.171, 0.152, 0.043),
        worst=(
            WorstCase(
                "q17", "vid1201", "", "what is the man\nholding?", "a guitar",
                "The man is holding a microphone.", "what", 0.0, (62.0, 68.0),
                ((130.0, 134.0),),
            ),
            WorstCase(
                "q18", "vid1202", "/nowhere/vid1202.mp4", "who is dancing?", "two girls",
                "A long story about a dance. " * 40, "who", 1.0, None,
            ),
        ),
        judging={"requests": 1951, "cached": 12, "prompt_tokens": 410233, "cost": None,
                 "versions": {"gpt-4o-mini-2024-07-18": 1951}},
        model="minnow",
        profile="16gb",
        predictions="runs/eval/msvd/predictions.jsonl",
        settings={"frames": 45, "judge_prompt": None, "profile": {"max_frames": 45}},
        provenance={
            "goldfish": "0.4.0",
            "commit": "f00dcafe+",
            "packages": {"torch": "2.13.0"},
            "command": ["eval", "msvd", "--data", "a file.json", "--controls"],
            "date": "2026-01-02T03:04:05+00:00",
            "annotations": {"test_qa.json": "0" * 64},
        },
        seconds=1234.5,
    )  # fmt: skip
    return replace(result, **changes)


def evil_result() -> EvalResult:
    """Hostile text in every place that text can come from."""
    score = Score(3, 0.5, (0.1, 0.9), 2.0, (1.0, 3.0))
    case = WorstCase(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, 1.0, (float("nan"), 2.0))
    return whole_result(
        benchmark=EVIL,
        title=EVIL,
        split=EVIL,
        judge=EVIL,
        metric=EVIL,
        controls={EVIL: score},
        by={EVIL: {EVIL: score, "": score}},
        metrics={EVIL: 0.5},
        flags=(EVIL,),
        unanswered=(Unanswered(EVIL, EVIL, 1),),
        guess={EVIL: 0.3},
        agreement=Agreement((EVIL, EVIL), 3, 1.0, None),
        retrieval=Retrieval(3, {EVIL: 0.3}, 0.1, 0.1, 0.1, None),
        worst=(case, replace(case, path="")),
        judging={EVIL: EVIL},
        model=EVIL,
        profile=EVIL,
        predictions=EVIL,
        settings={EVIL: {EVIL: [EVIL]}},
        provenance={EVIL: EVIL, "command": ["eval", EVIL]},
    )


class Walk(HTMLParser):
    """Reads a page, and refuses what browsers would have to mend."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, self.open
        ids = self.values("id")
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHORT, tag
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), names
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def values(self, attribute: str) -> list[str]:
        """Give what an attribute says, wherever it stands."""
        return [value for _, name, value in self.attributes if name == attribute]

    @property
    def text(self) -> str:
        return " ".join(self.texts)
