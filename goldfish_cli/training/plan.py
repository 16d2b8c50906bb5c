"""Say what a stage would do, before any weight is loaded or any video opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean
from typing import Any, cast

import torch
from torch import nn

from goldfish_cli.data.clips import Clip
from goldfish_cli.data.dataset import Example, Group
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.devices import choose_device
from goldfish_cli.model.fitting import check_fits
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.memory import MemoryPlan, MemoryPlanner, Use
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
    total, adapters = _count(config, settings)
    profile = run.profile.model_copy(
        update={
            "batch_size": settings.batch_size,
            "max_frames": settings.num_frames,
            "max_text_tokens": settings.max_text_tokens,
            "max_context_tokens": settings.max_context_tokens,
        }
    )
    planner = MemoryPlanner(
        config,
        lora_rank=settings.lora.r if settings.lora else 1,
        stored_features=run.features is not None,
    )
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
        parameters=total + adapters,
        trainable=planner.num_projector + adapters,
        features_gib=len({(g[0].media, g[0].region) for g in data.groups()})
        * feature_bytes
        / 2**30,
        memory=planner.plan(profile, cast("Use", str(run.stage))),
        profile=profile,
    )


def refuse_if_too_large(plan: StagePlan, run: StageRun, config: GoldfishConfig) -> None:
    """Refuse a stage that does not fit.

    Raises:
        DoesNotFitError: With the nearest settings that do.
    """
    lora = run.recipe.stage(run.stage).lora
    planner = MemoryPlanner(
        config, lora_rank=lora.r if lora else 1, stored_features=run.features is not None
    )
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


def _count(config: GoldfishConfig, settings: StageRecipe) -> tuple[int, int]:
    """Count the parameters of the model, and of the adapters that the stage adds."""
    with torch.device("meta"):
        model = GoldfishForConditionalGeneration(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    if settings.lora is None:
        return total, 0
    adapted = [
        module
        for name, module in model.language_model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in settings.lora.targets
    ]
    return total, settings.lora.r * sum(m.in_features + m.out_features for m in adapted)
