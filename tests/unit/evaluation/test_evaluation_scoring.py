"""Answers whose worth is known: an oracle, a constant, nothing at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark_samples import IDS, SAMPLES

from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS
from goldfish_cli.evaluation.items import Benchmark, EvalItem
from goldfish_cli.evaluation.judges.offline import OfflineJudge
from goldfish_cli.evaluation.predictions import Condition, Prediction
from goldfish_cli.evaluation.results import EvalResult
from goldfish_cli.evaluation.scoring import Deciding, score_all
from goldfish_cli.evaluation.summary import Run, summarise

Answer = Callable[[EvalItem], str]


def score(
    benchmark: Benchmark,
    items: list[EvalItem],
    answer: Answer,
    *,
    second: Answer | None = None,
    condition: Condition = "full",
    problem: str = "",
) -> EvalResult:
    predictions = {
        (item.id, condition): Prediction(
            item.id,
            item.video,
            item.question,
            answer(item),
            condition,
            second=(second or answer)(item),
            problem=problem,
        )
        for item in items
    }
    deciding = Deciding(benchmark, OfflineJudge())
    scored = list(score_all(items, predictions, deciding))
    return summarise(Run(benchmark, items, deciding, len(items), ""), scored)


def letter(item: EvalItem) -> str:
    named = f"({'ABCDEFGHIJ'[item.correct or 0]})"
    is_ambiguous = any(len(option) == 1 for option in item.options)  # MVBench has (A) c (B) a (C) t
    return f"{named} {item.answers[0]}" if is_ambiguous else named


def truth(item: EvalItem) -> str:
    return letter(item) if item.rule == "choice" else item.answers[0]


@pytest.fixture(scope="session")
def qa_folder(shared_folder: Path) -> Path:
    return shared_folder / "data" / "qa"


@pytest.mark.parametrize(("name", "files", "questions", "without"), SAMPLES, ids=IDS)
def test_an_oracle_scores_everything_and_a_constant_its_exact_share(
    qa_folder: Path, name: str, files: list[str], questions: int, without: int
) -> None:
    benchmark = BENCHMARKS[name]
    items = benchmark.read([qa_folder / file for file in files])
    result = score(benchmark, items, lambda item: truth(item) if item.is_scorable else "")
    assert (result.n, result.without_truth) == (questions - without, without)
    if not result.n:
        return
    yes_no = any("accuracy" in item.dimensions for item in items)
    assert result.accuracy == (1.0 if yes_no else None)
    if result.score is not None:
        assert result.score == pytest.approx(5.0)
    choices = [item for item in items if item.rule == "choice" and item.is_scorable]
    if len(choices) == result.n:
        always_b = score(benchmark, items, lambda _: "B")
        assert always_b.accuracy == sum(item.correct == 1 for item in choices) / result.n
        told = score(benchmark, items, lambda item: item.answers[0] if item.answers else "")
        assert told.accuracy is not None
        assert told.accuracy > 0.99  # by the option's text; a few options hold another's letter
    if {item.rule for item in items} == {"count"}:
        twos = score(benchmark, items, lambda _: "two")
        numbers = [int(item.answers[0]) for item in items]
        assert twos.accuracy == numbers.count(2) / len(numbers)
        errors = [(2 - number) ** 2 for number in numbers]
        assert twos.metrics["mean squared error"] == pytest.approx(sum(errors) / len(errors))
        cut = [(min(max(number, 1), 10) - number) ** 2 for number in numbers]  # as its code cuts
        assert result.metrics["mean squared error"] == pytest.approx(sum(cut) / len(cut))


@pytest.mark.parametrize("name", ["msvd", "tgif-frame"])
def test_a_constant_word_scores_how_often_it_is_the_answer(qa_folder: Path, name: str) -> None:
    benchmark = BENCHMARKS[name]
    files = next(files for one, files, _, _ in SAMPLES if one == name)
    items = benchmark.read([qa_folder / file for file in files])
    result = score(benchmark, items, lambda _: "man")
    share = sum(item.answers[0] == "man" for item in items) / len(items)
    assert result.metrics["exact match"] == share
    (guess,) = (value for key, value in result.guess.items() if key.startswith("always"))
    assert guess >= share


ITEMS = [
    EvalItem("1", "a", "What is it?", ("cat",), category="what"),
    EvalItem("2", "a", "Who is it?", ("dog",), category="who"),
    EvalItem("3", "b", "What is it?", ("cow",), category="what"),
    EvalItem("4", "c", "Which?", ("x",), rule="choice", options=("x", "y"), correct=0),
]
CUSTOM = BENCHMARKS["custom"]


def test_a_question_without_an_answer_is_wrong_and_named() -> None:
    result = score(CUSTOM, ITEMS, lambda _: "", problem="there is no such video")
    assert (result.n, result.answered, result.accuracy, result.score) == (4, 0, 0.0, 0.0)
    assert {(one.video, one.questions) for one in result.unanswered} == {
        ("a", 2), ("b", 1), ("c", 1)
    }  # fmt: skip
    assert any("4 of 4 questions have no answer" in flag for flag in result.flags)


def test_an_answer_without_an_option_is_wrong_and_counted() -> None:
    result = score(CUSTOM, ITEMS[3:], lambda _: "I cannot tell.")
    assert result.accuracy == 0.0
    assert any("In 1 answer no option" in flag for flag in result.flags)


def test_parts_add_up_to_the_whole() -> None:
    result = score(CUSTOM, ITEMS, lambda item: truth(item) if item.video == "a" else "zebra")
    assert result.accuracy == 0.5
    parts = result.by[CUSTOM.by]
    assert {name: part.n for name, part in parts.items()} == {"what": 2, "who": 1, "not told": 1}
    assert sum(part.n * (part.accuracy or 0) for part in parts.values()) == 2.0


def test_one_video_alone_has_no_interval() -> None:
    assert score(CUSTOM, ITEMS[:2], truth).ci95 is None
    assert score(CUSTOM, ITEMS, truth).ci95 is not None


def test_worst_cases_are_wrong_answers_of_all_types() -> None:
    result = score(CUSTOM, ITEMS, lambda _: "zebra")
    assert {case.id for case in result.worst} == {"1", "2", "3", "4"}
    assert result.worst[0].reference in ("cat", "dog", "x")


def test_consistency_is_graded_by_both_answers() -> None:
    item = EvalItem(
        "1", "v", "Who?", ("a red car",), second_question="Who is it?", rule="judged",
        dimensions=("consistency",),
    )  # fmt: skip
    assert score(CUSTOM, [item], lambda _: "a red car").score == 5.0
    worse = score(CUSTOM, [item], lambda _: "a red car", second=lambda _: "nothing")
    assert worse.score == 0.0
    assert worse.accuracy is None
    assert worse.metrics == {"grade of consistency": 0.0}


def test_answers_of_different_settings_are_told() -> None:
    deciding = Deciding(CUSTOM, OfflineJudge())
    predictions: dict[tuple[str, Condition], Prediction] = {
        (item.id, "full"): Prediction(item.id, item.video, "", "x", setup=item.id) for item in ITEMS
    }
    scored = list(score_all(ITEMS, predictions, deciding))
    result = summarise(Run(CUSTOM, ITEMS, deciding, len(ITEMS), ""), scored)
    assert any("under 4 different settings" in flag for flag in result.flags)


def test_questions_that_fail_under_a_control_alone_are_told() -> None:
    deciding = Deciding(CUSTOM, OfflineJudge())
    predictions: dict[tuple[str, Condition], Prediction] = {}
    for item in ITEMS:
        predictions[item.id, "full"] = Prediction(item.id, item.video, "", truth(item))
        predictions[item.id, "moment"] = Prediction(
            item.id, item.video, "", "", "moment", problem="beyond the end"
        )
    scored = list(score_all(ITEMS, predictions, deciding))
    result = summarise(Run(CUSTOM, ITEMS, deciding, len(ITEMS), ""), scored)
    assert any("Under 'moment' 4 questions got no answer" in flag for flag in result.flags)
    assert any("Only 3 videos" in flag for flag in result.flags)


def test_an_answer_that_goes_on_and_on_is_read_at_its_ends() -> None:
    told = score(CUSTOM, ITEMS[3:], lambda _: "x\n" * 500_000 + "The answer is A.")
    assert told.accuracy == 1.0
    looping = score(CUSTOM, ITEMS[:1], lambda _: "one hundred " * 2_500)
    assert looping.accuracy == 0.0
