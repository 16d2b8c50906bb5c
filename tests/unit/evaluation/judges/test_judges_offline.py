"""The judge without a model: a table of cases, and laws."""

import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from offline_cases import RIGHT, WRONG

from goldfish_cli.evaluation.items import Dimension, EvalItem
from goldfish_cli.evaluation.judges.lemmas import bag, read_words
from goldfish_cli.evaluation.judges.numbers import join_numbers
from goldfish_cli.evaluation.judges.offline import OfflineJudge, is_right
from goldfish_cli.evaluation.judges.verdict import Verdict

ANY_TEXT = st.text(max_size=60) | st.text(st.characters(), max_size=20)  # halves of pairs as well
TELLING = """
yes no not two second one hundred and or red blue , . guitar man n't either a 3 / 猫 anything
"""
WORDS = st.lists(st.sampled_from(TELLING.split()), max_size=12).map(" ".join)
GRADES: tuple[Dimension, ...] = (
    "correctness", "detail", "context", "temporal", "consistency", "summary"
)  # fmt: skip


def item(answer: str, question: str = "What?", *others: str) -> EvalItem:
    return EvalItem("1", "v", question, (answer, *others), second_question="And?")


@pytest.mark.parametrize(("question", "reference", "prediction"), RIGHT)
def test_says_what_the_reference_says(question: str, reference: str, prediction: str) -> None:
    assert is_right(reference, prediction, question)


@pytest.mark.parametrize(("question", "reference", "prediction"), WRONG)
def test_does_not_say_what_the_reference_says(
    question: str, reference: str, prediction: str
) -> None:
    assert not is_right(reference, prediction, question)


def test_table_is_large() -> None:
    assert len(RIGHT) + len(WRONG) >= 140


@given(text=ANY_TEXT | WORDS, question=ANY_TEXT)
@example(text="red or blue", question="")
@example(text="", question="")
@example(text="yes and no", question="Is it?")
def test_a_reference_is_right_by_itself(text: str, question: str) -> None:
    assert is_right(text, text, question)


@given(reference=ANY_TEXT | WORDS, prediction=ANY_TEXT | WORDS, question=ANY_TEXT | WORDS)
@example(reference="9" * 6000, prediction="x" * 10, question="")
@example(reference="one hundred thousand million", prediction="million hundred", question="")
@example(reference="١٢", prediction="12", question="how many")
def test_any_text_gets_the_same_verdict_again(
    reference: str, prediction: str, question: str
) -> None:
    judge, asked = OfflineJudge(), item(reference, question)
    verdict = judge.judge(asked, prediction, "accuracy")
    assert verdict == OfflineJudge().judge(asked, prediction, "accuracy")
    assert verdict.correct is is_right(reference, prediction, question)
    assert verdict.score is not None and 0 <= verdict.score <= 5
    assert (verdict.score == 5) is verdict.correct


@given(reference=ANY_TEXT | WORDS, first=ANY_TEXT | WORDS, second=ANY_TEXT | WORDS)
def test_grades_are_from_0_to_5(reference: str, first: str, second: str) -> None:
    for dimension in GRADES:
        verdict = OfflineJudge().judge(item(reference), first, dimension, second)
        assert verdict.correct is None
        assert verdict.score is not None and 0 <= verdict.score <= 5
        same = OfflineJudge().judge(item(reference), reference, dimension, reference)
        assert same == Verdict(score=5.0)


def test_grade_is_the_overlap_of_words() -> None:
    judge, asked = OfflineJudge(), item("A man cuts an onion")
    grades = [
        judge.judge(asked, text, "correctness").score
        for text in ("the onion was cut by a man", "a man cuts a potato", "a dog sleeps")
    ]
    assert grades == [5.0, 3.33, 0.0]


def test_consistency_is_graded_by_the_worse_answer() -> None:
    judge = OfflineJudge()
    assert judge.judge(item("guitar"), "guitar", "consistency", "violin") == Verdict(score=0.0)
    assert judge.judge(item("guitar"), "guitar", "consistency", "a guitar") == Verdict(score=5.0)


def test_any_accepted_answer_will_do() -> None:
    asked = item("sofa", "Where?", "bed", "floor")
    assert OfflineJudge().judge(asked, "on the floor", "accuracy").correct


def test_the_right_option_is_the_reference_where_no_answer_is_given() -> None:
    asked = EvalItem("1", "v", "What?", (), rule="choice", options=("cat", "dog"), correct=1)
    assert OfflineJudge().judge(asked, "A dog.", "accuracy").correct


def test_without_a_reference_there_is_a_problem_and_no_verdict() -> None:
    verdict = OfflineJudge().judge(EvalItem("1", "v", "What?", ()), "cat", "accuracy")
    assert verdict.correct is None and verdict.score is None and verdict.problem


def test_threads_do_not_disturb_each_other() -> None:
    texts = [f"The {word}s are {word}ing" for word in ("walk", "talk", "jump", "climb", "paint")]
    alone = [bag(text) for text in texts]
    seen: list[bool] = []

    def look(seed: int) -> None:
        for step in range(200):
            at = (seed + step) % len(texts)
            seen.append(bag(f"{texts[at]} thing{seed}x{step}s")[: len(alone[at])] == alone[at])

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 800 and all(seen)


@given(number=st.integers(0, 999_999))
def test_a_spelled_number_is_its_digits(number: int) -> None:
    assert join_numbers(_spell(number).split()) == [f"#{number}"]


def _spell(number: int) -> str:
    from goldfish_cli.evaluation.judges.tables import TENS, UNITS

    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")
    size, word = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = f" and {_spell(number % size)}" if number % size else ""
    return f"{_spell(number // size)} {word}{rest}"


def test_marks_of_any_script_stay_in_their_words() -> None:
    assert [word.lemma for word in read_words("गिटार क़िताब été นี้")][:3] == [
        "गिटार", "क़िताब", "été"
    ]  # fmt: skip
