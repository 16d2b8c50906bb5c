"""The three stages: what each starts from, learns and leaves behind (arXiv:2404.03413).

Stage 1 teaches the projector single images, stage 2 many frames, stage 3 trains the projector and
adapters of the language model to answer questions. Each starts where the one before ended.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers.trainer_utils import set_seed

from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import DrawOrder, Mixture, Rejected, Source
from goldfish_cli.data.features import FeatureStore
from goldfish_cli.errors import InterruptedRunError, ModelError, UsageError
from goldfish_cli.model.adapters import add_lora, merge_lora
from goldfish_cli.model.checkpoint import has_adapter
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.devices import choose_device
from goldfish_cli.model.frame_encoder import name_bases
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration, has_quantized_weights
from goldfish_cli.model.loader import LoadedModel, load_model
from goldfish_cli.profiles import Profile
from goldfish_cli.training.callbacks import (
    GradientCheck,
    Interrupter,
    LogCallback,
    LogRecord,
    TrainingLog,
)
from goldfish_cli.training.card import StageFacts, note_facts, stage_card
from goldfish_cli.training.collator import MASKED_ATTENTION, Collator, length_multiple
from goldfish_cli.training.encoding import (
    encode_groups,
    find_missing,
    open_reader,
    vision_encoder,
    weight_dtype,
)
from goldfish_cli.training.processes import Processes
from goldfish_cli.training.recipes import LoraRecipe, Recipe, StageRecipe
from goldfish_cli.training.rejections import SharedRejections
from goldfish_cli.training.report import draw_stage
from goldfish_cli.training.reporters import end_reports
from goldfish_cli.training.resume_points import step_of
from goldfish_cli.training.run_files import FOLDERS, LOG_NAME
from goldfish_cli.training.run_folder import RunFolder, find_start
from goldfish_cli.training.sample_answers import MAX_NEW_TOKENS, SampleAnswerer
from goldfish_cli.training.schedules import learning_rate
from goldfish_cli.training.stage_data import StageData, gather, num_steps, report
from goldfish_cli.training.trainer import StageTrainer, training_arguments
from goldfish_cli.training.validation import AnswersRecord, ValidationCallback, ValidationRecord


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage, as it was asked for."""

    stage: int
    sources: tuple[Source, ...]
    start: str | None  # a base model or a checkpoint; None: the stage before, in out
    out: Path  # the folder that holds the folders of the stages
    recipe: Recipe
    profile: Profile
    videos: Path | None = None  # None: beside the annotations
    features: Path | None = None  # feature store; None encodes anew each time
    feature_dtype: str = "float16"
    seed: int = 0
    resume: bool = False
    offline: bool = False
    limit: int | None = None  # use so many clips of each source, evenly spread; None: all
    report_to: tuple[str, ...] = ()  # services, see reporters.py

    @property
    def folder(self) -> RunFolder:
        """Where this stage writes."""
        return RunFolder(self.out / FOLDERS[self.stage])


def _ignore(*_: Any) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who wants to know how it goes; the default is nobody."""

    phase: Callable[[str, int, str], None] = _ignore  # what begins, how much, of what unit
    done: Callable[[int], None] = _ignore  # how much of the phase is done
    record: Callable[[LogRecord], None] = _ignore
    note: Callable[[str], None] = _ignore
    validation: Callable[[ValidationRecord], None] = _ignore
    answers: Callable[[AnswersRecord], None] = _ignore
    left_out: list[Rejected] = field(default_factory=list)

    def rejected(self, item: Rejected) -> None:
        """Tell of a sample that is left out, and remember it."""
        self.left_out.append(item)
        self.note(f"left out {item.id}: {item.reason}")


def resolve_settings(
    recipe: StageRecipe, profile: Profile, config: GoldfishConfig, device: str
) -> StageRecipe:
    """Fill in what the recipe leaves to the profile and the model."""
    own_batch = recipe.batch_size is not None
    return recipe.model_copy(
        update={
            "batch_size": recipe.batch_size or profile.batch_size,
            "gradient_accumulation": recipe.gradient_accumulation
            or (1 if own_batch else profile.gradient_accumulation),
            "num_frames": recipe.num_frames or profile.max_frames or config.num_frames,
            "subtitle_words": profile.subtitle_words
            if recipe.subtitle_words is None
            else recipe.subtitle_words,
            "max_text_tokens": recipe.max_text_tokens or profile.max_text_tokens,
            "max_context_tokens": recipe.max_context_tokens or profile.max_context_tokens,
            "precision": _precision(recipe, profile, device),
        }
    )


def run_stage(run: StageRun, watcher: Watcher | None = None) -> Path:
    """Train one stage to its end.

    Returns:
        The folder with the stage's checkpoint.

    Raises:
        UsageError: If there is an unfinished run and ``resume`` is not set, or its settings differ.
        InputError: If the data cannot be used, or the disk not be written.
        CheckpointError: If the start cannot be loaded.
        InterruptedRunError: After Ctrl-C, once a checkpoint is saved.
    """
    if run.profile.threads:
        torch.set_num_threads(run.profile.threads)
    processes = Processes(on_cpu=choose_device(run.profile).type == "cpu")
    watcher = replace(watcher or Watcher(), left_out=[]) if processes.is_main else Watcher()
    set_seed(run.seed)
    start = find_start(run.start, run.stage, run.out)
    loaded = load_model(
        start, run.profile, offline=run.offline, with_vision_encoder=run.features is None
    )
    name_bases(loaded.config, start)
    settings = resolve_settings(
        run.recipe.stage(run.stage), run.profile, loaded.config, loaded.device.type
    )
    noted = _noted(run, settings, processes)
    checkpoint = processes.once(
        lambda: run.folder.begin(noted, resume=run.resume, note=watcher.note)
    )
    data = gather(run.sources, run.videos, settings, watcher.rejected)
    if run.limit is not None:
        data = data.thinned(run.limit)
    check_attention(loaded.model, settings)
    reader = _reader(run, settings, loaded)
    if reader.store is not None:
        data, reader = _encode(run, loaded, reader, data, settings, watcher, processes)
    facts = note_facts(run.stage, start, run.sources, data, settings.model_dump(mode="json"))
    dtype = weight_dtype(loaded.model)
    mark_trainable(loaded.model, settings)
    trainer = _trainer(run, settings, loaded, reader, data, watcher, processes)
    began = time.perf_counter()
    _train(trainer, run, checkpoint, watcher, processes)
    seconds = time.perf_counter() - began
    if settings.full:  # no base model holds these weights any more: the encoder goes with them
        loaded.model.language_model.to(dtype)
    keep_encoder = vision_encoder(loaded, offline=run.offline) if settings.full else nullcontext()
    if processes.is_main:
        with keep_encoder:
            _save(run, settings, loaded, trainer, facts, watcher.left_out, seconds, noted)
    processes.wait()
    return run.folder.path


def mark_trainable(model: GoldfishForConditionalGeneration, settings: StageRecipe) -> None:
    """Let the projector learn, and adapters or the language model if the stage says so.

    What learns is kept in float32, whatever the rest is.

    Raises:
        ModelError: If a quantized language model is to learn whole.
        UsageError: If the start has adapters of another kind than the recipe's.
    """
    model.requires_grad_(False)
    model.projector.requires_grad_(True).float()
    if settings.full:
        if has_quantized_weights(model):
            raise ModelError(
                "A quantized language model cannot learn whole.",
                hint="Choose a profile with quantization: none, or adapters instead of --full.",
            )
        if has_adapter(model):
            merge_lora(model)
        model.language_model.requires_grad_(True).float()
    if settings.lora is None:
        return
    lora = settings.lora
    if not has_adapter(model):
        add_lora(model, r=lora.r, alpha=lora.alpha, dropout=lora.dropout, targets=lora.targets)
    _refuse_other_adapters(model, lora)
    for name, parameter in model.language_model.named_parameters():
        if "lora_" in name:
            parameter.requires_grad_(True)
            parameter.data = parameter.data.float()


def _refuse_other_adapters(model: GoldfishForConditionalGeneration, lora: LoraRecipe) -> None:
    adapter = model.language_model.peft_config["default"]
    found = (adapter.r, adapter.lora_alpha, sorted(adapter.target_modules))
    wanted = (lora.r, lora.alpha, sorted(lora.targets))
    if found != wanted:
        words = "rank {}, alpha {} on {}"
        raise UsageError(
            f"The start has adapters of {words.format(*found)}, "
            f"the recipe asks for {words.format(*wanted)}.",
            hint="Train with the same, or make them part of the model: goldfish model export",
        )


def _precision(recipe: StageRecipe, profile: Profile, device: str) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    if device == "cpu":
        return "float32"
    if profile.dtype != "auto":
        return profile.dtype
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _noted(run: StageRun, settings: StageRecipe, processes: Processes) -> dict[str, Any]:
    return {
        "stage": run.stage,
        "recipe": run.recipe.name,
        "start": run.start,
        "data": {str(source.path): source.weight for source in run.sources},
        "seed": run.seed,
        "processes": processes.count,  # each takes a batch of its own
        "settings": settings.model_dump(mode="json"),
        "profile": run.profile.model_dump(mode="json"),
    }


def _reader(run: StageRun, settings: StageRecipe, loaded: LoadedModel) -> ClipReader:
    store = FeatureStore(run.features, dtype=run.feature_dtype) if run.features else None
    dtype = weight_dtype(loaded.model)
    return open_reader(loaded.config, settings, run.profile, store=store, dtype=dtype)


def _encode(
    run: StageRun,
    loaded: LoadedModel,
    reader: ClipReader,
    data: StageData,
    settings: StageRecipe,
    watcher: Watcher,
    processes: Processes,
) -> tuple[StageData, ClipReader]:
    groups = data.groups()
    watcher.phase("looking up stored features", len(groups), "clips")
    missing, rejected = processes.once(lambda: find_missing(reader, groups))
    limit, before = settings.max_bad_samples, data.rejected
    report(rejected, limit, watcher.rejected, before=before)
    before += len(rejected)
    if processes.count > 1:
        reader = _reader(run, settings, loaded)  # the hashes of all media are noted by now
    if missing:
        share = processes.share(missing)
        watcher.phase("encoding clips", len(share), "clips")
        with vision_encoder(loaded, offline=run.offline):
            unreadable = encode_groups(
                loaded.model, reader, share, chunk=run.profile.encoder_chunk, done=watcher.done
            )
        unreadable = processes.collect(unreadable)
        report(unreadable, limit, watcher.rejected, before=before)
        before += len(unreadable)
        processes.wait()
        reader = _reader(run, settings, loaded)  # what the others have stored is there now
    gone = {item.id for item in rejected}
    kept = data.only(lambda group: group[0].id not in gone and reader.is_stored(group[0]))
    return replace(kept, rejected=before), reader


def _trainer(
    run: StageRun,
    settings: StageRecipe,
    loaded: LoadedModel,
    reader: ClipReader,
    data: StageData,
    watcher: Watcher,
    processes: Processes,
) -> StageTrainer:
    assert settings.batch_size is not None and settings.gradient_accumulation is not None
    train, validation = data.mixtures(reader, settings, run.seed)
    args = training_arguments(
        settings,
        run.folder.path,
        device=loaded.device.type,
        seed=run.seed,
        evaluate=validation is not None,
        activation_checkpointing=run.profile.activation_checkpointing,
        report_to=run.report_to,
    )
    effective = settings.batch_size * settings.gradient_accumulation * args.world_size
    args.max_steps = num_steps(settings, len(train), effective)
    collator = Collator(
        loaded.tokenizer,
        loaded.config,
        max_context_tokens=settings.max_context_tokens,
        max_text_tokens=settings.max_text_tokens,
        packing=settings.packing,
        length_multiple=length_multiple(loaded.device.type),
    )
    trainer = StageTrainer(
        loaded.model,
        args,
        collator=collator,
        train_dataset=train,
        eval_dataset=validation,
        order=DrawOrder(len(train), args.max_steps * effective, seed=run.seed),
        rate=partial(learning_rate, settings, total=args.max_steps),
        encoder_chunk=run.profile.encoder_chunk,
        max_bad_samples=settings.max_bad_samples - data.rejected,
        on_rejected=watcher.rejected,
        rows_per_pass=run.folder.rows_per_pass,
        on_smaller=partial(_tell_of_smaller_passes, run, watcher),
    )
    log = TrainingLog(run.folder.path / LOG_NAME)
    trainer.add_callback(GradientCheck())
    if processes.count > 1:
        trainer.add_callback(SharedRejections(processes, trainer.rejected, trainer.reject))
    trainer.add_callback(
        LogCallback(
            run.stage,
            log,
            count_tokens=lambda: processes.total(trainer.num_tokens),
            tell=watcher.record,
            advance=watcher.done,
        )
    )
    if validation is not None:
        trainer.add_callback(
            ValidationCallback(
                run.stage,
                log,
                tell=watcher.validation,
                answer=_answerer(run, settings, loaded, trainer, validation),
                tell_answers=watcher.answers,
            )
        )
    return trainer


def check_attention(model: GoldfishForConditionalGeneration, settings: StageRecipe) -> None:
    """Make sure that samples in one row do not see each other.

    Raises:
        UsageError: If they would, because attention takes no mask.
    """
    attention = model.language_model.config._attn_implementation
    if attention in MASKED_ATTENTION or (not settings.packing and settings.questions_per_clip == 1):
        return
    raise UsageError(
        f"With attention by {attention} samples in one row would see each other.",
        hint="Set packing to false and questions_per_clip to 1, or load the model with sdpa.",
    )


def _tell_of_smaller_passes(run: StageRun, watcher: Watcher, rows: int) -> None:
    run.folder.remember_passes(rows)
    watcher.note(
        f"memory ran out: from now on {rows} of a batch's samples go through the model at once; "
        "what is learnt stays the same"
    )


def _answerer(
    run: StageRun,
    settings: StageRecipe,
    loaded: LoadedModel,
    trainer: StageTrainer,
    validation: Mixture,
) -> SampleAnswerer | None:
    """Return what asks held back samples; a model in shards could not answer one process alone."""
    if not settings.sample_answers or trainer.is_fsdp_enabled:
        return None
    return SampleAnswerer(
        loaded.model,
        loaded.tokenizer,
        validation,
        settings.sample_answers,
        max_context_tokens=settings.max_context_tokens,
        max_new_tokens=min(settings.max_text_tokens or MAX_NEW_TOKENS, MAX_NEW_TOKENS),
        encoder_chunk=run.profile.encoder_chunk,
    )


def _train(
    trainer: StageTrainer,
    run: StageRun,
    checkpoint: Path | None,
    watcher: Watcher,
    processes: Processes,
) -> None:
    interrupter = Interrupter(asked_anywhere=processes.any)
    trainer.add_callback(interrupter)
    if processes.is_main:
        TrainingLog(run.folder.path / LOG_NAME).rewind(step_of(checkpoint) if checkpoint else 0)
    watcher.phase(f"stage {run.stage}", trainer.args.max_steps, "steps")
    with interrupter.listening():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    end_reports(run.report_to)
    step = trainer.state.global_step
    if interrupter.requested and step < trainer.args.max_steps:
        raise InterruptedRunError(
            f"Stopped at step {step} of {trainer.args.max_steps}; a checkpoint is saved.",
            hint="Continue with the same command and --resume.",
        )


def _save(
    run: StageRun,
    settings: StageRecipe,
    loaded: LoadedModel,
    trainer: StageTrainer,
    facts: StageFacts,
    left_out: Sequence[Rejected],
    seconds: float,
    noted: dict[str, Any],
) -> None:
    if run.stage > 1 and settings.num_frames is not None:
        loaded.config.num_frames = settings.num_frames
    loaded.model.train(False)
    card = stage_card(
        facts,
        loaded.model,
        run.folder.path / LOG_NAME,
        left_out=left_out,
        picture=draw_stage(run.folder.path),
    )
    run.folder.publish(loaded.model, loaded.tokenizer, noted, card=card, whole=settings.full)
    history = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    run.folder.finish(
        {
            "stage": run.stage,
            "steps": trainer.state.global_step,
            "loss": history[-1] if history else None,
            "seconds": round(seconds, 1),
            "rejected": len(trainer.rejected),
        }
    )
