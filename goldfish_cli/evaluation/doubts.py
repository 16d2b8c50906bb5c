"""What a reader must know before believing a number: one sentence for each reason to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from goldfish_cli.evaluation.judges.agent import LanguageModelJudge
from goldfish_cli.evaluation.results import EvalResult, Score
from goldfish_cli.evaluation.scoring import Scored
from goldfish_cli.evaluation.statistics.paired import compare_paired

if TYPE_CHECKING:
    from goldfish_cli.evaluation.summary import Run

FEW = 30  # questions
FEW_VIDEOS = 5
_SHOWN = {
    "blind": "without seeing anything",
    "subtitles": "from the subtitles alone",
    "other video": "from another video's frames",
}


def flags(
    result: EvalResult, by_condition: Mapping[str, Sequence[Scored]], run: Run
) -> Iterator[str]:
    """Say what is to be doubted in a result."""
    if len(run.items) < run.num_all:
        yield (
            f"Only {len(run.items)} of the {run.num_all} questions in the files were asked: this "
            "is not the score of the benchmark."
        )
    if result.without_truth:
        some = counted(result.without_truth, "question")
        yield f"Of {some} no answer is published; not scored."
    missing = result.n - result.answered
    if missing:
        yield (
            f"{missing} of {result.n} questions have no answer and count as wrong; of those "
            f"answered, {_percent(_of_answered(by_condition['full']))} are right."
        )
    if result.unjudged:
        yield f"{counted(result.unjudged, 'answer')} got no verdict: counted as wrong."
    unreadable = sum(one.unreadable for one in by_condition["full"])
    if unreadable:
        some = counted(unreadable, "answer")
        yield f"In {some} no option or number could be found: counted as wrong."
    graded = sum(one.right is None for one in by_condition["full"])
    if 0 < graded < result.n:
        yield (
            f"The accuracy is that of {result.n - graded} questions; the other {graded} have "
            "grades alone."
        )
    yield from _mixtures(by_condition)
    videos = len({one.item.video for one in by_condition["full"]})
    if 1 < videos < FEW_VIDEOS:
        yield f"Only {videos} videos: intervals tell little, as questions about one go together."
    if 0 < result.n < FEW:
        yield f"Few questions ({result.n}): look at the interval, not at the number."
    judge = run.deciding.judge
    if isinstance(judge, LanguageModelJudge):
        yield from judge.notes
    yield from _controls(result, by_condition, run)


def _mixtures(by_condition: Mapping[str, Sequence[Scored]]) -> Iterator[str]:
    """Say where answers of different settings stand together, and where controls failed."""
    setups = {
        one.prediction.setup
        for scored in by_condition.values()
        for one in scored
        if one.prediction.setup
    }
    if len(setups) > 1:
        yield (
            f"The answers were made under {len(setups)} different settings: model, frames, prompt "
            "or the like."
        )
    unanswered = {one.item.id for one in by_condition["full"] if one.prediction.problem}
    for name, scored in by_condition.items():
        failed = [one for one in scored if one.prediction.problem and one.item.id not in unanswered]
        if failed:
            yield (
                f"Under '{name}' {counted(len(failed), 'question')} got no answer and count as "
                f"wrong there, such as {failed[0].item.id}: {failed[0].prediction.problem}"
            )


def _controls(
    result: EvalResult, by_condition: Mapping[str, Sequence[Scored]], run: Run
) -> Iterator[str]:
    best_guess = max(result.guess.values(), default=0.0)
    for name, told in _SHOWN.items():
        control = result.controls.get(name)
        if control is None:
            continue
        if not _is_worse(by_condition[name], by_condition["full"], run.seed):
            yield (
                f"Answers {told} are not measurably worse than with the video "
                f"({_told(control)}): the score does not show that the video is understood."
            )
        elif _above(control, best_guess):
            yield (
                f"{_told(control)} are right {told}, more than a guess ({_percent(best_guess)}): "
                "so much of the score needs no video."
            )


def counted(number: int, what: str) -> str:
    """Write how many there are of something: ``1 answer``, ``2 answers``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _is_worse(control: Sequence[Scored], whole: Sequence[Scored], seed: int) -> bool:
    """Whether a control's answers are worse by more than chance; not, if one video is all."""
    with_video = {one.item.id: one for one in whole}
    pairs = [
        (with_video[one.item.id], one)
        for one in control
        if one.item.id in with_video and not with_video[one.item.id].prediction.problem
    ]
    if not pairs:
        return True  # nothing to compare
    found = compare_paired(
        [one.value for one, _ in pairs],
        [two.value for _, two in pairs],
        [one.item.video for one, _ in pairs],
        seed=seed,
    )
    return found.ci95[0] > 0 if found.ci95 is not None else found.difference > 0


def _above(control: Score, guess: float) -> bool:
    return control.ci95 is not None and control.ci95[0] > guess


def _told(score: Score) -> str:
    if score.accuracy is None:
        return f"a grade of {score.score or 0:.2f}"
    return _percent(score.accuracy)


def _of_answered(scored: Sequence[Scored]) -> float:
    answered = [one.value for one in scored if not one.prediction.problem]
    return sum(answered) / len(answered) if answered else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
