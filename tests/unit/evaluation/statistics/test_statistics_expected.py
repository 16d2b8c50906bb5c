import numpy as np
import pytest

from goldfish_cli.evaluation.items import EvalItem, Rule
from goldfish_cli.evaluation.statistics.expected import (
    best_position,
    constant_position,
    guesses,
    most_frequent_answer,
    uniform_guess,
)


def choice(correct: int | None, num_options: int = 4) -> EvalItem:
    options = tuple(f"option text {number}" for number in range(num_options))
    return EvalItem("id", "video", "?", (), "choice", options=options, correct=correct)


def free(*answers: str, rule: Rule = "open") -> EvalItem:
    return EvalItem("id", "video", "?", answers, rule)


def test_guesses_at_options_are_exact() -> None:
    items = [choice(0), choice(2), choice(2, 5), choice(1, 2), choice(None)]
    found = guesses(items)
    assert found == pytest.approx({"any option": (0.25 + 0.25 + 0.2 + 0.5) / 4, "always C": 0.5})


def test_a_uniform_guess_scores_what_guessing_does_on_average() -> None:
    items = [choice(number % 3, 3 + number % 2) for number in range(40)]
    generator = np.random.default_rng(0)
    rounds = [
        np.mean([generator.integers(len(item.options)) == item.correct for item in items])
        for _ in range(1500)
    ]
    assert uniform_guess(items) == pytest.approx(float(np.mean(rounds)), abs=0.01)


def test_the_first_of_equally_good_positions_is_named() -> None:
    items = [choice(3), choice(1), choice(1), choice(3)]
    assert best_position(items) == (1, 0.5)
    assert constant_position(items, 0) == 0


def test_the_most_frequent_answer_is_found_over_forms() -> None:
    items = [free("Yes"), free("yes."), free("no"), free("the yes"), free("two")]
    assert most_frequent_answer(items) == ("yes", 0.6)
    assert guesses(items) == {'always "yes"': 0.6}


def test_any_accepted_answer_counts_once_for_each_question() -> None:
    assert most_frequent_answer([free("dog", "Dog", "cat"), free("cat")]) == ("cat", 1.0)


def test_counts_are_one_number_in_any_form() -> None:
    items = [free("2", rule="count"), free("two times", rule="count"), free("3", rule="count")]
    assert guesses(items) == pytest.approx({'always "2"': 2 / 3})


def test_each_way_is_scored_on_its_own_rule() -> None:
    items = [choice(0), free("yes"), free("yes"), free("a story", rule="judged")]
    assert guesses(items) == {"any option": 0.25, "always A": 1.0, 'always "yes"': 1.0}


def test_nothing_can_be_guessed_of_nothing() -> None:
    assert guesses([]) == {}
    assert guesses([choice(None)]) == {}
    for guess in (uniform_guess, best_position, most_frequent_answer):
        with pytest.raises(ValueError, match=r"guessed|known|Without"):
            guess([])
    with pytest.raises(ValueError, match="Without questions"):
        constant_position([], 0)
