from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.backends.base import GenerationSettings, Turn
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import DoesNotFitError
from goldfish_cli.inference.clip import Look, WatchedClip, watch
from goldfish_cli.inference.context import fit_prompt
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.profiles import Profile

GENERATION = GenerationSettings(max_new_tokens=8)
QUESTION = (Turn("What?"),)
TALK = (Turn("Who?" * 10, "Anna." * 10), Turn("Where?" * 5, "Here." * 5), Turn("What?"))


@pytest.fixture(scope="session")
def clip(model: NativeModel, film: Path, profile: Profile) -> WatchedClip:
    return watch(model, Look(film, num_frames=4), profile)


def fit(
    model: NativeModel,
    clip: WatchedClip,
    turns: tuple[Turn, ...] = QUESTION,
    *,
    context: int = 4096,
    words: int = 400,
    exact: bool = False,
) -> tuple[tuple[float, ...], list[str], int, list[str]]:
    """Return the times, the captions that are not empty, the number of turns and the notes."""
    told: list[str] = []
    if not exact:
        clip = replace(clip, look=replace(clip.look, num_frames=None))
    profile = Profile(name="fit", max_context_tokens=context, subtitle_words=words)
    prompt = fit_prompt(
        model, clip, turns, profile=profile, settings=GENERATION, notify=told.append
    )
    assert model.count_tokens(prompt.video, prompt.captions, prompt.turns) <= min(context, 2040)
    assert len(prompt.captions) == len(prompt.video.times)
    assert prompt.turns[-1] == turns[-1]
    said = [caption for caption in prompt.captions if caption]
    return prompt.video.times, said, len(prompt.turns), told


def length(model: NativeModel, clip: WatchedClip, turns: tuple[Turn, ...] = QUESTION) -> int:
    captions = ["the code is seven", "", "her name is anna", ""]
    return model.count_tokens(clip.encoded, captions, turns)


def test_what_fits_is_left_whole(model: NativeModel, clip: WatchedClip) -> None:
    exactly = length(model, clip, TALK)
    times, said, num_turns, told = fit(model, clip, TALK, context=exactly)
    assert (len(times), len(said), num_turns, told) == (4, 2, 3, [])


def test_the_oldest_turns_go_first(model: NativeModel, clip: WatchedClip) -> None:
    times, said, num_turns, told = fit(model, clip, TALK, context=length(model, clip, TALK) - 1)
    assert (len(times), len(said), num_turns) == (4, 2, 2)
    assert "conversation" in told[0]


def test_then_subtitles(model: NativeModel, clip: WatchedClip) -> None:
    times, said, _, told = fit(model, clip, context=length(model, clip) - 1)
    assert len(times) == 4
    assert said == ["her name is anna"]
    assert "the subtitles of 1 of 2 frames" in told[0]


def test_then_frames(model: NativeModel, clip: WatchedClip) -> None:
    bare = model.count_tokens(clip.encoded.select([0]), [""], QUESTION)
    times, _, _, told = fit(model, clip, context=bare + 1)
    assert len(times) == 1
    assert "3 of 4 frames" in told[0]


def test_frames_that_were_asked_for_are_never_left_out(
    model: NativeModel, clip: WatchedClip
) -> None:
    silent = model.count_tokens(clip.encoded, [""] * 4, QUESTION)
    times, said, _, _ = fit(model, clip, context=silent, exact=True)
    assert (len(times), said) == (4, [])
    with pytest.raises(DoesNotFitError, match=f"take {silent} tokens") as caught:
        fit(model, clip, context=silent - 1, exact=True)
    assert "--frames 3" in caught.value.hint


def test_a_question_that_is_too_long_is_refused(model: NativeModel, clip: WatchedClip) -> None:
    with pytest.raises(DoesNotFitError) as caught:
        fit(model, clip, (Turn("why? " * 1000),))
    assert "shorter question" in caught.value.hint
    assert caught.value.exit_code == 4


def test_words_beyond_the_profiles_budget_are_told(model: NativeModel, clip: WatchedClip) -> None:
    _, said, _, told = fit(model, clip, words=4)
    assert len(said) == 1
    assert told == ["Of the subtitles' 8 words 4 are used; the profile allows 4."]


def test_only_what_is_said_during_the_look_is_used(model: NativeModel, clip: WatchedClip) -> None:
    late = replace(clip, look=replace(clip.look, start=1.0))
    assert fit(model, late)[1] == ["her name is anna"]


@settings(max_examples=30, deadline=None)
@given(context=st.integers(10, 250), num_cues=st.integers(0, 12))
def test_a_prompt_fits_or_is_refused(
    model: NativeModel, clip: WatchedClip, context: int, num_cues: int
) -> None:
    cues = tuple(Cue(i / 6, i / 6 + 0.1, f"word {i}" * (i + 1)) for i in range(num_cues))
    clip = replace(clip, subtitles=Subtitles(cues, "test"))
    try:
        times, _, _, told = fit(model, clip, TALK, context=context)
    except DoesNotFitError as error:
        assert f"room for {context}" in str(error)
    else:
        assert 1 <= len(times) <= 4
        assert told or model.count_tokens(clip.encoded, [""] * 4, TALK) <= context
