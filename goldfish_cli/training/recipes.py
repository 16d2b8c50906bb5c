"""Read recipes: what each of the three stages learns, how fast and how long. Knows no torch.

A recipe says how to train; a profile says what the machine can hold. Where a recipe leaves a
value out, the profile's is taken.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from goldfish_cli.errors import ProfileError, UsageError

STAGES = (1, 2, 3)
_FOLDER = Path(__file__).with_suffix("")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LoraRecipe(_Section):
    """Low-rank adapters of the language model (arXiv:2106.09685)."""

    r: PositiveInt = 64
    """Rank: more learns more, and costs as much more memory."""
    alpha: PositiveInt = 16
    """The adapter's output is scaled by alpha / r."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the adapter's inputs that are dropped in training."""
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    """Names of the linear layers that get an adapter."""


class StageRecipe(_Section):
    """How one stage is trained. The projector always learns; the vision encoder never does."""

    learning_rate: PositiveFloat
    """The highest, reached after the warm-up."""
    min_learning_rate: NonNegativeFloat = 0.0
    """Where the schedule ends."""
    warmup_steps: NonNegativeInt = 0
    """Steps during which the learning rate rises."""
    warmup_learning_rate: NonNegativeFloat = 0.0
    """Where the warm-up begins."""
    schedule: Literal["cosine", "cosine_unshifted", "linear", "constant"] = "cosine"
    """How the learning rate falls after the warm-up; unshifted: the cosine counts from step 0."""
    epochs: PositiveFloat | None = None
    """Times that all data are seen; or set max_steps."""
    max_steps: PositiveInt | None = None
    """Optimizer steps; or set epochs."""
    batch_size: PositiveInt | None = None
    """Samples in one forward pass; null: the profile's."""
    gradient_accumulation: PositiveInt | None = None
    """Forward passes that share one step; null: the profile's, or 1 where batch_size is set."""
    weight_decay: NonNegativeFloat = 0.05
    """Of weight matrices; biases have none."""
    max_grad_norm: NonNegativeFloat = 1.0
    """Gradients are scaled down to this norm; 0: never."""
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    """AdamW; 8bit keeps its two moments in a byte each; paged moves them out of a full GPU."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What is computed in; auto: float32 on a processor, else the profile's dtype."""
    lora: LoraRecipe | None = None
    """Adapters that learn beside the projector; null: the projector alone."""
    full: bool = False
    """Whether the whole language model learns, without adapters; it cannot be quantized then."""
    num_frames: PositiveInt | None = None
    """Frames of each clip; null: the profile's, else the model's."""
    subtitle_words: NonNegativeInt | None = None
    """Word budget of the subtitles in a prompt; null: the profile's."""
    max_text_tokens: PositiveInt | None = None
    """Longest answer; null: the profile's."""
    max_context_tokens: PositiveInt | None = None
    """Longest prompt, visual tokens included; null: the profile's."""
    questions_per_clip: PositiveInt = 1
    """Questions about one clip that share one pass over its frames, without seeing each other."""
    instructions: tuple[str, ...] = ()
    """What to ask where the data only has captions; one is drawn each time."""
    validation: float = Field(default=0.0, ge=0, lt=1)
    """Share of the clips that is held back to measure the loss on."""
    save_steps: PositiveInt | None = None
    """Steps between checkpoints to resume from; null: only when interrupted."""
    keep_checkpoints: PositiveInt = 2
    """How many of those are kept."""
    log_steps: PositiveInt = 10
    """Steps between two lines of the log."""
    max_bad_samples: NonNegativeInt = 100
    """Samples that may turn out unreadable before the run stops."""
    workers: NonNegativeInt = 0
    """Processes that load data; 0 is fastest from stored features."""
    eval_steps: PositiveInt | None = None
    """Steps between measurements on held back clips; null: save_steps."""
    sample_answers: NonNegativeInt = 2
    """Held back samples that the model answers at each measurement; 0: none."""

    packing: bool = False
    """Lay several short samples of a batch into one row; needs attention by sdpa or eager."""

    @model_validator(mode="after")
    def _one_length(self) -> "StageRecipe":
        if (self.epochs is None) == (self.max_steps is None):
            raise ValueError("set epochs or max_steps, one of the two")
        return self

    @model_validator(mode="after")
    def _one_way_for_the_language_model(self) -> "StageRecipe":
        if self.full and self.lora is not None:
            raise ValueError("with full the language model learns whole; set lora to null")
        return self


class Recipe(_Section):
    """The three stages of a training."""

    name: str
    """The name that checkpoints remember; the file's name when left out."""
    description: str = ""
    """What the recipe is for, in one sentence."""
    stage1: StageRecipe
    """Images and captions: the projector learns to speak."""
    stage2: StageRecipe
    """Videos and captions: the projector learns many frames."""
    stage3: StageRecipe
    """Videos, questions and answers: projector and adapters learn to follow instructions."""

    def stage(self, number: int) -> StageRecipe:
        """Return the settings of stage 1, 2 or 3."""
        return {1: self.stage1, 2: self.stage2, 3: self.stage3}[number]


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_recipe(name_or_path: str | Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """Read a shipped recipe by name, or any recipe by path, and check it.

    Args:
        name_or_path: ``"default"``, or the path of a YAML file.
        changes: What ``--set`` says: ``{"stage3.learning_rate": "1e-4"}``; ``null`` unsets. Setting
            ``max_steps`` unsets ``epochs``, and the other way round.

    Raises:
        ProfileError: If there is no such recipe, or with all mistakes that it holds.
        UsageError: If all mistakes are those of ``changes``.
    """
    path = _find(name_or_path)
    values = {"name": path.stem} | _read_yaml(path)
    for key, text in (changes or {}).items():
        _change(values, key, text)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        items = error.errors(include_url=False)
        mistakes = "; ".join(_describe(item) for item in items)
        if all(".".join(map(str, item["loc"])) in (changes or {}) for item in items):
            raise UsageError(
                f"--set cannot be used: {mistakes}.",
                hint="Such as: --set stage3.learning_rate=3e-5",
            ) from error
        raise ProfileError(
            f"Recipe {path.name} cannot be used: {mistakes}.",
            hint=f"Settings of a stage: {', '.join(StageRecipe.model_fields)}",
        ) from error


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe as YAML, every value resolved; ``load_recipe`` reads it back."""
    values = recipe.model_dump(mode="json")
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def choose_learning(
    recipe: Recipe,
    stages: Sequence[int],
    *,
    full: bool = False,
    projector_only: bool = False,
    lora_targets: Sequence[str] = (),
) -> Recipe:
    """Change what learns beside the projector.

    Args:
        recipe: Says it for each stage.
        stages: Those that will run. One alone gets what is asked for; of several, those with
            adapters do.
        full: The whole language model learns instead of adapters.
        projector_only: Nothing else learns.
        lora_targets: Names of the linear layers that get an adapter.

    Raises:
        UsageError: If more than one of them is asked for.
    """
    if full + projector_only + bool(lora_targets) > 1:
        raise UsageError(
            "Only one of --full, --projector-only and --lora-targets can be chosen.",
            hint="--lora-targets says where adapters sit, the others do without them.",
        )
    if not (full or projector_only or lora_targets):
        return recipe
    changed = {}
    for number in stages:
        stage = recipe.stage(number)
        if stage.lora is None and len(stages) > 1:
            continue
        lora = None
        if lora_targets:
            old = stage.lora or LoraRecipe()
            lora = old.model_copy(update={"targets": tuple(lora_targets)})
        changed[f"stage{number}"] = stage.model_copy(update={"lora": lora, "full": full})
    return recipe.model_copy(update=changed)


def _find(name_or_path: str | Path) -> Path:
    shipped = _FOLDER / f"{name_or_path}.yaml"
    if str(name_or_path) in recipe_names():
        return shipped
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    names = recipe_names()
    nearest = get_close_matches(str(name_or_path), names, n=1)
    suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
    raise ProfileError(
        f"There is no recipe '{name_or_path}'.",
        hint=f"{suggestion}Known: {', '.join(names)}, or the path of a YAML file",
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(
            f"Recipe {path.name} cannot be read: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(values, dict):
        raise ProfileError(f"Recipe {path.name} holds no settings.")
    return values


def _change(values: dict[str, Any], key: str, text: str) -> None:
    *sections, field = key.split(".")
    for section in sections:
        inner = values.get(section)
        if inner is None and section == "lora":
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ProfileError(
                f"--set names an unknown part of the recipe: {key}.",
                hint="Such as: --set stage3.learning_rate=1e-4",
            )
        values = inner
    try:
        values[field] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ProfileError(f"--set {key}={text} is not a value that YAML can read.") from error
    for one, other in (("max_steps", "epochs"), ("epochs", "max_steps")):
        if field == one and values[field] is not None:
            values[other] = None


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "the recipe"
    if error["type"] == "extra_forbidden":
        known = {*StageRecipe.model_fields, *LoraRecipe.model_fields, *Recipe.model_fields}
        if len(error["loc"]) == 1 and field in StageRecipe.model_fields:
            return f"unknown key {field} (did you mean stage3.{field}?)"
        nearest = get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"unknown key {field}" + (f" (did you mean {nearest[0]}?)" if nearest else "")
    if error["type"] == "missing":
        return f"{field} is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message[0].lower()}{message[1:]}"
