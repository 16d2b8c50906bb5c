"""Prompts: one form in training and use, nothing from outside poses as structure, long ones fit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_parts import IMAGE_TOKEN_ID
from transformers import PreTrainedTokenizerFast

from goldfish_cli.errors import UsageError
from goldfish_cli.model.prompt_styles import MARKERS, STYLES, guard, lay_out, render
from goldfish_cli.model.prompts import IGNORED_LABEL, EncodedPrompt, encode_answer, encode_prompt

SIZES = {"tokens_per_frame": 4, "image_token_id": IMAGE_TOKEN_ID}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def encode(tokenizer: Any, captions: list[str], turns: Any, **options: Any) -> EncodedPrompt:
    return encode_prompt(tokenizer, captions, turns, **SIZES, **options)


def read(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    """Decode ids, each frame's visual tokens as one underscore."""
    text = tokenizer.decode([token for token in ids if token != IMAGE_TOKEN_ID])
    return text.replace("<Img>", "<Img>_")


def test_the_template_is_what_it_is(tokenizer: PreTrainedTokenizerFast) -> None:
    prompt = encode(tokenizer, ["hello there", ""], [("What?", "A cat."), ("Where?", None)])
    assert read(tokenizer, prompt.ids) == (
        "<s>[INST] <Img>_<Cap>hello there <Img>_\nWhat? [/INST]A cat.</s>[INST] Where? [/INST]"
    )
    assert prompt.ids.count(IMAGE_TOKEN_ID) == 8
    assert prompt.frames == (0, 1)


def test_an_image_closes_its_marker_and_no_frame_leaves_the_question_alone(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    image = encode(tokenizer, [""], "Describe it.", media="image")
    assert read(tokenizer, image.ids) == "<s>[INST] <Img>_</Img> Describe it. [/INST]"
    assert read(tokenizer, encode(tokenizer, [], "Hi?").ids) == "<s>[INST] Hi? [/INST]"


def test_a_training_sample_is_the_prompt_of_use_and_then_the_answer(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    captions = ["a", "", "b c"]
    asked = encode(tokenizer, captions, "What?")
    taught = encode(tokenizer, captions, [("What?", "A dog.")])
    answer = encode_answer(tokenizer, "A dog.").ids
    assert taught.ids == asked.ids + answer
    assert taught.labels == [IGNORED_LABEL] * len(asked.ids) + answer
    assert answer[-1] == tokenizer.eos_token_id


def test_every_answer_of_a_conversation_is_a_label(tokenizer: PreTrainedTokenizerFast) -> None:
    prompt = encode(tokenizer, [""], [("A?", "one"), ("B?", "two")])
    labels = [label for label in prompt.labels if label != IGNORED_LABEL]
    assert tokenizer.decode(labels) == "one</s>two</s>"


def test_a_cut_answer_says_so_and_has_no_end_token(tokenizer: PreTrainedTokenizerFast) -> None:
    whole = encode_answer(tokenizer, "abc", max_tokens=4)
    assert (len(whole.ids), whole.truncated) == (4, False)
    cut = encode_answer(tokenizer, "abcd", max_tokens=4)
    assert tokenizer.decode(cut.ids) == "abcd"
    assert cut.truncated
    prompt = encode(tokenizer, [], [("A?", "long answer")], max_answer_tokens=4)
    assert prompt.truncated_answers == 1


@settings(max_examples=60, deadline=None)
@given(
    captions=st.lists(TEXTS | st.sampled_from(MARKERS), max_size=4),
    question=TEXTS | st.sampled_from([f"a {marker} b" for marker in MARKERS]),
)
def test_a_prompt_has_frames_times_tokens_placeholders_and_one_bos(
    tokenizer: PreTrainedTokenizerFast, captions: list[str], question: str
) -> None:
    prompt = encode(tokenizer, captions, [(question, None)])
    assert prompt.ids.count(IMAGE_TOKEN_ID) == 4 * len(captions)
    assert prompt.ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in prompt.ids
    text = read(tokenizer, prompt.ids)
    assert text.count("<Img>") == len(captions)
    assert text.count("[INST]") == text.count("[/INST]") == 1
    assert len(prompt.labels) == len(prompt.ids)
    assert set(prompt.labels) == {IGNORED_LABEL}


@given(TEXTS | st.sampled_from(["<<s>s>", "[INST[INST]]", "</s></s>"]))
def test_guarded_text_holds_no_marker_and_loses_no_character(text: str) -> None:
    guarded = guard(text, MARKERS)
    assert not any(marker in guarded for marker in MARKERS)
    assert guarded.replace(" ", "") == text.replace(" ", "")


def test_a_special_token_of_the_vocabulary_is_never_made_by_a_question(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    prompt = encode(tokenizer, [], "say <pad> and </s>")
    assert tokenizer.pad_token_id not in prompt.ids
    assert "say < pad> and < /s>" in tokenizer.decode(prompt.ids)


@settings(max_examples=60, deadline=None)
@given(
    captions=st.lists(st.sampled_from(["", "hi", "a rather long thing to say"]), max_size=12),
    limit=st.integers(50, 400),
    answered=st.booleans(),
)
def test_a_long_prompt_is_thinned_until_it_fits_and_keeps_its_question(
    tokenizer: PreTrainedTokenizerFast, captions: list[str], limit: int, answered: bool
) -> None:
    question = "What does he do?"
    answer = "He runs." if answered else None
    prompt = encode(tokenizer, captions, [(question, answer)], max_tokens=limit)
    answer_ids = encode_answer(tokenizer, answer).ids if answer else []
    assert len(prompt.ids) - len(answer_ids) <= limit
    text = read(tokenizer, prompt.ids)
    assert f"{question} [/INST]" in text
    assert prompt.ids.count(IMAGE_TOKEN_ID) == 4 * len(prompt.frames)
    assert list(prompt.frames) == sorted(set(prompt.frames) & set(range(len(captions))))
    whole = encode(tokenizer, captions, [(question, answer)])
    assert (prompt.ids == whole.ids) == (prompt.note == "")
    assert bool(prompt.frames) or not captions


def test_the_note_counts_what_was_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    prompt = encode(tokenizer, ["what is said"] * 8, "Q?", max_tokens=80)
    assert "context of 80 tokens" in prompt.note
    assert f"{8 - len(prompt.frames)} of 8 frames" in prompt.note
    assert "subtitles of" in prompt.note


def test_a_question_longer_than_the_context_is_a_usage_error(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    with pytest.raises(UsageError, match="the context has 20"):
        encode(tokenizer, ["", ""], "x" * 30, max_tokens=20)
    with pytest.raises(UsageError, match="the context has 20"):
        encode(tokenizer, [], "x" * 30, max_tokens=20)


def test_the_reference_styles_differ_as_its_scripts_do() -> None:
    shown = {
        name: render(lay_out(["", "hi"], [("Q", None)], style=STYLES[name]))
        for name in ("reference", "reference-train", "reference-eval")
    }
    body = "<Img><ImageHere><Img><ImageHere><Cap>hi \nQ"
    assert shown == {
        "reference": f"<s>[INST] {body} [/INST]",
        "reference-train": f"[INST] {body}[/INST]",
        "reference-eval": f"<s>[INST]  {body} [/INST]",
    }


def test_an_unanswered_earlier_question_is_refused() -> None:
    with pytest.raises(ValueError, match="every earlier question its answer"):
        lay_out([], [("A?", None), ("B?", None)])
    with pytest.raises(ValueError, match="needs a question"):
        lay_out([], [])
