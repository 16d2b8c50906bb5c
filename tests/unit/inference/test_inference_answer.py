import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ask_parts import hear

from goldfish_cli.backends.base import GenerationSettings, Turn
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import DoesNotFitError, UsageError
from goldfish_cli.inference.answer import answer_question, answer_together
from goldfish_cli.inference.clip import Look, WatchedClip, watch
from goldfish_cli.inference.conversation import Conversation, answer_questions
from goldfish_cli.profiles import Profile

GENERATION = GenerationSettings(max_new_tokens=8)


@pytest.fixture
def clip(model: NativeModel, film: Path, profile: Profile) -> WatchedClip:
    return watch(model, Look(film), profile)


@pytest.fixture
def conversation(model: NativeModel, clip: WatchedClip, profile: Profile) -> Conversation:
    return Conversation(model, clip, profile=profile, settings=GENERATION)


def test_an_answer_holds_the_keys_that_scripts_rely_on(
    model: NativeModel, film: Path, profile: Profile
) -> None:
    (answer,) = answer_questions(model, Look(film), [" What? "], profile=profile)
    record = json.loads(json.dumps(asdict(answer)))
    assert list(record) == [
        "question", "answer", "video", "model", "profile", "frames", "subtitles", "seconds",
        "tokens",
    ]  # fmt: skip
    assert record["question"] == "What?"
    assert record["video"] == str(film)
    assert record["model"] == model.name
    assert record["profile"] == "test"
    assert record["frames"] == [{"time": time} for time in (0.2, 0.7, 1.2, 1.7)]
    assert record["subtitles"] == "clip.srt"
    assert record["seconds"] > 0
    assert record["tokens"]["visual"] == 16
    assert record["tokens"]["prompt"] > 16
    assert 1 <= record["tokens"]["answer"] <= 8


def test_the_pieces_of_a_stream_join_to_the_answer(conversation: Conversation) -> None:
    pieces, answer = hear(conversation.ask("What?"))
    assert "".join(pieces) == answer.answer


def test_questions_are_answered_each_on_its_own(
    model: NativeModel, film: Path, profile: Profile
) -> None:
    both = list(answer_questions(model, Look(film), ["What?", "Who?"], profile=profile))
    (alone,) = answer_questions(model, Look(film), ["Who?"], profile=profile)
    assert both[1].answer == alone.answer
    assert both[1].tokens == alone.tokens


def test_the_first_answer_pays_for_reading_the_video(
    model: NativeModel, profile: Profile, clip: WatchedClip
) -> None:
    hour = 3600.0  # no answer takes as long, however busy the machine
    conversation = Conversation(
        model, replace(clip, seconds=hour), profile=profile, settings=GENERATION
    )
    first, second = (hear(conversation.ask("What?"))[1] for _ in range(2))
    assert first.seconds > hour > second.seconds


def test_a_conversation_remembers_its_turns_until_it_is_reset(
    conversation: Conversation, model: NativeModel
) -> None:
    _, first = hear(conversation.ask("What?"))
    _, second = hear(conversation.ask("And then?"))
    assert conversation.turns[0] == Turn("What?", first.answer)
    assert (second.tokens.prompt or 0) > (first.tokens.prompt or 0)
    conversation.reset()
    _, again = hear(conversation.ask("What?"))
    assert (again.answer, again.tokens) == (first.answer, first.tokens)


def test_a_turn_that_is_broken_off_is_not_remembered(conversation: Conversation) -> None:
    stream = conversation.ask("What?")
    next(stream)
    stream.close()
    assert conversation.turns == ()


def test_every_question_is_checked_before_the_video_is_opened(
    model: NativeModel, profile: Profile
) -> None:
    with pytest.raises(UsageError, match="empty"):
        next(answer_questions(model, Look(Path("gone.mp4")), ["What?", " "], profile=profile))


def test_an_answer_that_was_cut_is_told(
    model: NativeModel, clip: WatchedClip, profile: Profile
) -> None:
    told: list[str] = []
    conversation = Conversation(
        model,
        clip,
        profile=profile,
        settings=GenerationSettings(max_new_tokens=1),
        notify=told.append,
    )
    hear(conversation.ask("What?"))
    assert told == ["The answer was cut after 1 tokens; --max-new-tokens allows more."]


def test_a_question_too_long_leaves_the_conversation_as_it_was(conversation: Conversation) -> None:
    hear(conversation.ask("What?"))
    before = conversation.turns
    with pytest.raises(DoesNotFitError):
        hear(conversation.ask("why " * 2000))
    assert conversation.turns == before


def test_questions_answered_together_are_answered_as_alone(
    model: NativeModel, clip: WatchedClip, profile: Profile
) -> None:
    questions = ["What?", "Who is it?", "And then?"]
    together = answer_together(model, clip, questions, profile=profile, settings=GENERATION)
    alone = [
        hear(answer_question(model, clip, one, profile=profile, settings=GENERATION))[1]
        for one in questions
    ]
    assert [replace(one, seconds=0) for one in together] == [
        replace(one, seconds=0) for one in alone
    ]


def test_a_question_that_leaves_no_room_for_subtitles_is_answered_beside_the_others(
    model: NativeModel, clip: WatchedClip, profile: Profile
) -> None:
    long = "What is it that one sees? " * 6
    tight = profile.model_copy(
        update={"max_context_tokens": model.count_tokens(clip.encoded, [""] * 4, [Turn(long)]) - 1}
    )
    notes: list[str] = []
    answers = answer_together(
        model, clip, [long, "Who?"], profile=tight, settings=GENERATION, notify=notes.append
    )
    assert [answer.question for answer in answers] == [long.strip(), "Who?"]
    assert (answers[0].tokens.prompt or 0) <= tight.max_context_tokens
    unchanged = hear(answer_question(model, clip, "Who?", profile=profile, settings=GENERATION))[1]
    assert answers[1].answer == unchanged.answer
    assert any("Left out to fit" in note for note in notes)


def test_an_empty_question_among_others_is_refused(
    model: NativeModel, clip: WatchedClip, profile: Profile
) -> None:
    with pytest.raises(UsageError, match="empty"):
        answer_together(model, clip, ["What?", " "], profile=profile, settings=GENERATION)
