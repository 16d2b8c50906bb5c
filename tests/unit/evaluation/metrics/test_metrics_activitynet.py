import pytest

from goldfish_cli.evaluation.metrics.activitynet import score_activitynet


def test_accuracies_are_those_of_the_paper() -> None:
    types = [3, 8, 0, 1, 2, 3, 4, 7, 0]
    answers = ["no", "day", "run", "left", "jump", "yes", "red", "2", "swim"]
    told = ["no", "night", "run", "Left", None, "yes", "red", "3", "swim"]
    scores = score_activitynet(told, answers, types)
    assert scores.n == 9
    assert scores.all == pytest.approx(5 / 9)
    assert scores.free == pytest.approx(3 / 5)  # of types 3 to 8, whatever their order
    assert scores.by_type == {
        "motion": 1.0,
        "spatial relationship": 0.0,  # Left is not left
        "temporal relationship": 0.0,
        "yes/no": 1.0,
        "color": 1.0,
        "number": 0.0,
        "other": 0.0,
    }


def test_a_set_without_free_questions_has_no_such_score() -> None:
    assert score_activitynet(["a"], ["a"], [0]).free is None


def test_an_unanswered_question_never_equals_its_answer() -> None:
    assert score_activitynet([None], ["None"], [0]).all == 0


@pytest.mark.parametrize("types", [[9], [-1], [0, 1]])
def test_types_that_cannot_be_are_refused(types: list[int]) -> None:
    with pytest.raises(ValueError, match=r"Types are|differ"):
        score_activitynet(["a"], ["a"], types)
