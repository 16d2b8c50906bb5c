"""Say what a stage would do, before any weight is loaded or any video opened."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Any, cast

from goldfish_cli.data.clips import Clip
from goldfish_cli.data.dataset import Example, Group
from goldfish_cli.errors import DoesNotFitError
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.devices import choose_device
from goldfish_cli.model.fitting import check_fits, describe_settings
from goldfish_cli.model.memory import Learning, MemoryPlan, MemoryPlanner, Use
from goldfish_cli.profiles import Profile
from goldfish_cli.training.collator import Collator
from goldfish_cli.training.recipes import StageRecipe
from goldfish_cli.training.stage_data import gather, num_steps
from goldfish_cli.training.stages import StageRun, Watcher, resolve_settings

_GIB = 2**30
_FLOAT_BYTES, _HALF_BYTES, _FEATURE_BYTES = 4, 2, 2
MEASURED_SAMPLES = 64  # that are tokenised to learn how long samples are


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """GiB that a stage writes, at the most, and where."""

    features: float  # of all clips; those that are stored already are in it
    checkpoints: float  # to resume from, one more than are kept
    result: float  # what stays
    out_free: float  # on the disk of the runs
    features_free: float | None  # on that of the feature store

    @property
    def shortage(self) -> str | None:
        """Say what lacks room; ``None`` if all fits."""
        needed = self.checkpoints + self.result
        if needed > self.out_free:
            return f"{needed:.1f} GiB of checkpoints do not fit the {self.out_free:.1f} GiB free"
        free = self.features_free
        if free is not None and self.features > free:
            return f"{self.features:.1f} GiB of features do not fit the {free:.1f} GiB free"
        return None


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
    clips: int
    memory: MemoryPlan  # of the device that trains, if samples fill the limits
    expected: float  # GiB of it with the longest of these samples, subtitles not counted
    host: MemoryPlan  # of the machine beside a GPU; on a processor the same
    disk: DiskPlan
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
    profile = with_recipe(run.profile, settings)
    planner = _planner(run, settings, config)
    use = cast("Use", str(run.stage))
    clips = len({(g[0].media, g[0].region) for g in data.groups()})
    memory = planner.plan(profile, use)
    filled = None if settings.packing else max(lengths)
    feature_bytes = frames * config.tokens_per_frame * config.pooled_dim * _FEATURE_BYTES
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
        clips=clips,
        memory=memory,
        expected=planner.plan(profile, use, longest=filled).total,
        host=planner.plan_host(profile, memory, workers=settings.workers),
        disk=_plan_disk(run, settings, planner, use, clips * feature_bytes / _GIB),
        profile=profile,
    )


def _plan_disk(
    run: StageRun, settings: StageRecipe, planner: MemoryPlanner, use: Use, features: float
) -> DiskPlan:
    learning, parts = learning_of(settings), planner.num_learning(use)
    result = _FLOAT_BYTES * parts / _GIB
    if learning.full:
        result = _HALF_BYTES * planner.num_parameters / _GIB
    saved = 1 + settings.keep_checkpoints if settings.save_steps else 1
    return DiskPlan(
        features=features if run.features else 0.0,
        checkpoints=saved * (_FLOAT_BYTES * parts + planner.optimizer_bytes(use)) / _GIB,
        result=result,
        out_free=_free_gib(run.out),
        features_free=_free_gib(run.features) if run.features else None,
    )


def _free_gib(folder: Path) -> float:
    """GiB free where a folder is, or will be."""
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(there).free / _GIB


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
    """Refuse a stage that does not fit memory or disk.

    Raises:
        DoesNotFitError: With the nearest settings that do.
    """
    refuse_profile(plan.profile, run, config)
    _refuse_machine(run, plan.host, plan.disk)


def refuse_at_once(run: StageRun, config: GoldfishConfig) -> None:
    """Refuse a stage that fits neither memory nor disk, before anything is loaded.

    The room for features is left to ``refuse_if_too_large``, which knows how many clips there are.

    Raises:
        DoesNotFitError: With the nearest settings that do.
    """
    device = choose_device(run.profile).type
    settings = resolve_settings(run.recipe.stage(run.stage), run.profile, config, device)
    profile = with_recipe(run.profile, settings)
    refuse_profile(profile, run, config)
    planner, use = _planner(run, settings, config), cast("Use", str(run.stage))
    host = planner.plan_host(profile, planner.plan(profile, use), workers=settings.workers)
    disk = None if run.resume else _plan_disk(run, settings, planner, use, features=0.0)
    _refuse_machine(run, host, disk)


def _refuse_machine(run: StageRun, host: MemoryPlan, disk: DiskPlan | None) -> None:
    """Refuse what main memory or disk cannot hold; ``None``: the disk is not looked at.

    A run that is resumed has its checkpoints on the disk already.
    """
    if not host.fits:
        workers = f"Add --set stage{run.stage}.workers=0" if "data workers" in host.parts else ""
        raise DoesNotFitError(
            f"{host.total:.1f} GiB do not fit the {host.budget:.1f} GiB of main memory.",
            hint=workers or "Take a smaller model or another machine",
        )
    if disk and disk.shortage:
        raise DoesNotFitError(
            f"Stage {run.stage}: {disk.shortage}.",
            hint="Name a folder on another disk with --out or --features, or free some",
        )


def refuse_profile(profile: Profile, run: StageRun, config: GoldfishConfig) -> None:
    """Refuse a stage whose memory is over the budget, whatever its data are.

    Raises:
        DoesNotFitError: With the nearest settings that do, as options of ``goldfish train``.
    """
    check_fits(
        _planner(run, run.recipe.stage(run.stage), config),
        profile,
        cast("Use", str(run.stage)),
        describe=partial(_as_options, stage=run.stage),
        stored_features="--features DIR",
    )


def _planner(run: StageRun, recipe: StageRecipe, config: GoldfishConfig) -> MemoryPlanner:
    return MemoryPlanner(
        config,
        learning=learning_of(recipe),
        stored_features=run.features is not None,
        dialogues=recipe.questions_per_clip,
        packing=recipe.packing,
    )


_RECIPE_KEYS = {
    "batch_size": "batch_size",
    "gradient_accumulation": "gradient_accumulation",
    "max_frames": "num_frames",
    "max_context_tokens": "max_context_tokens",
}


def _as_options(changes: dict[str, object], *, stage: int) -> str:
    """Write changes as options; what a recipe has no word for belongs into a profile."""
    options = [
        f"--set stage{stage}.{_RECIPE_KEYS[field]}={value}"
        for field, value in changes.items()
        if field in _RECIPE_KEYS
    ]
    others = {field: value for field, value in changes.items() if field not in _RECIPE_KEYS}
    words = [" ".join(options)] if options else []
    if others:
        words.append(f"{describe_settings(others)} in a profile's file")
    return " and ".join(words)


def with_recipe(profile: Profile, settings: StageRecipe) -> Profile:
    """Return the profile with the limits that a resolved recipe sets itself."""
    return profile.model_copy(
        update={
            "batch_size": settings.batch_size,
            "gradient_accumulation": settings.gradient_accumulation,
            "max_frames": settings.num_frames,
            "max_text_tokens": settings.max_text_tokens,
            "max_context_tokens": settings.max_context_tokens,
        }
    )


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
