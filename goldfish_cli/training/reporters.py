"""Where a training is reported to beside its own log: services that the Trainer knows.

Knows no torch, and imports none of the services before they are needed.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec

from goldfish_cli.errors import MissingPackageError, UsageError

REPORTERS = ("tensorboard", "wandb", "trackio")  # names of packages, and of our extras


def parse_reporters(texts: Iterable[str]) -> tuple[str, ...]:
    """Read names that are repeated or separated by commas, each once.

    Raises:
        UsageError: If one is unknown.
        MissingPackageError: If its package is not installed.
    """
    names = dict.fromkeys(name.strip() for text in texts for name in text.split(","))
    for name in names:
        if name not in REPORTERS:
            nearest = get_close_matches(name, REPORTERS, n=1)
            suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
            raise UsageError(
                f"--report-to knows no '{name}'.",
                hint=f"{suggestion}Known: {', '.join(REPORTERS)}",
            )
        if find_spec(name) is None:
            raise MissingPackageError(
                f"--report-to {name} needs {name}, which is not installed.",
                hint=f"pip install 'goldfish-video[{name}]'",
            )
    return tuple(names)


def end_reports(names: Iterable[str]) -> None:
    """Close what the Trainer leaves open, so that the next stage is a run of its own."""
    if "wandb" in names:
        import wandb

        wandb.finish()
