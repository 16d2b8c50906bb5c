"""``goldfish prep features``: what the frozen encoder sees of each clip, computed once and kept."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import warn
from goldfish_cli.commands.prep.result import finish
from goldfish_cli.commands.train_view import TrainView

if TYPE_CHECKING:
    from goldfish_cli.training.features import FeatureRun


def features(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Annotations or image tars, as for goldfish train --data."
        ),
    ],
    store: Annotated[
        Path,
        typer.Option("--features", metavar="DIR", help="The store, as for goldfish train."),
    ],
    videos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the media. Default: that of the annotations."),
    ] = None,
    stage: Annotated[
        Literal["1", "2", "3"] | None,
        typer.Option(help="Take its number of frames. Default: the stage each file belongs to."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="May set the number of frames of a stage.")
    ] = "default",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, as for train."),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Encode nothing new; read every record and encode a sample again."
        ),
    ] = False,
    sample: Annotated[int, typer.Option(min=0, help="Clips that --verify encodes again.")] = 8,
    profile: options.ProfileName = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Encode every clip once, so that training opens no video and needs no vision encoder.

    Give the model, profile and recipe of the training to come: goldfish train --features DIR then
    finds each clip by its content. A stopped run continues with the same command.

    Example: goldfish prep features train.json --videos clips/ --features store --model base/
    """
    from goldfish_cli.training.recipes import load_recipe

    chosen_recipe = load_recipe(recipe, options.parse_assignments(changes or []))
    name = options.model_name(model)
    chosen_profile = options.profile_for(profile, name)

    from goldfish_cli.data.dataset import expand_source
    from goldfish_cli.training.features import FeatureRun

    began = time.monotonic()
    run = FeatureRun(
        sources=tuple(source for text in files for source in expand_source(text)),
        model=name,
        recipe=chosen_recipe,
        profile=chosen_profile,
        folder=store,
        videos=videos,
        stage=int(stage) if stage else None,
        offline=offline,
    )
    if verify:
        _verify(run, sample, began, as_json=as_json, quiet=quiet)
    else:
        _store(run, began, as_json=as_json, quiet=quiet)


def _store(run: "FeatureRun", began: float, *, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.data.features import FeatureStore
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.output import PreparedFile, provenance
    from goldfish_cli.training.features import FeatureJob, store_features

    job = FeatureJob(run, FeatureStore(run.folder))
    account = Account("features")
    settings = {"model": run.model, "profile": run.profile.name, "recipe": run.recipe.name}
    made_from = provenance("features", [source.path for source in run.sources], settings)
    listing = run.folder / "features.jsonl"
    with (
        PreparedFile(listing, account, provenance=made_from) as output,
        TrainView(as_json, quiet) as view,
    ):
        store_features(job, output, account, view.watcher())
    finish(account, run.folder, began, as_json=as_json, quiet=quiet)


def _verify(run: "FeatureRun", sample: int, began: float, *, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.data.features import FeatureStore
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.errors import InputError
    from goldfish_cli.training.feature_check import verify_features
    from goldfish_cli.training.features import FeatureJob

    if not run.folder.is_dir():
        raise InputError(
            f"There is no feature store {run.folder}.", hint="Make it without --verify."
        )
    job = FeatureJob(run, FeatureStore(run.folder, unreadable={}))
    account = Account("features")
    faults = 0
    with TrainView(as_json, quiet) as view:
        for fault in verify_features(job, account, sample=sample, watcher=view.watcher()):
            faults += 1
            warn(f"{fault.what}: {fault.reason}: {fault.detail}")
    account.close()
    finish(account, run.folder, began, as_json=as_json, quiet=quiet)
    if faults:
        raise InputError(
            f"{run.folder} has {faults} fault{'' if faults == 1 else 's'}.",
            hint="Delete the shards that are named, then run the same command without --verify.",
        )
