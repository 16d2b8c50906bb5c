"""Questions, read: which way they are answered, about what, and at which times."""

import pytest

from goldfish_cli.longvideo.question import read_question


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("What happens at 12:30?", "time"),
        ("What is said between 5 and 6 minutes?", "time"),
        ("What can be seen in minute 3?", "time"),
        ("When does the green star appear?", "when"),
        ("At what time does the dog bark?", "when"),
        ("Where in the film is the bridge shown?", "when"),
        ("What happens after the red circle grows?", "order"),
        ("What is shown right before the explosion?", "order"),
        ("What happens first?", "order"),
        ("What is the last thing said?", "order"),
        ("How many times does a car appear?", "count"),
        ("How often is Rome mentioned?", "count"),
        ("List all the scenes with a horse.", "list"),
        ("Every time the bell rings", "list"),
        ("What is the film about?", "whole"),
        ("Summarize the video.", "whole"),
        ("What happens?", "whole"),
        ("What colour is the square?", "fact"),
        ("Who opens the door?", "fact"),
        ("Is there a unicorn?", "fact"),
        ("What is said when the star grows?", "fact"),
        ("Wann erscheint der Stern?", "fact"),
        ("What happens between the storm and the fire?", "order"),
        ("What happens after the storm and before the fire?", "order"),
        ("What is the second thing that happens?", "order"),
        ("What are the first three things that happen?", "order"),
        ("What happens ten seconds after the storm?", "order"),
        ("When does the horse appear for the third time?", "when"),
        ("How many things appear in the first 20 seconds?", "count"),
        ("How many events happen?", "count"),
        ("What happens in the second half of the film?", "time"),
        ("What happens two minutes before the end?", "time"),
        ("What is the difference between the storm and the fire?", "fact"),
        ("How many seconds does the storm last?", "fact"),
        ("How many colours are there?", "fact"),
    ],
)
def test_a_question_takes_the_route_that_its_words_name(text: str, route: str) -> None:
    assert read_question(text).route == route


def test_what_it_is_about_is_kept_as_written_and_as_stems() -> None:
    question = read_question("When do the green stars move left?")
    assert question.names == ("green stars move left",)
    assert question.phrases == (("green", "star", "move", "left"),)


@pytest.mark.parametrize(
    "text",
    [
        "Count the red squares in the film.",
        "What is the timestamp of the red squares?",
        "At which moment do the red squares show up?",
        "How often are the red squares on screen?",
        "Name every place where the red squares can be seen.",
    ],
)
def test_words_by_which_people_ask_are_not_what_they_ask_about(text: str) -> None:
    assert read_question(text).names == ("red squares",)


def test_an_order_is_about_what_happens_before_or_after() -> None:
    question = read_question("What happens right after the red circle grows?")
    assert (question.order, question.names) == ("after", ("red circle grows",))
    assert read_question("What precedes the storm?").order == "before"


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("What happens at 12:30?", (750.0,)),
        ("What happens at 1:02:03?", (3723.0,)),
        ("What is said between 5 and 6 minutes?", (300.0, 360.0)),
        ("What is said from 90 seconds to 2 minutes?", (90.0, 120.0)),
        ("What happens in minute 3?", (180.0, 240.0)),
        ("What happens 1 hour and 5 minutes in?", (3900.0,)),
        ("Who has 3 dogs?", ()),
    ],
)
def test_times_are_read_as_people_write_them(text: str, times: tuple[float, ...]) -> None:
    assert read_question(text).times == times


def test_a_question_for_a_clip_says_no_time_of_the_film() -> None:
    question = read_question("At 12:30, what colour is the square?")
    assert question.without_times.strip(" ,") == "what colour is the square?"


def test_questions_for_speech_are_known() -> None:
    assert read_question("What does the narrator say at 2:10?").about_speech
    assert not read_question("What happens at 2:10?").about_speech


def test_two_things_are_asked_about_at_one_time_or_one_between_others() -> None:
    together = read_question("Do the red circle and the blue square appear together?")
    assert together.is_together
    assert together.names == ("red circle", "blue square")
    assert read_question("When does the dog bark at the same time as the bell?").is_together
    between = read_question("What happens between the red circle and the blue square?")
    assert (between.order, between.names) == ("between", ("red circle", "blue square"))
    unclear = read_question("What happens between the first and the second storm?")
    assert (unclear.route, unclear.order, unclear.about_events) == ("fact", None, False)


@pytest.mark.parametrize(
    ("text", "order", "rank", "many"),
    [
        ("What is the second thing that happens?", "first", 2, 1),
        ("What is the 3rd event?", "first", 3, 1),
        ("What is the second to last line?", "last", 2, 1),
        ("What is the penultimate scene?", "last", 2, 1),
        ("What happens second?", "first", 2, 1),
        ("What are the last two things that happen?", "last", 1, 2),
        ("When is the second time that the dog barks?", "first", 2, 1),
        ("What happens after the second time the dog barks?", "after", 2, 1),
        ("What happens first?", "first", 1, 1),
        ("Who is the second man?", None, 1, 1),
    ],
)
def test_ranks_and_how_many_are_read(text: str, order: str | None, rank: int, many: int) -> None:
    question = read_question(text)
    assert (question.order, question.rank, question.many) == (order, rank, many)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("What happens in the second half of the film?", (0.5, 1.0)),
        ("What is said in the last third?", (2 / 3, 1.0)),
        ("What happens in the middle of the film?", (0.5, 0.5)),
        ("What happens halfway through?", (0.5, 0.5)),
        ("Who eats half of the cake?", None),
    ],
)
def test_a_part_of_the_film_is_read_as_its_share(
    text: str, share: tuple[float, float] | None
) -> None:
    found = read_question(text).share
    assert found == (share if share is None else pytest.approx(share))


def test_so_long_after_something_is_no_time_of_the_film() -> None:
    question = read_question("What happens 5 seconds before the dog barks?")
    assert (question.offset, question.times, question.order) == (-5.0, (), "before")
