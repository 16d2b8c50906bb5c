"""Captions as MiniGPT4-Video attaches them: small cases of our own, and its own prompts."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldfish_cli.media.cues import Cue
from goldfish_cli.media.reference_alignment import (
    ReferenceVariant,
    clean_text,
    reference_captions,
)

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"
VARIANT_OF_KIND: dict[str, ReferenceVariant] = {
    "short_inference": "inference",
    "goldfish": "goldfish",
    "eval_dataset": "goldfish",
    "train_video_chatgpt": "training",
    "train_cmd": "training",
}


def prompt_cases() -> list[Any]:
    path = FIXTURES / "prompts.json"
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no reference prompts here"))]
    return [pytest.param(case, id=case["name"]) for case in json.loads(path.read_text())["cases"]]


@pytest.mark.parametrize("case", prompt_cases())
def test_frames_and_captions_are_those_of_the_reference_prompt(case: dict[str, Any]) -> None:
    captions = reference_captions(
        [Cue(*cue) for cue in case["cues"] or []],
        case["frame_indices"],
        frame_rate=case["fps"],
        variant=VARIANT_OF_KIND[case["kind"]],
    )
    frames = "".join(
        "<Img><ImageHere>" + (f"<Cap>{caption}" if caption else "") for caption in captions
    )
    assert frames + "\n" in (case.get("instruction") or case["prompt"])
    assert case["prompt"].count("<ImageHere>") == len(captions)
    assert case["prompt"].count("<Cap>") == sum(map(bool, captions))


CUES = [
    Cue(0.0, 1.0, "one two"),
    Cue(0.5, 2.0, "two\nthree"),
    Cue(2.5, 3.0, "one two"),
    Cue(3.5, 4.0, "w"),
]


def test_inference_sees_one_of_overlapping_cues_and_says_a_text_once() -> None:
    captions = reference_captions(CUES, [0, 5, 10, 30, 40], frame_rate=10.0, variant="inference")
    assert captions == ["one two ", "two three ", "", "", "w "]


def test_goldfish_waits_for_the_end_of_a_cue_that_hides_the_next() -> None:
    captions = reference_captions(CUES, [0, 5, 10, 11, 40], frame_rate=10.9, variant="goldfish")
    assert captions == ["one two ", "", "", "two three ", "w "]


def test_training_loses_words_that_are_parts_of_words_said_before() -> None:
    captions = reference_captions(CUES, [0, 5, 10, 30, 40], frame_rate=10.0, variant="training")
    assert captions == ["one two ", "three ", "", "", "w "]


def test_training_loses_letters_of_the_caption_before() -> None:
    cues = [Cue(0.0, 0.9, "we have one"), Cue(1.0, 1.9, "a horse on a hill")]
    captions = reference_captions(cues, [0, 10], frame_rate=10.0, variant="training")
    assert captions == ["we have one ", "horse hill "]


def test_padding_frames_take_no_caption() -> None:
    captions = reference_captions(
        [Cue(0.1, 0.2, "late")], [0, 1, 2, 2, 2], frame_rate=10.0, variant="goldfish"
    )
    assert captions == ["", "late ", "", "", ""]


def test_no_caption_is_begun_beyond_the_word_budget() -> None:
    cues = [Cue(second, second + 0.5, f"word{second} more") for second in range(4)]
    captions = reference_captions(
        cues, [0, 1, 2, 3], frame_rate=1.0, variant="inference", max_words=4
    )
    assert captions == ["word0 more ", "word1 more ", "", ""]


def test_a_rate_below_one_is_refused_where_the_reference_divides_by_zero() -> None:
    with pytest.raises(ValueError, match=r"0\.5 frames a second"):
        reference_captions(CUES, [0], frame_rate=0.5, variant="goldfish")


@pytest.mark.skipif(not (FIXTURES / "text_helpers.json").exists(), reason="no fixtures here")
def test_text_is_cleaned_as_the_reference_cleans_it() -> None:
    pairs = json.loads((FIXTURES / "text_helpers.json").read_text())["clean_text"]
    assert [clean_text(text) for text, _ in pairs] == [cleaned for _, cleaned in pairs]


def test_clean_text_keeps_letters_digits_and_apostrophes() -> None:
    assert clean_text(" Don't\n stop, 2 times! ") == "Don't stop 2 times"
