"""``goldfish profile``: which memory budgets there are, and what fits them."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, show, show_json, table

if TYPE_CHECKING:
    from goldfish_cli.model.memory import MemoryPlan

app = typer.Typer(
    no_args_is_help=True,
    help="Show memory budgets and what fits them.\n\nExample: goldfish profile plan 24gb --stage 3",
)

ProfileArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME|FILE",
        help="A name from `goldfish profile list`, or a YAML file. Default: as --profile.",
        show_default=False,
    ),
]
Stage = Literal["ask", "1", "2", "3"]


@app.command("list")
def list_profiles(as_json: options.Json = False) -> None:
    """List the shipped profiles, the smallest machine first.

    Example: goldfish profile list
    """
    from goldfish_cli.profiles import load_profile, profile_names

    profiles = [load_profile(name) for name in profile_names()]
    if as_json:
        for profile in profiles:
            show_json(profile)
        return
    table(
        ["profile", "memory GiB", "weights", "frames", "context", "machine"],
        [
            (
                profile.name,
                profile.memory_gib or "",
                profile.quantization,
                profile.max_frames or "model's",
                profile.max_context_tokens,
                profile.description,
            )
            for profile in profiles
        ],
    )


@app.command("show")
def show_profile(
    name: ProfileArgument = None,
    profile: options.ProfileName = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
) -> None:
    """Show every setting of a profile with its meaning.

    Example: goldfish profile show 24gb
    """
    from goldfish_cli.profiles import field_help

    chosen = options.profile_for(name or profile, options.model_name(model))
    if as_json:
        show_json(chosen)
        return
    for field, value in chosen.model_dump(mode="json").items():
        show(
            f"{field}: {json.dumps(value, ensure_ascii=False)}"
        )  # JSON's null and true are YAML's too
        show(f"    {field_help()[field]}")


@app.command("plan")
def plan_profile(
    name: ProfileArgument = None,
    stage: Annotated[
        Stage, typer.Option("--stage", help="Asking, or training stage 1, 2 or 3.")
    ] = "ask",
    stored_features: Annotated[
        bool,
        typer.Option("--stored-features", help="Train from stored features: no vision encoder."),
    ] = False,
    profile: options.ProfileName = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Estimate what a model takes under a profile, before any weight is loaded.

    With no model chosen the plan is for the published size: EVA-CLIP ViT-g/14 and Llama-2-7B.
    Exit code 4 when it does not fit, with the nearest settings that do.

    Example: goldfish profile plan 24gb --stage 3
    """
    chosen = options.profile_for(name or profile, options.model_name(model))

    from goldfish_cli.model.config import GoldfishConfig
    from goldfish_cli.model.fitting import check_fits
    from goldfish_cli.model.memory import MemoryPlanner

    if options.is_default_model(model):
        config, planned = GoldfishConfig(), "ViT-g/14 and Llama-2-7B"
    else:
        from goldfish_cli.model.loader import load_config

        planned = options.model_name(model)
        config = load_config(planned, offline=offline)
    planner = MemoryPlanner(config, stored_features=stored_features)
    plan = planner.plan(chosen, stage)
    work = "asking" if stage == "ask" else f"training stage {stage}"
    note(f"An estimate for {work} with {planned}, profile {chosen.name}.", quiet=quiet or as_json)
    _show_plan(plan, as_json=as_json)
    check_fits(planner, chosen, stage)


def _show_plan(plan: "MemoryPlan", *, as_json: bool) -> None:
    summary = {"total": plan.total, "budget": plan.budget, "fits": plan.fits}
    if as_json:
        for component, gib in plan.parts.items():
            show_json({"component": component, "gib": round(gib, 3)})
        show_json({k: round(v, 3) if isinstance(v, float) else v for k, v in summary.items()})
        return
    rows = [(component, f"{gib:.2f}") for component, gib in plan.parts.items()]
    table(["component", "gib"], rows)
    budget = "unknown" if plan.budget is None else f"{plan.budget:.2f}"
    show(f"total {plan.total:.2f}  budget {budget}  fits {'yes' if plan.fits else 'no'}")
