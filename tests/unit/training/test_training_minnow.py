"""minnow's pre-training: its tokenizer, its storyboards, and what they may see."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from goldfish_cli.data.shapes.world import Clip, Event, State
from goldfish_cli.training.minnow.encoder import IGNORED, KINDS, FrameStream, kind_of
from goldfish_cli.training.minnow.language_model import Board
from goldfish_cli.training.minnow.storyboards import (
    PADDING,
    PREFIX,
    StoryboardStream,
    patch_maps,
    with_strange_words,
)
from goldfish_cli.training.minnow.tokenizer import random_name, train_tokenizer

GRID = 8


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(3, num_clips=200)


@pytest.fixture(scope="module")
def stream(tokenizer: PreTrainedTokenizerFast) -> StoryboardStream:
    return StoryboardStream(
        tokenizer, 1, num_frames=6, tokens_per_frame=1, batch_size=3, questions=4, grid=GRID
    )


@given(text=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_in_any_script_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    plain = " ".join(part for part in text.replace("▁", "_").split(" ") if part)
    ids = tokenizer(plain, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True).strip(" ") == plain


def test_frequent_words_are_one_token_and_names_are_spelled(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    assert [count(word) for word in ("red", "square", "moves", "seven")] == [1, 1, 1, 1]
    assert count("xaquilo") > 2


def test_a_question_sees_the_frames_and_itself_only(stream: StoryboardStream) -> None:
    batch = stream.batch(np.random.default_rng(0))
    seen = batch.attention(torch.float32)[:, 0] == 0
    for row, segments in enumerate(batch.segments):
        for place, own in enumerate(segments.tolist()):
            looked_at = set(segments[seen[row, place]].tolist())
            assert looked_at <= ({PADDING} if own == PADDING else {PREFIX, own})
            assert not seen[row, place, place + 1 :].any()


def test_every_question_has_an_answer_to_learn(
    stream: StoryboardStream, tokenizer: PreTrainedTokenizerFast
) -> None:
    batch = stream.batch(np.random.default_rng(1))
    for row, families in enumerate(batch.families):
        for number in range(1, len(families) + 1):
            labels = batch.labels[row][batch.segments[row] == number]
            assert labels[-1] == tokenizer.eos_token_id
            assert (labels != IGNORED).sum() >= 2
    assert (batch.labels[batch.segments == PREFIX] == IGNORED).all()


def test_there_is_a_place_for_each_visual_token(stream: StoryboardStream) -> None:
    batch = stream.batch(np.random.default_rng(2))
    visual = Board(1, 16, GRID)(batch.maps)
    assert len(visual) == int((batch.ids == stream.image_token_id).sum())


def test_a_map_shows_an_object_where_it_is() -> None:
    corner = State(0.9, 0.1, 0.4)
    event = Event("blue", "star", "stays still", 0.0, 2.0, corner, corner)
    clip = Clip((event,), "then", 2.0, 1.0)
    maps = patch_maps(clip, [1.0], GRID, np.random.default_rng(0))[0].unflatten(0, (GRID, GRID))
    strength = maps.abs().sum(-1)
    assert strength[0, GRID - 1] > 0.5
    assert strength[GRID // 2 :].max() < 0.5
    assert maps[0, GRID - 1].argmax() == kind_of("blue", "star")


def test_frames_tell_the_truth_about_their_patches() -> None:
    frames = next(iter(FrameStream(1, size=64, patch=16, batch_size=16)))
    assert frames.pixels.shape == (16, 3, 64, 64)
    assert frames.kinds.max() <= KINDS
    present = frames.codes.unflatten(1, (KINDS, 4))[..., 0]
    for kinds, seen in zip(frames.kinds, present, strict=True):
        under = {int(kind) - 1 for kind in kinds if kind > 0}
        assert under <= set(seen.nonzero().flatten().tolist())


def test_strange_words_leave_the_telling_ones() -> None:
    rng = np.random.default_rng(0)
    asked = [with_strange_words("What does the red circle do?", rng) for _ in range(100)]
    assert all("red circle" in question for question in asked)
    assert len(set(asked)) > 10


def test_made_up_names_are_words() -> None:
    rng = np.random.default_rng(0)
    names = {random_name(rng) for _ in range(200)}
    assert len(names) > 150
    assert all(name.isalpha() and name.islower() for name in names)
