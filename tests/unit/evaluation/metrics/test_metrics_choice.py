# ruff: noqa: RUF001
# The signs of other scripts are meant.
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from goldfish_cli.evaluation.metrics.choice import find_choice
from goldfish_cli.evaluation.metrics.match import normalise

PETS = ("the cat", "the dog", "a red bird", "the hot dog stand")
YES_NO = ("yes", "no")
PEOPLE = ("A man is cooking", "A man is cooking rice", "A woman sings", "Nobody")
NUMBERS = ("two", "three", "4", "five")
SAME = ("a car", "The car", "a bus")

CASES = [
    # the letter, in all its forms
    ("B", PETS, 1),
    ("b", PETS, 1),
    ("B.", PETS, 1),
    ("(B)", PETS, 1),
    ("[B]", PETS, 1),
    ("(b)", PETS, 1),
    ("B)", PETS, 1),
    ("B:", PETS, 1),
    ("**B**", PETS, 1),
    ("“B”", PETS, 1),
    ("<answer>B</answer>", PETS, 1),
    ("$\\boxed{B}$", PETS, 1),
    ("\\boxed{\\text{B}}", PETS, 1),
    ("A", PETS, 0),
    ("a", PETS, 0),
    ("A.", PETS, 0),
    ("（Ｂ）", PETS, 1),
    ("  B\n", PETS, 1),
    ("B. the dog", PETS, 1),
    ("B) the dog is there", PETS, 1),
    ("(B) because it barks", PETS, 1),
    ("B because it barks", PETS, 1),
    ("B the dog", PETS, 1),
    ("B - the dog", PETS, 1),
    ("A: the cat", PETS, 0),
    ("A, because it meows", PETS, 0),
    ("B\n\nThe video shows a cat at first, then a dog.", PETS, 1),
    # said to be the answer
    ("The answer is B", PETS, 1),
    ("The answer is (B).", PETS, 1),
    ("The answer is b", PETS, 1),
    ("The answer is a", PETS, 0),
    ("The answer is A.", PETS, 0),
    ("Answer: b) the dog", PETS, 1),
    ("Answer: B", PETS, 1),
    ("ANSWER - B", PETS, 1),
    ("The correct answer is: **B**", PETS, 1),
    ("The best option is B.", PETS, 1),
    ("The correct choice would be (C).", PETS, 2),
    ("the answer is option b", PETS, 1),
    ("Option B is correct.", PETS, 1),
    ("Option A is correct.", PETS, 0),
    ("Option A", PETS, 0),
    ("option a", PETS, 0),
    ("I would choose B, since it barks.", PETS, 1),
    ("I'd go with C", PETS, 2),
    ("(A) shows a cat, (B) shows a dog. The answer is B.", PETS, 1),
    ("B is the right answer", PETS, 1),
    ("Based on the video, the answer is likely B.", PETS, 1),
    ("The answer is A or C at first sight. Final answer: C", PETS, 2),
    ("A. the cat B. the dog C. a red bird\nAnswer: C", PETS, 2),
    ("A. the cat\nB. the dog\nC. a red bird\nD. the hot dog stand\nThe answer is B. the dog",
     PETS, 1),
    ("<think>Is it A? It could be A.</think>B", PETS, 1),
    ("It could be A.</think>\nB", PETS, 1),
    ("答案是B", PETS, 1),
    ("答案：B", PETS, 1),
    ("Ответ: B", PETS, 1),
    ("Not A. The answer is B.", PETS, 1),
    ("It is not (A), so it must be (B).", PETS, 1),
    ("(A) is wrong, so (B).", PETS, 1),
    ("The answer is not A but B", PETS, None),
    ("I think it's B.", PETS, 1),
    ("It is C, I think", PETS, 2),
    ("Option 2", PETS, 1),
    ("The second option", PETS, 1),
    ("Option 0", PETS, None),
    ("Option 7", PETS, None),
    ("B is incorrect and C is incorrect. So A.", PETS, 0),
    ("Between A and B, I pick B.", PETS, 1),
    ("The answer: the dog (B)", PETS, 1),
    ("The person in the video is a man, so the answer is D.", PETS, 3),
    ("Hard to say, but B seems the most likely answer.", PETS, 1),
    ("C. elegans", ("C. elegans", "E. coli", "a yeast"), 0),
    # texts
    ("the dog", PETS, 1),
    ("The dog.", PETS, 1),
    ("Dog", PETS, 1),
    ("There is a dog in the video.", PETS, 1),
    ("The answer is the dog, not the cat.", PETS, 1),
    ("The answer is the dog. A cat is there, too.", PETS, 1),
    ("I see the hot dog stand.", PETS, 3),
    ("the hot dog stand and the dog", PETS, None),
    ("It is \"a red bird\"", PETS, 2),
    ("It is not the dog", PETS, None),
    ("the cat rather than the dog", PETS, 0),
    ("A red bird sits there.", PETS, 2),
    ("A DOG", PETS, 1),
    ("A man is cooking.", PEOPLE, 0),
    ("A man is cooking rice", PEOPLE, 1),
    ("A woman sings in the rain.", PEOPLE, 2),
    ("In the video, a man is cooking rice in a pan.", PEOPLE, 1),
    ("Yes.", YES_NO, 0),
    ("No, he does not.", YES_NO, 1),
    ("yes and no", YES_NO, None),
    ("2", NUMBERS, 0),
    ("There are three.", NUMBERS, 1),
    ("four", NUMBERS, 2),
    ("a bus", SAME, 2),
    ("a car", SAME, None),
    ("B. The car", SAME, 1),
    ("A", ("B", "A"), 0),
    ("a", ("b", "a"), None),
    ("A", ("A", "B"), 0),
    ("Größe", ("GRÖSSE", "Farbe"), 0),
    ("एक कुत्ता", ("एक बिल्ली", "एक कुत्ता"), 1),
    ("猫", ("犬", "猫"), 1),
    # words of the chatter that are options, too
    ("Option A is right.", ("left", "right"), 0),
    ("The right answer is A.", ("left", "right"), 0),
    ("The answer is right.", ("left", "right"), 1),
    ("right", ("left", "right"), 1),
    ("It turns to the right.", ("left", "right"), 1),
    # nothing can be told
    ("", PETS, None),
    ("   ", PETS, None),
    ("...", PETS, None),
    ("A man is walking.", PETS, None),
    ("A dark room with people", PETS, None),
    ("I cannot tell from the video.", PETS, None),
    ("I'm sorry, but I can't answer that.", PETS, None),
    ("I cannot determine whether it is A or B.", PETS, None),
    ("None of the above", PETS, None),
    ("A and B", PETS, None),
    ("A or B", PETS, None),
    ("A, B", PETS, None),
    ("a, b", PETS, None),
    ("(A) and (C)", PETS, None),
    ("Both (A) and (B) are possible.", PETS, None),
    ("The answer is A and B.", PETS, None),
    ("The answer is A. No, the answer is B.", PETS, None),
    ("either the cat or the dog", PETS, None),
    ("A. the cat\nB. the dog\nC. a red bird\nD. the hot dog stand", PETS, None),
    ("(B) the cat", PETS, None),
    ("(A) the dog", PETS, None),
    ("A. dog", PETS, None),
    ("A/B", PETS, None),
    ("Neither A nor B.", PETS, None),
    ("The answer isn't B.", PETS, None),
    ("The options are A, B, C and D.", PETS, None),
    ("The correct answer is not listed.", PETS, None),
    ("E", PETS, None),
    ("(F)", PETS, None),
    ("He takes vitamin C every day.", PETS, None),
    ("He's got a plan B for that", PETS, None),
    ("They wear T-shirts", PETS, None),
    ("I", PETS, None),
    ("3", PETS, None),
    ("1", PETS, None),
    ("The answer is a man walking.", PETS, None),
    ("The answer is unclear", PETS, None),
    ("Because of the cable", PETS, None),
    ("B", (), None),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "options", "expected"), CASES)
def test_an_answer_names_the_option_it_means(
    answer: str, options: tuple[str, ...], expected: int | None
) -> None:
    assert find_choice(answer, options) == expected


@pytest.mark.parametrize("position", range(26))
def test_all_letters_are_read(position: int) -> None:
    options = [f"thing number {number}" for number in range(26)]
    assert find_choice(f"({chr(65 + position)})", options) == position


FORMS = (
    "{0}", "{0}.", "({0})", "{0})", "{0}:", "**{0}**", "[{0}]", "{0}. {1}", "({0}) {1}",
    "{0}) {1}", "{0}: {1}", "The answer is {0}.", "The answer is ({0}).",
    "The answer is ({0}) {1}.", "Answer: {0}", "Answer: {0}. {1}", "Option {0}", "option {0}.",
    "The correct answer is {0}: {1}", "The correct option is ({0}).", "\\boxed{{{0}}}",
    "Final answer: {0}", "I choose {0}.", "答案：{0}",
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "man",
        "woman",
        "dog",
        "cat",
        "runs",
        "walks",
        "red",
        "blue",
        "the",
        "a",
        "sits",
        "on",
        "table",
        "car",
        "bus",
        "into",
        "kitchen",
        "sings",
        "ball",
        "hund",
        "größe",
        "собака",
        "猫",
        "कुत्ता",
        "seven",
        "12",
    ]
)
TEXTS = st.lists(WORDS, min_size=2, max_size=6).map(" ".join)


@given(
    options=st.lists(TEXTS, min_size=2, max_size=6, unique_by=normalise),
    form=st.sampled_from(FORMS),
    data=st.data(),
)
def test_every_customary_form_of_an_option_is_read_as_that_option(
    options: list[str], form: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(options) - 1))
    assume(not any(_begins(other, options[place]) for other in options))
    assert find_choice(form.format(chr(65 + place), options[place]), options) == place


@given(options=st.lists(TEXTS, min_size=2, max_size=6, unique_by=normalise), data=st.data())
def test_the_whole_text_of_an_option_is_read_as_that_option(
    options: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(options) - 1))
    for form in ("{}", "{}.", '"{}"', " {} \n"):
        assert find_choice(form.format(options[place]), options) == place


@given(answer=st.text(max_size=80), options=st.lists(st.text(max_size=12), max_size=8))
def test_any_text_is_read_as_an_option_or_none(answer: str, options: list[str]) -> None:
    found = find_choice(answer, options)
    assert found is None or 0 <= found < len(options)


@given(
    parts=st.lists(
        st.sampled_from(
            [
                "A",
                "B",
                "(C)",
                "the answer is",
                "not",
                "option",
                "a",
                "man",
                "or",
                ".",
                "\n",
                "2",
                "!",
            ]
        ),
        max_size=12,
    ),
    options=st.lists(TEXTS, min_size=2, max_size=5, unique_by=normalise),
)
def test_the_same_answer_is_always_read_alike(parts: list[str], options: list[str]) -> None:
    answer = " ".join(parts)
    found = find_choice(answer, options)
    assert found is None or 0 <= found < len(options)
    assert find_choice(answer, options) == found


def _begins(longer: str, shorter: str) -> bool:
    words, fewer = normalise(longer).split(), normalise(shorter).split()
    return words != fewer and words[: len(fewer)] == fewer
