"""Questions about films, answered: by route, with evidence, or refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from film_parts import FilmFolder
from index_parts import film

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import IndexFolderError
from goldfish_cli.evaluation.films import read_film_items, score, share_right
from goldfish_cli.longvideo.answers import LongAnswer
from goldfish_cli.longvideo.coordinator import Budget, Coordinator
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.cues import Cue
from goldfish_cli.profiles import load_profile

STORY = (
    ("A red circle moves left, then a blue square grows.", ["the code is seven"]),
    ("A green star blinks while a yellow cross stays still.", []),
    ("A red circle grows.", ["her name is anna", "goodbye"]),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IndexStore]:
    """A film of three clips of ten seconds whose clock begins at five."""
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        store.put_film(replace(film(), summary="", chapters=()))
        for number, (summary, said) in enumerate(STORY):
            start = 5.0 + 10 * number
            cues = tuple(Cue(start + 2 + i, start + 3 + i, text) for i, text in enumerate(said))
            store.put_clip("f00dcafe", ClipRecord(number, start, start + 10, summary, cues))
        yield store


def ask(store: IndexStore, question: str) -> LongAnswer:
    return Coordinator(store).answer(question, store.films())


@pytest.mark.parametrize(
    ("question", "answer", "places"),
    [
        ("When does the green star blink?", "At 0:10-0:20.", [(15, 25)]),
        ("When does the blue square grow?", "At 0:05-0:10.", [(10, 15)]),
        ("When does the red circle appear?", "At 0:00-0:05 and 0:20-0:30.", [(5, 10), (25, 35)]),
        ("When does the red circle last appear?", "At 0:20-0:30.", [(25, 35)]),
        ("How many times does a red circle appear?", "Two times.", [(5, 10), (25, 35)]),
        ("How often does a red circle grow?", "One time.", [(25, 35)]),
        ("What happens first?", "A red circle moves left.", [(5, 10)]),
        ("What happens last?", "A red circle grows.", [(25, 35)]),
        (
            "What happens after the red circle moves left?",
            "A blue square grows.",
            [(10, 15), (5, 10)],
        ),
        (
            "What happens right after the blue square grows?",
            "A green star blinks while a yellow cross stays still.",
            [(15, 25), (15, 25), (10, 15)],
        ),
        (
            "What happens before the green star blinks?",
            "A blue square grows.",
            [(10, 15), (15, 25)],
        ),
        ("What is said at 0:02?", "the code is seven", [(7, 8)]),
        ("What is said after 'her name is anna'?", "goodbye", [(28, 29)]),
        ("What is said when the red circle moves left?", "the code is seven", [(7, 8), (5, 10)]),
        ("What happens between 0:06 and 0:09?", "A blue square grows.", [(10, 15)]),
        ("What is the first thing said?", "the code is seven", [(7, 8)]),
        ("Is there a green star?", "Yes.", [(15, 25)]),
        ("When does someone say 'goodbye'?", "At 0:23-0:24.", [(28, 29)]),
        ('How many times does anyone say "code is seven"?', "One time.", [(7, 8)]),
        ("What is the last line of dialogue?", "goodbye", [(28, 29)]),
        ("What is said in the last 10 seconds?", "her name is anna goodbye", [(27, 28), (28, 29)]),
        ("What happens in the first 4 seconds?", "A red circle moves left.", [(5, 10)]),
        ("What is said at 0m02s?", "the code is seven", [(7, 8)]),
        (
            "Does the blue square appear before the green star?",
            "Yes.",
            [(10, 15), (15, 25)],
        ),
        (
            "Does the blue square grow after the green star blinks?",
            "No.",
            [(10, 15), (15, 25)],
        ),
        (
            "Which appears first, the green star or the blue square?",
            "A blue square grows.",
            [(15, 25), (10, 15)],
        ),
        (
            "What happens between the blue square and the red circle?",
            "A green star blinks while a yellow cross stays still.",
            [(15, 25), (15, 25), (10, 15), (25, 35)],
        ),
        (
            "What happens after the red circle moves left and before the green star blinks?",
            "A blue square grows.",
            [(10, 15), (5, 10), (15, 25)],
        ),
        (
            "What happens between the red circle and the blue square?",
            "Nothing comes between them.",
            [(5, 10), (10, 15)],
        ),
        (
            "Do the green star and the yellow cross appear together?",
            "Yes.",
            [(15, 25), (15, 25)],
        ),
        (
            "Does the green star appear at the same time as the red circle?",
            "No.",
            [(15, 25), (5, 10)],
        ),
        (
            "When do the green star and the yellow cross appear together?",
            "At 0:10-0:20.",
            [(15, 25), (15, 25)],
        ),
        (
            "What happens at the same time as the green star?",
            "A yellow cross stays still.",
            [(15, 25), (15, 25)],
        ),
        ("What is the second thing that happens?", "A blue square grows.", [(10, 15)]),
        (
            "What are the first two things that happen?",
            "A red circle moves left. A blue square grows.",
            [(5, 10), (10, 15)],
        ),
        ("What is the second line of dialogue?", "her name is anna", [(27, 28)]),
        ("When does the red circle appear for the second time?", "At 0:20-0:30.", [(25, 35)]),
        (
            "What happens before the second time the red circle appears?",
            "A green star blinks while a yellow cross stays still.",
            [(15, 25), (15, 25), (25, 35)],
        ),
        (
            "How many things appear in the first six seconds?",
            "Two things.",
            [(5, 10), (10, 15)],
        ),
        (
            "How many different objects are there?",
            "Four things.",
            [(5, 10), (10, 15), (15, 25), (15, 25), (25, 35)],
        ),
        (
            "How many events happen between 0:01 and 0:12?",
            "Four events.",
            [(5, 10), (10, 15), (15, 25), (15, 25)],
        ),
        (
            "What happens three seconds before the green star blinks?",
            "A blue square grows.",
            [(10, 15), (15, 25)],
        ),
        ("What happens six seconds in?", "A blue square grows.", [(10, 15)]),
        (
            "What is said in the last third of the film?",
            "her name is anna goodbye",
            [(27, 28), (28, 29)],
        ),
        ("What happens two seconds before the end?", "A red circle grows.", [(25, 35)]),
    ],
)
def test_an_answer_and_the_places_that_bear_it_out(
    store: IndexStore, question: str, answer: str, places: list[tuple[float, float]]
) -> None:
    found = ask(store, question)
    assert found.answer == answer
    assert [(one.start, one.end) for one in found.citations] == places
    assert all(one.supported for one in found.citations)
    assert found.is_supported
    assert found.coverage == 1.0


@pytest.mark.parametrize(
    "question",
    [
        "When does the purple star appear?",
        "When does the green circle appear?",  # both words are known, but not together
        "How many times does a white cross appear?",
        "What happens after the purple star grows?",
        "Is there a unicorn?",
        "What does the purple triangle do?",
        "Do the red circle and the purple star appear together?",
        "What happens between the red circle and the purple star?",
        "When does the red circle appear for the third time?",
        "How many seconds does the red circle blink?",
        "What happens at half past nine?",
    ],
)
def test_what_is_not_in_the_film_is_refused(store: IndexStore, question: str) -> None:
    found = ask(store, question)
    assert "not in the film" in found.answer
    assert not found.is_supported


def test_all_that_is_said_is_listed(store: IndexStore) -> None:
    found = ask(store, "What is said?")
    assert [line.split(" ", 1)[1] for line in found.answer.splitlines()] == [
        "the code is seven",
        "her name is anna",
        "goodbye",
    ]


def test_what_is_not_so_is_not_borne_out_by_what_is(store: IndexStore) -> None:
    assert not ask(store, "When does the green star not blink?").is_supported


def test_a_part_of_a_film_is_no_ground_to_say_that_it_is_not_in_all(store: IndexStore) -> None:
    store.drop_clips_from("f00dcafe", 1)
    found = ask(store, "When does the green star blink?")
    assert "nothing in the 33% of cat.mp4 indexed so far" in found.answer


def test_nothing_comes_after_the_end_nor_at_a_time_beyond_it(store: IndexStore) -> None:
    assert "at the end" in ask(store, "What happens after the red circle grows?").answer
    assert ask(store, "What happens at 5:00?").answer == "Not in the film, which ends at 0:30."
    later = ask(store, "What happens ten minutes after the red circle grows?")
    assert later.answer == "Not in the film, which ends at 0:30."
    sooner = ask(store, "What happens a minute before the green star blinks?")
    assert "before the film begins" in sooner.answer


def test_a_part_of_an_index_says_how_much_it_covers(store: IndexStore) -> None:
    store.drop_clips_from("f00dcafe", 2)
    found = ask(store, "When does the green star blink?")
    assert found.coverage == pytest.approx(2 / 3, abs=0.001)


def test_without_its_clip_an_answer_changes(store: IndexStore) -> None:
    before = ask(store, "When does the green star blink?")
    store.put_clip("f00dcafe", ClipRecord(1, 15.0, 25.0))
    after = ask(store, "When does the green star blink?")
    assert before.is_supported
    assert not after.is_supported


def test_several_films_answer_each_for_itself(store: IndexStore) -> None:
    store.put_film(replace(film("beef", name="dog.mp4", clips=1), chapters=(), summary=""))
    store.put_clip("beef", ClipRecord(0, 5.0, 15.0, "A green star blinks."))
    found = ask(store, "When does the green star blink?")
    assert found.answer == "cat.mp4: At 0:10-0:20.\ndog.mp4: At 0:00-0:10."
    assert {Path(one.video).name for one in found.citations} == {"cat.mp4", "dog.mp4"}
    only = ask(store, "When does the yellow cross appear?")
    assert only.answer == "cat.mp4: At 0:10-0:20."
    neither = ask(store, "When does the white cross appear?")
    assert "not in the films" in neither.answer


def test_an_empty_index_is_no_ground_for_answers(store: IndexStore) -> None:
    store.remove_film("f00dcafe")
    with pytest.raises(IndexFolderError, match="no film"):
        ask(store, "What happens?")


def test_every_step_is_told(store: IndexStore) -> None:
    steps = [step.state for step in ask(store, "When does the green star blink?").steps]
    assert steps == ["route", "scan", "verify"]


def test_the_model_looks_again_and_what_it_says_is_checked(
    film_folder: FilmFolder, minnow: NativeModel, reader: IndexStore
) -> None:
    looker = Looker(lambda: minnow, load_profile("cpu", threads=1))
    (film,) = reader.films()
    told = {clip.number: clip.summary for clip in reader.clips(film.id)}
    events = [event for clip in film_folder.truth["clips"] for event in clip["events"]]
    names = [f"{event['colour']} {event['shape']}" for event in events]
    name = next(
        name for name in names if sum(name in summary for summary in told.values()) == 1
    )  # told of in one clip
    found = Coordinator(reader, looker, budget=Budget(clips=1)).answer(
        f"What does the {name} do?", [film]
    )
    assert "look" in [step.state for step in found.steps]
    cited = next(clip for clip in reader.clips(film.id) if name in clip.summary)
    assert all(cited.start <= one.start < one.end <= cited.end for one in found.citations)
    assert any(name in one.text.lower() for one in found.citations)


def test_a_rare_thing_is_confirmed_in_the_words_of_the_film(
    film_folder: FilmFolder, minnow: NativeModel, reader: IndexStore
) -> None:
    looker = Looker(lambda: minnow, load_profile("cpu", threads=1))
    (film,) = reader.films()
    event = film_folder.truth["clips"][0]["events"][0]
    name = f"{event['colour']} {event['shape']}"
    found = Coordinator(reader, looker, budget=Budget(clips=50)).answer(
        f"Count the {name}{'es' if name.endswith('s') else 's'}.", [film]
    )
    (check,) = [step.detail for step in found.steps if step.state == "check"]
    assert check.startswith(f"{name}: ")


def test_a_budget_of_no_clips_answers_from_the_index_alone(
    minnow: NativeModel, reader: IndexStore
) -> None:
    def load() -> NativeModel:
        raise AssertionError("no model is needed")

    looker = Looker(load, load_profile("cpu", threads=1))
    coordinator = Coordinator(reader, looker, budget=Budget(clips=0))
    coordinator.answer("What does the red circle do?", reader.films())


def test_a_film_that_is_away_is_not_looked_at(
    minnow: NativeModel, store: IndexStore, tmp_path: Path
) -> None:
    (gone,) = store.films()
    store.put_film(replace(gone, settings={**gone.settings, "frames": 32}))
    heard: list[str] = []
    looker = Looker(lambda: minnow, load_profile("cpu", threads=1), heard.append)
    found = Coordinator(store, looker).answer("What colour is the square?", store.films())
    assert heard == ["cat.mp4 is not where it was indexed; answering from the index alone."]
    assert "A blue square grows." in found.answer


def test_most_questions_about_a_film_of_shapes_world_are_answered_right(
    film_folder: FilmFolder, minnow: NativeModel, reader: IndexStore
) -> None:
    looker = Looker(lambda: minnow, load_profile("cpu", threads=1))
    coordinator = Coordinator(reader, looker)
    films = reader.films()
    scores = []
    for item in read_film_items(film_folder.folder):
        found = coordinator.answer(item.question, films)
        cited = [(one.start, one.end) for one in found.citations if one.supported]
        scores.append(score(item, found.answer, cited))
    right = share_right(scores)
    assert right["absent"][0] >= 0.8
    assert right["narration"][0] >= 0.8
    assert sum(one.right for one in scores) >= 0.6 * len(scores)
