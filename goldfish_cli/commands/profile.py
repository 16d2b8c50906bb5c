"""``goldfish profile``: which memory budgets there are, and what fits them."""

import json
from typing import Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import show, show_json, table

app = typer.Typer(help="Show memory budgets and what fits them.", no_args_is_help=True)

ProfileArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME|FILE]",
        help="A name from `goldfish profile list`, or a YAML file. Default: as --profile.",
        show_default=False,
    ),
]


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
        show(f"{field}: {json.dumps(value)}")  # JSON's null and true are YAML's too
        show(f"    {field_help()[field]}")
