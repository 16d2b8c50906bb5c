"""How the learning rate goes over the steps of a stage. Knows no torch."""

import math

from goldfish_cli.training.recipes import StageRecipe


def learning_rate(recipe: StageRecipe, step: int, total: int) -> float:
    """Return the learning rate of one optimizer step.

    It rises in a straight line from ``warmup_learning_rate`` to ``learning_rate`` and then falls as
    ``schedule`` says: along half a cosine (arXiv:1608.03983) or a straight line to
    ``min_learning_rate``, or not at all. ``cosine_unshifted`` counts its cosine from step 0, so
    the rate drops a little where the warm-up ends: MiniGPT4-Video's way (arXiv:2404.03413).

    Args:
        recipe: With the rates and the warm-up.
        step: Counted from 0.
        total: Steps of the stage.
    """
    highest, lowest = recipe.learning_rate, recipe.min_learning_rate
    warmup = recipe.warmup_steps
    if step < warmup:
        start = recipe.warmup_learning_rate
        return start + (highest - start) * step / warmup
    if recipe.schedule == "constant":
        return highest
    begin = 0 if recipe.schedule == "cosine_unshifted" else warmup
    share = min(1.0, (step - begin) / max(1, total - begin))
    if recipe.schedule == "linear":
        return highest + (lowest - highest) * share
    return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * share))
