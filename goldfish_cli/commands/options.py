"""Options that several commands share: one name, one help text, one order of precedence each.

A value comes from the option, else the environment, else the config file, else the default.
"""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.errors import UsageError

if TYPE_CHECKING:
    from goldfish_cli.profiles import Profile

DEFAULT_MODEL = "minnow"
_COMMON = "Common options"


def _complete_profile(incomplete: str) -> list[str]:
    from goldfish_cli.profiles import AUTO, profile_names

    return [name for name in (AUTO, *profile_names()) if name.startswith(incomplete)]


ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        envvar="GOLDFISH_PROFILE",
        help="Memory budget: a name from `goldfish profile list`, or a YAML file. Default: auto.",
        autocompletion=_complete_profile,
        rich_help_panel=_COMMON,
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        envvar="GOLDFISH_MODEL",
        help="minnow, a checkpoint folder, a reference .pth, a Transformers id or folder, or "
        "openai:MODEL@URL. Default: minnow.",
        rich_help_panel=_COMMON,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object a line.", rich_help_panel=_COMMON),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No notes, no progress.", rich_help_panel=_COMMON),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Never use the network.", rich_help_panel=_COMMON),
]
Probe = Annotated[
    Literal["none", "header", "decode"],
    typer.Option(
        help="none: the file is there. header: it opens and its first picture decodes. "
        "decode: pictures from all parts of it do."
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Videos read at a time. Default: one a core.")
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", min=0, help="Same seed, same result on one machine.", rich_help_panel=_COMMON
    ),
]


def model_name(chosen: str | None) -> str:
    """Return the model to use, given the value of ``--model`` (or its environment variable)."""
    return chosen or _configured("model") or DEFAULT_MODEL


def is_default_model(chosen: str | None) -> bool:
    """Tell whether nobody chose a model: neither an option, nor the environment, nor the config."""
    return chosen is None and _configured("model") is None


def profile_for(
    chosen: str | None,
    model: str = DEFAULT_MODEL,
    *,
    spare_memory: bool = False,
    **overrides: object,
) -> "Profile":
    """Read the profile to use, given the value of ``--profile`` (or its environment variable).

    ``auto`` means what the GPU has room for; on a GPU the bundled model takes ``tiny``, since the
    limits of large models would only take frames away from it.

    Args:
        chosen: Name or path, or ``None``.
        model: The model's name, as ``model_name`` returns it.
        spare_memory: Ask for the GPU in a process of its own; torch would take 200 MB of this one.
        **overrides: Fields that an option sets; ``None`` means not given.

    Raises:
        ProfileError: If there is no such profile, or it holds mistakes.
    """
    from goldfish_cli.profiles import AUTO, choose_profile, load_profile

    name = chosen or _configured("profile") or AUTO
    if name == AUTO and model.startswith("openai:"):
        name = "cpu"  # the work is a server's: torch, which knows the GPU, takes seconds to load
    if name == AUTO:
        name = choose_profile(_gpu_memory_apart() if spare_memory else _gpu_memory())
        if model == DEFAULT_MODEL and name != "cpu":
            name = "tiny"
    return load_profile(name, **overrides)


def parse_assignments(texts: list[str]) -> dict[str, str]:
    """Turn the ``key=value`` of repeated ``--set`` options into a dictionary.

    Raises:
        UsageError: If one has no ``=`` or no key.
    """
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"--set takes KEY=VALUE, not {text!r}.",
                hint="Such as: --set stage3.learning_rate=3e-5",
            )
        values[key.strip()] = value.strip()
    return values


def _gpu_memory() -> float | None:
    from goldfish_cli.model.machine import gpu_memory_gib

    return gpu_memory_gib()


def _gpu_memory_apart() -> float | None:
    code = "from goldfish_cli.model.machine import gpu_memory_gib as g; print(g() or '')"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout) if done.stdout.strip() else None


def _configured(key: str) -> str | None:
    from goldfish_cli.commands.settings import config_path, read_settings

    value: str | None = getattr(read_settings(config_path()), key)
    return value
