"""Recipes: every value checked, every change possible, every mistake named."""

import pytest

from goldfish_cli.errors import ProfileError, UsageError
from goldfish_cli.training.recipes import (
    choose_learning,
    dump_recipe,
    load_recipe,
    recipe_names,
)


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads_and_survives_being_written(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / f"{name}.yaml"
    path.write_text(dump_recipe(recipe))
    assert load_recipe(path) == recipe
    assert recipe.stage(1).lora is None
    assert (recipe.stage(2).lora is None) == (name != "reference")  # where adapters learn at once
    targets = set(recipe.stage(3).lora.targets)
    assert targets == {"q_proj", "v_proj"} or (name == "minnow" and targets > {"q_proj", "v_proj"})


def test_values_can_be_changed_by_name():
    recipe = load_recipe("default", {"stage3.learning_rate": "3e-5", "stage3.lora.r": "8"})
    assert recipe.stage3.learning_rate == 3e-5
    assert recipe.stage3.lora.r == 8
    assert load_recipe("default", {"stage3.lora": "null"}).stage3.lora is None
    assert load_recipe("default", {"stage2.lora.r": "4"}).stage2.lora.r == 4


def test_setting_steps_unsets_epochs_and_the_other_way_round():
    assert load_recipe("default", {"stage1.max_steps": "7"}).stage1.epochs is None
    assert load_recipe("minnow", {"stage1.epochs": "2"}).stage1.max_steps is None


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("stage1.lerning_rate", "1", "did you mean learning_rate"),
        ("stage1.learning_rate", "fast", "stage1.learning_rate"),
        ("stage1.learning_rate", "-1", "greater than 0"),
        ("stage4.learning_rate", "1", "unknown part"),
        ("learning_rate", "1", "did you mean stage3.learning_rate"),
        ("stage1.epochs", "null", "epochs or max_steps"),
        ("stage1.epochs", "[", "not a value"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key, value, words):
    with pytest.raises((ProfileError, UsageError), match=words):
        load_recipe("default", {key: value})


def test_a_mistake_of_the_command_line_does_not_blame_the_recipe():
    with pytest.raises(UsageError) as caught:
        load_recipe("default", {"stage1.learning_rate": "-1", "batch_size": "2"})
    assert str(caught.value).startswith("--set cannot be used: ")
    assert "default" not in str(caught.value)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ProfileError) as caught:
        load_recipe("defualt")
    assert "Did you mean default?" in caught.value.hint
    assert "minnow" in caught.value.hint


def test_what_learns_can_be_chosen_where_adapters_learn():
    recipe = load_recipe("default", {"stage3.lora.r": "8"})
    targets = choose_learning(recipe, (1, 2, 3), lora_targets=["q_proj", "o_proj"])
    assert targets.stage3.lora.targets == ("q_proj", "o_proj")
    assert targets.stage3.lora.r == 8
    assert targets.stage2.lora is None
    full = choose_learning(recipe, (1, 2, 3), full=True)
    assert (full.stage3.full, full.stage3.lora, full.stage2.full) == (True, None, False)
    bare = choose_learning(recipe, (1, 2, 3), projector_only=True)
    assert (bare.stage3.full, bare.stage3.lora) == (False, None)
    assert choose_learning(recipe, (1, 2, 3)) is recipe


def test_a_stage_asked_for_alone_gets_what_is_asked_for():
    recipe = load_recipe("default")
    assert choose_learning(recipe, (2,), full=True).stage2.full
    assert choose_learning(recipe, (2,), lora_targets=["v_proj"]).stage2.lora.targets == ("v_proj",)


def test_two_ways_of_learning_at_once_are_refused():
    recipe = load_recipe("default")
    with pytest.raises(UsageError, match="Only one of"):
        choose_learning(recipe, (3,), full=True, projector_only=True)
    with pytest.raises(ProfileError, match="set lora to null"):
        load_recipe("default", {"stage3.full": "true"})
