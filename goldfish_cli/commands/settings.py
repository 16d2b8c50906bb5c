"""Read the user's config file: which profile and model to use when no option names one."""

from pathlib import Path

import yaml
from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, ValidationError

from goldfish_cli.errors import UsageError


class Settings(BaseModel):
    """The keys of ``config.yaml``. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str | None = None
    """Name or path of a profile."""
    model: str | None = None
    """Name of a model, as for ``--model``."""


def config_path() -> Path:
    """Return where the config file is looked for; it need not exist."""
    return user_config_path("goldfish", appauthor=False) / "config.yaml"


def read_settings(path: Path) -> Settings:
    """Read a config file; one that does not exist sets nothing.

    Raises:
        UsageError: If it is not YAML, or holds unknown keys or wrong values.
    """
    if not path.exists():
        return Settings()
    try:
        return Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
            for item in error.errors(include_url=False)
        ]
        reason = "; ".join(mistakes)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
    raise UsageError(
        f"The config file {path} cannot be used: {reason}.",
        hint="It may hold two keys, such as: profile: 24gb and model: runs/stage3",
    )
