"""``goldfish train``: the three stages, from a base model to one that answers."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.groups import CommandBesideOthers
from goldfish_cli.commands.output import (
    note,
    show,
    show_json,
    stdout_for_results_alone,
    table,
)
from goldfish_cli.commands.train_compare import compare
from goldfish_cli.commands.train_view import TrainView
from goldfish_cli.errors import InputError, MissingPackageError, UsageError

if TYPE_CHECKING:
    from goldfish_cli.training.calibration import Pace
    from goldfish_cli.training.plan import StagePlan
    from goldfish_cli.training.stages import StageRun

StageName = Literal["1", "2", "3", "all"]


class TrainGroup(CommandBesideOthers):
    """``train STAGE``, and ``train compare`` beside it."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read a command line; a stage that is mistyped is told from a strange argument."""
        first = args[0] if args else ""
        nearest = get_close_matches(first, [*get_args(StageName), *self.commands], n=1)
        if nearest and nearest[0] != first:
            raise UsageError(
                f"There is no stage '{first}'.", hint=f"Did you mean: goldfish train {nearest[0]}"
            )
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Train; what wandb, trackio and Transformers print is no result."""
        with stdout_for_results_alone():
            return super().invoke(ctx)


app = typer.Typer(cls=TrainGroup, invoke_without_command=True, subcommand_metavar="")
app.command()(compare)


@app.callback()
def train(
    stage: Annotated[
        StageName,
        typer.Argument(
            metavar="1|2|3|all",
            help="1: images and captions. 2: videos and captions. 3: questions and answers.",
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="FILE[:WEIGHT]",
            help="Annotations (JSON, JSON lines) or WebDataset tars; may be repeated. "
            "A weight of 2 shows it twice in each epoch. With all, files go to their stage.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Each stage gets a folder in it.")
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CKPT",
            help="Base model or checkpoint to start from. Default: the stage before, in --out.",
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            metavar="DIR",
            help="Folder of the media and their subtitles. Default: that of the annotations.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME|FILE", help="How each stage is trained.")
    ] = "default",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the recipe, such as stage3.learning_rate=1e-4.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Let the whole language model learn, instead of adapters."),
    ] = False,
    projector_only: Annotated[
        bool, typer.Option("--projector-only", help="Let the projector learn and nothing else.")
    ] = False,
    lora_targets: Annotated[
        str | None,
        typer.Option(
            "--lora-targets",
            metavar="NAME,…",
            help="Linear layers that get an adapter, such as q_proj,k_proj,v_proj,o_proj.",
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="DIR",
            help="Encode each clip once and keep the result there, for all epochs and stages.",
        ),
    ] = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(
            "--report-to",
            metavar="NAME,…",
            help="Report to tensorboard, wandb or trackio as well; may be repeated.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and load no weights.")
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="With --dry-run: load the weights and time a few steps."),
    ] = False,
    profile: options.ProfileName = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
    seed: options.Seed = 0,
) -> None:
    """Train the projector, and adapters of the language model, in three stages.

    Each stage starts from the checkpoint of the one before. Ctrl-C saves; --resume continues.

    Example: goldfish train 3 --data qa.json --videos clips/ --from runs/stage2 --out runs
    """
    from goldfish_cli.training.recipes import STAGES, choose_learning, load_recipe
    from goldfish_cli.training.reporters import parse_reporters

    reporters = parse_reporters(report_to or ())
    if offline and "wandb" in reporters:
        os.environ.setdefault("WANDB_MODE", "offline")
    numbers = STAGES if stage == "all" else (int(stage),)
    chosen_recipe = choose_learning(
        load_recipe(recipe, options.parse_assignments(changes or [])),
        numbers,
        full=full,
        projector_only=projector_only,
        lora_targets=[name.strip() for name in (lora_targets or "").split(",") if name.strip()],
    )
    base = start or (None if options.is_default_model(model) else options.model_name(model))
    chosen_profile = options.profile_for(profile, base or "")

    from goldfish_cli.data.dataset import expand_source
    from goldfish_cli.training.stage_data import sort_by_stage
    from goldfish_cli.training.stages import StageRun

    sources = [source for text in data for source in expand_source(text)]
    shares = sort_by_stage(sources, videos) if stage == "all" else {numbers[0]: tuple(sources)}
    if missing := [number for number in numbers if not shares.get(number)]:
        raise UsageError(
            f"There are no data for stage {missing[0]}.",
            hint="Stage 1 takes images, 2 videos with captions, 3 questions and answers.",
        )
    runs = [
        StageRun(
            stage=number,
            sources=shares[number],
            start=base if number == numbers[0] else None,
            out=out,
            recipe=chosen_recipe,
            profile=chosen_profile,
            videos=videos,
            features=features,
            seed=seed,
            resume=resume,
            offline=offline,
            report_to=reporters,
        )
        for number in numbers
    ]
    if calibrate and not dry_run:
        raise UsageError("--calibrate only goes with --dry-run.", hint="Add --dry-run")
    if dry_run:
        _plan(runs, calibrate=calibrate, as_json=as_json, quiet=quiet)
        return
    if stage != "all" and runs[0].folder.finished and not resume:
        raise UsageError(
            f"{runs[0].folder.path} holds a finished run.",
            hint="Name another folder with --out, or delete that one.",
        )
    _run(runs, as_json=as_json, quiet=quiet)


def _run(runs: "list[StageRun]", *, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.model.loader import load_config
    from goldfish_cli.training.plan import refuse_at_once
    from goldfish_cli.training.run_folder import find_start
    from goldfish_cli.training.stages import run_stage

    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        raise UsageError(
            "Training with FSDP is not possible: its checkpoints could not be written.",
            hint="Give each process the whole model: docs/accelerate/two-gpus.yaml",
        )
    speaks = os.environ.get("RANK", "0") == "0"  # the first of several processes, or the only one
    for run in runs:
        if run.folder.finished:
            silent = quiet or as_json or not speaks
            note(f"Stage {run.stage} is finished: {run.folder.path}", quiet=silent)
            folder = run.folder.path
        else:
            start = find_start(run.start, run.stage, run.out)
            refuse_at_once(run, load_config(start, offline=run.offline))
            with TrainView(as_json=as_json and speaks, quiet=quiet or not speaks) as view:
                folder = run_stage(run, view.watcher())
            if speaks:
                _draw_curves(run.out, quiet=quiet or as_json)
        if not speaks:
            continue
        if as_json:
            show_json({"stage": run.stage, "checkpoint": folder})
        else:
            show(str(folder))


def _draw_curves(out: Path, *, quiet: bool) -> None:
    """Draw all finished stages; what was trained is safe already, so a failure is only told."""
    from goldfish_cli.training.report import draw_stages

    try:
        pictures = draw_stages(out)
    except (MissingPackageError, InputError) as error:
        note(f"No curves are drawn: {error} {error.hint}", quiet=quiet)
        return
    note(f"Loss curves: {' and '.join(map(str, pictures))}", quiet=quiet)


def _plan(runs: "list[StageRun]", *, calibrate: bool, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.model.loader import load_config, load_tokenizer
    from goldfish_cli.training.plan import plan_stage, refuse_if_too_large
    from goldfish_cli.training.run_folder import find_start

    start = find_start(runs[0].start, runs[0].stage, runs[0].out)
    config, tokenizer = load_config(start, offline=runs[0].offline), load_tokenizer(Path(start))
    watcher = TrainView(as_json, quiet).watcher()
    plans = [plan_stage(run, config, tokenizer, watcher) for run in runs]
    for plan, run in zip(plans, runs, strict=True):
        pace = None
        if calibrate and plan.memory.fits:
            from goldfish_cli.training.calibration import STEPS
            from goldfish_cli.training.calibration import calibrate as measure

            pace = measure(run, start, STEPS * plan.effective_batch, watcher)
        _show_plan(plan, pace, as_json=as_json)
    for plan, run in zip(plans, runs, strict=True):
        refuse_if_too_large(plan, run, config)


def _show_plan(plan: "StagePlan", pace: "Pace | None", *, as_json: bool) -> None:
    share = plan.trainable / plan.parameters
    memory = {name: round(gib, 3) for name, gib in plan.memory.parts.items()}
    facts: dict[str, object] = {
        "stage": plan.stage,
        "samples": plan.samples,
        "validation": plan.validation,
        "frames": plan.frames,
        "tokens_per_sample": plan.tokens_per_sample,
        "longest_sample": plan.longest_sample,
        "steps": plan.steps,
        "effective_batch": plan.effective_batch,
        "parameters": plan.parameters,
        "trainable": plan.trainable,
        "clips": plan.clips,
    }
    room: dict[str, float | None] = {
        "features": plan.disk.features,
        "checkpoints": plan.disk.checkpoints,
        "result": plan.disk.result,
        "free": plan.disk.out_free,
        "free for features": plan.disk.features_free,
    }
    disk = {name: round(gib, 3) for name, gib in room.items() if gib is not None}
    time = {}
    if pace is not None:
        time["seconds_per_step"] = round(pace.seconds_per_step, 4)
        if pace.seconds_per_clip is not None:
            time["seconds_per_clip"] = round(pace.seconds_per_clip, 4)
        time["hours"] = round(pace.total_hours(plan.steps, plan.clips), 3)
    summary = {
        "total": round(plan.memory.total, 3),
        "expected": round(plan.expected, 3),
        "budget": plan.memory.budget and round(plan.memory.budget, 3),
        "fits": plan.memory.fits,
    }
    if as_json:
        host = {
            "memory": {name: round(gib, 3) for name, gib in plan.host.parts.items()},
            "total": round(plan.host.total, 3),
            "budget": plan.host.budget and round(plan.host.budget, 3),
            "fits": plan.host.fits,
        }
        disk = {name.replace(" ", "_"): gib for name, gib in disk.items()}
        more = {"host": host, "disk": disk, "time": time or None}
        show_json({**facts, "memory": memory, **summary, **more})
        return
    rows = [*facts.items(), ("trainable share", f"{share:.2%}")]
    rows += [(f"memory: {name}", _size(gib)) for name, gib in plan.memory.parts.items()]
    budget = _size(plan.memory.budget) if plan.memory.budget else "unknown"
    rows += [
        ("memory: total, if samples fill the limits", _size(plan.memory.total)),
        ("memory: total with these samples", _size(plan.expected)),
        ("memory: budget", budget),
    ]
    rows.append(("fits", "yes" if plan.memory.fits else "no"))
    beside = [item for item in plan.host.parts.items() if item not in plan.memory.parts.items()]
    rows += [(f"main memory: {name}", _size(gib)) for name, gib in beside]
    machine = _size(plan.host.budget) if plan.host.budget else "unknown"
    rows += [("main memory: total", _size(plan.host.total)), ("main memory: budget", machine)]
    rows += [(f"disk: {name}", _size(gib)) for name, gib in disk.items()]
    unknown = [("time", "unknown; --calibrate times a few steps")]
    rows += [(name.replace("_", " "), value) for name, value in time.items()] or unknown
    table(["what", "value"], rows)


def _size(gib: float) -> str:
    return f"{gib:.2f} GiB" if gib >= 0.1 else f"{gib * 1024:.2f} MiB"
