"""What judges are asked: built-in prompts, and those of a user's file."""

from pathlib import Path
from typing import get_args

import pytest

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.items import Dimension
from goldfish_cli.evaluation.judges.prompts import (
    PLACEHOLDERS,
    PromptTemplate,
    prompt_hash,
    read_prompt_file,
)
from goldfish_cli.evaluation.judges.protocol import PROMPTS

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
OWN = """
system: You judge.
user: |
  {question} {answer} {prediction}
  Reply with {"pred": "yes", "score": 5}.
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "prompt.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_dimension_has_a_prompt_that_a_file_could_hold(tmp_path: Path) -> None:
    import yaml

    assert set(PROMPTS) == set(get_args(Dimension))
    content = {name: {"system": p.system, "user": p.user} for name, p in PROMPTS.items()}
    assert read_prompt_file(write(tmp_path, yaml.safe_dump(content))) == PROMPTS


def test_prompts_hold_both_answers_only_for_consistency() -> None:
    for dimension, prompt in PROMPTS.items():
        text = "".join(message["content"] for message in prompt.fill(VALUES))
        assert "<prediction>" in text and "<answer>" in text and "<question>" in text
        assert ("<prediction2>" in text) is (dimension == "consistency")
        assert "JSON" in text  # servers refuse json_object without the word


def test_a_placeholder_inside_an_answer_stays_text() -> None:
    prompt = PromptTemplate("", "{answer}|{prediction}|{other}")
    filled = prompt.fill({"answer": "{prediction}", "prediction": "{answer}"})
    assert filled == [{"role": "user", "content": "{prediction}|{answer}|{other}"}]


def test_a_prompt_of_ones_own_is_for_accuracy(tmp_path: Path) -> None:
    prompts = read_prompt_file(write(tmp_path, OWN))
    assert list(prompts) == ["accuracy"]
    system, user = prompts["accuracy"].fill(VALUES)
    assert system == {"role": "system", "content": "You judge."}
    assert user["content"].startswith("<question> <answer> <prediction>\n")
    assert '{"pred": "yes", "score": 5}' in user["content"]


def test_prompts_may_be_given_by_dimension(tmp_path: Path) -> None:
    text = (
        'temporal: {user: "{answer} {prediction} score"}\n'
        'consistency: {user: "{answer} {prediction} {question2} {prediction2} score"}\n'
    )
    assert list(read_prompt_file(write(tmp_path, text))) == ["temporal", "consistency"]


def test_any_change_of_a_prompt_changes_the_hash() -> None:
    changed = dict(PROMPTS) | {"accuracy": PromptTemplate("", "x")}
    assert prompt_hash(PROMPTS) == prompt_hash(dict(reversed(PROMPTS.items())))
    assert prompt_hash(PROMPTS) != prompt_hash(changed)
    moved = {"accuracy": PromptTemplate("x", "")}
    assert prompt_hash(moved) != prompt_hash({"accuracy": PromptTemplate("", "x")})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no prompt"),
        ("- a\n- b\n", "holds no prompt"),
        ("just words", "holds no prompt"),
        ("user: [", "cannot be read"),
        ("user: 5", "holds no user text"),
        ("user: '  '", "holds no user text"),
        ("system: hello", "holds no user text"),
        ("accuracy: hello", "accuracy holds no user text"),
        ("colour: {user: x}", "no dimension colour"),
        ("user: '{answer} pred score'", r"lacks \{prediction\}"),
        ("user: '{prediction} pred score'", r"lacks \{answer\}"),
        ("user: '{answer} {prediction} {predicton} pred score'", r"unknown \{predicton\}"),
        ("user: '{answer} {prediction} {prediction2} pred score'", r"unknown \{prediction2\}"),
        ("user: '{answer} {prediction} score'", 'never asks for "pred"'),
        ("user: '{answer} {prediction} pred'", 'never asks for "score"'),
        ("{user: '{answer} {prediction} pred score', usr: x}", "unknown usr"),
        ("consistency: {user: '{answer} {prediction} score'}", r"lacks \{prediction2\}"),
        ("temporal: {user: score}", r"lacks \{answer\}; temporal lacks \{prediction\}"),
    ],
)
def test_a_wrong_prompt_file_is_refused_with_all_its_mistakes(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(AnnotationError, match=complaint) as caught:
        read_prompt_file(write(tmp_path, text))
    assert "{prediction2}" in caught.value.hint


def test_a_prompt_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.yaml cannot be read"):
        read_prompt_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"user: \xe9\xff")
    with pytest.raises(AnnotationError, match=r"latin\.yaml cannot be read"):
        read_prompt_file(tmp_path / "latin.yaml")
