"""Recipes: every value checked, every change possible, every mistake named."""

import pytest

from goldfish_cli.errors import ProfileError
from goldfish_cli.training.recipes import dump_recipe, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads_and_survives_being_written(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / f"{name}.yaml"
    path.write_text(dump_recipe(recipe))
    assert load_recipe(path) == recipe
    assert recipe.stage(1).lora is None
    assert recipe.stage(2).lora is None
    assert recipe.stage(3).lora.targets == ("q_proj", "v_proj")


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
        ("learning_rate", "1", "unknown key learning_rate"),
        ("stage1.epochs", "null", "epochs or max_steps"),
        ("stage1.epochs", "[", "not a value"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key, value, words):
    with pytest.raises(ProfileError, match=words):
        load_recipe("default", {key: value})


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ProfileError) as caught:
        load_recipe("defualt")
    assert "Did you mean default?" in caught.value.hint
    assert "minnow" in caught.value.hint
