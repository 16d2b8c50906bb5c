"""minnow's pre-training: its tokenizer, its storyboards, and what they may see."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from goldfish_cli.data.shapes.world import Clip, Event, State
from goldfish_cli.training.minnow.contents import (
    FRAME_NUMBERS,
    IGNORED,
    TRAITS,
    frame_numbers,
    kind_of,
    split_objects,
)
from goldfish_cli.training.minnow.encoder import FrameStream
from goldfish_cli.training.minnow.language_model import Board, storyboard_logits
from goldfish_cli.training.minnow.storyboards import (
    PADDING,
    PREFIX,
    StoryboardStream,
    clip_numbers,
    frame_actions,
    keywords,
    with_strange_words,
)
from goldfish_cli.training.minnow.tokenizer import random_name, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(3, num_clips=200)


@pytest.fixture(scope="module")
def stream(tokenizer: PreTrainedTokenizerFast) -> StoryboardStream:
    return StoryboardStream(tokenizer, 1, num_frames=6, batch_size=3, questions=4)


@given(text=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_in_any_script_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    plain = " ".join(part for part in text.replace("▁", "_").split(" ") if part)
    assume(not any(marker in plain for marker in tokenizer.all_special_tokens))
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
    visual = Board(16)(batch.numbers)
    assert len(visual) == len(batch.actions) == int((batch.ids == stream.image_token_id).sum())


def still(colour: str, shape: str, state: State, end: float = 2.0) -> Event:
    return Event(colour, shape, "stays still", 0.0, end, state, state)


def test_numbers_state_both_objects_by_kind_and_where_they_are() -> None:
    star, circle = State(0.9, 0.1, 0.4), State(0.25, 0.5, 0.25)
    events = (still("blue", "star", star), still("red", "circle", circle))
    clip = Clip(events, "while", 2.0, 1.0)
    numbers = clip_numbers(clip, [1.0], np.random.default_rng(1))[0]
    first, last = split_objects(numbers)
    kinds = [5 * int(part[:6].argmax()) + int(part[6:TRAITS].argmax()) for part in (first, last)]
    assert kinds == [kind_of("red", "circle"), kind_of("blue", "star")]
    assert first[TRAITS:].tolist() == pytest.approx([-0.5, 0.0, 0.0], abs=0.2)
    assert last[TRAITS:].tolist() == pytest.approx([0.8, -0.8, 0.6], abs=0.2)


def test_a_single_object_is_told_twice_and_an_empty_frame_is_nothing() -> None:
    numbers = frame_numbers([(7, State(0.5, 0.5, 0.25))])
    first, last = split_objects(numbers)
    assert torch.equal(first, last)
    assert numbers[:2].tolist() == [1.0, 0.0]
    assert not frame_numbers([]).any()


def test_each_frame_is_asked_what_its_objects_are_doing() -> None:
    here, there = State(0.2, 0.5, 0.2), State(0.8, 0.5, 0.2)
    events = (
        Event("red", "star", "moves right", 0.0, 2.0, here, there),
        still("green", "circle", State(0.5, 0.9, 0.2), end=1.0),
    )
    doing = frame_actions(Clip(events, "while", 3.0, 1.0), [0.5, 1.5, 2.5])
    assert doing.tolist() == [[1, 7], [1, 1], [IGNORED, IGNORED]]


def test_frames_tell_the_truth_about_their_patches() -> None:
    frames = next(iter(FrameStream(1, size=64, patch=16, batch_size=16)))
    assert frames.pixels.shape == (16, 3, 64, 64)
    assert frames.numbers.shape == (16, FRAME_NUMBERS)
    for kinds, numbers in zip(frames.kinds, frames.numbers, strict=True):
        told = {
            int(part[:6].argmax()) * 5 + int(part[6:TRAITS].argmax())
            for part in split_objects(numbers)
            if numbers[0]
        }
        assert {int(kind) - 1 for kind in kinds if kind > 0} <= told


def test_a_tiny_model_learns_from_a_storyboard(
    stream: StoryboardStream, tokenizer: PreTrainedTokenizerFast
) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        attn_implementation="eager",
    )
    model, board = LlamaForCausalLM(config), Board(32)
    batch = stream.batch(np.random.default_rng(4))
    optimizer = torch.optim.Adam([*model.parameters(), *board.parameters()], lr=3e-3)
    losses = []
    for _ in range(12):
        logits, targets, watching = storyboard_logits(model, board, batch, stream.image_token_id)
        loss = torch.nn.functional.cross_entropy(logits, targets) + watching
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append((float(loss.detach()), float(watching.detach())))
    assert all(parameter.grad is not None for parameter in board.parameters())
    assert losses[-1][0] < 0.8 * losses[0][0]
    assert losses[-1][1] < losses[0][1]


def test_single_words_ask_only_for_what_they_single_out() -> None:
    here, there = State(0.2, 0.5, 0.2), State(0.8, 0.5, 0.2)
    events = (
        Event("red", "star", "moves right", 0.0, 1.0, here, there),
        still("red", "circle", State(0.5, 0.9, 0.2)),
    )
    asked = keywords(Clip(events, "then", 3.0, 1.0), np.random.default_rng(0), 100)
    answers = {item.question: item.answer for item in asked}
    assert answers == {
        "star?": "red, moves right",
        "moves right?": "red star",
        "red star?": "moves right",
        "circle?": "red, stays still",
        "stays still?": "red circle",
        "red circle?": "stays still",
        "after red star?": "red circle stays still",
        "before red circle?": "red star moves right",
    }


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
