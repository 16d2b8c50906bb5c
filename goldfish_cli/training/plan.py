"""Say what a stage would do, before any weight is loaded or any video opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean
from typing import Any, cast

from goldfish_cli.data.clips import Clip
from goldfish_cli.data.dataset import Example, Group
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.devices import choose_device
from goldfish_cli.model.fitting import check_fits
from goldfish_cli.model.memory import Learning, MemoryPlan, MemoryPlanner, Use
from goldfish_cli.profiles import Profile
from goldfish_cli.training.collator import Collator
from goldfish_cli.training.recipes import StageRecipe
from goldfish_cli.training.stage_data import gather, num_steps
from goldfish_cli.training.stages import StageRun, Watcher, resolve_settings

MEASURED_SAMPLES = 64  # that are tokenised to learn how long samples are


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage would do."""

    stage: int
    samples: int  # sequences in an epoch
    validation: int
    frames: int
    tokens_per_sample: float  # mean, visual tokens included, subtitles not
    longest_sample: int
    steps: int
    effective_batch: int
    parameters: int
    trainable: int
    features_gib: float  # disk that all stored features take
    memory: MemoryPlan
    profile: Profile  # with what the recipe sets itself


def plan_stage(
    run: StageRun, config: GoldfishConfig, tokenizer: Any, watcher: Watcher | None = None
) -> StagePlan:
    """Work out a stage from its configuration and annotations.

    Args:
        run: What was asked for.
        config: Of the model it starts from.
        tokenizer: Of that model.
        watcher: Hears of samples without media.

    Raises:
        AnnotationError: If the data cannot be used.
    """
    device = choose_device(run.profile).type
    settings = resolve_settings(run.recipe.stage(run.stage), run.profile, config, device)
    data = gather(run.sources, run.videos, settings, (watcher or Watcher()).rejected)
    assert settings.batch_size and settings.gradient_accumulation and settings.num_frames
    frames = 1 if run.stage == 1 else settings.num_frames
    draws = sum(round(len(groups) * weight) for groups, weight in data.train)
    effective = settings.batch_size * settings.gradient_accumulation
    lengths = _lengths(
        [g for groups, _ in data.train for g in groups], run, settings, config, tokenizer, frames
    )
    profile = run.profile.model_copy(
        update={
            "batch_size": settings.batch_size,
            "max_frames": settings.num_frames,
            "max_text_tokens": settings.max_text_tokens,
            "max_context_tokens": settings.max_context_tokens,
        }
    )
    planner = MemoryPlanner(
        config, learning=learning_of(settings), stored_features=run.features is not None
    )
    use = cast("Use", str(run.stage))
    feature_bytes = frames * config.tokens_per_frame * config.pooled_dim * 2
    return StagePlan(
        stage=run.stage,
        samples=draws,
        validation=len(data.validation),
        frames=frames,
        tokens_per_sample=round(mean(lengths), 1),
        longest_sample=max(lengths),
        steps=num_steps(settings, draws, effective),
        effective_batch=effective,
        parameters=planner.num_parameters,
        trainable=planner.num_learning(use),
        features_gib=len({(g[0].media, g[0].region) for g in data.groups()})
        * feature_bytes
        / 2**30,
        memory=planner.plan(profile, use, longest=max(lengths) if run.stage == 1 else None),
        profile=profile,
    )


def learning_of(settings: StageRecipe) -> Learning:
    """Tell the planner what learns in a stage."""
    lora = settings.lora
    return Learning(
        lora_rank=lora.r if lora else None,
        lora_targets=lora.targets if lora else (),
        full=settings.full,
        eight_bit_optimizer=settings.optimizer != "adamw",
    )


def refuse_if_too_large(plan: StagePlan, run: StageRun, config: GoldfishConfig) -> None:
    """Refuse a stage that does not fit.

    Raises:
        DoesNotFitError: With the nearest settings that do.
    """
    learning = learning_of(run.recipe.stage(run.stage))
    planner = MemoryPlanner(config, learning=learning, stored_features=run.features is not None)
    check_fits(planner, plan.profile, cast("Use", str(plan.stage)))


def _lengths(
    groups: Sequence[Group],
    run: StageRun,
    settings: StageRecipe,
    config: GoldfishConfig,
    tokenizer: Any,
    frames: int,
) -> list[int]:
    """Tokenise some samples, evenly spread, as if nothing were said in them."""
    collator = Collator(
        tokenizer,
        config,
        max_context_tokens=settings.max_context_tokens,
        max_text_tokens=settings.max_text_tokens,
    )
    instruction = max(settings.instructions, key=len, default="")
    lengths = []
    for group in groups[:: ceil(len(groups) / MEASURED_SAMPLES)]:
        shown = 1 if group[0].kind == "image" else frames
        dialogues = tuple(
            tuple((question or instruction, answer) for question, answer in sample.turns)
            for sample in group
        )
        clip = Clip(tuple(map(float, range(shown))), ())
        example = Example(group[0].id, clip, ("",) * shown, dialogues)
        lengths.append(len(collator.row(example).ids))
    return lengths
