"""Find the backend that a model's name asks for."""

import json
import re
from difflib import get_close_matches
from pathlib import Path

from goldfish_cli.backends.base import VideoLanguageModel
from goldfish_cli.errors import ModelError
from goldfish_cli.profiles import Profile

BUNDLED = "minnow"
SERVER_PREFIX = "openai:"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")  # owner/name
_FORMS = (
    "minnow (bundled), a checkpoint folder, a reference .pth, a Transformers id (owner/name) or "
    "folder, or openai:MODEL@URL"
)


def load_backend(
    name: str, profile: Profile, *, offline: bool = False, api_key: str | None = None
) -> VideoLanguageModel:
    """Load a model by name, whatever kind it is of.

    Args:
        name: ``minnow``, a Goldfish checkpoint folder, a reference ``.pth``, a Transformers id or
            folder, or ``openai:MODEL@URL``.
        profile: Says how to load it, and how much memory there is.
        offline: Fetch nothing; a server is then refused unless it runs on this machine.
        api_key: For a server that wants one.

    Raises:
        ModelError: If the name has no known form, or the model is incomplete or cannot be fetched.
        DoesNotFitError: If it is too large for the profile.
    """
    # Each backend is imported when it is asked for: a server needs no torch, which takes seconds.
    if name.startswith(SERVER_PREFIX):
        from goldfish_cli.backends.server import ServerModel

        return ServerModel.connect(name, offline=offline, api_key=api_key)
    if is_native(name):
        from goldfish_cli.backends.native import NativeModel

        return NativeModel.load(name, profile, offline=offline)
    if Path(name).is_dir() or _HUB_ID.fullmatch(name):
        from goldfish_cli.backends.transformers import TransformersModel

        return TransformersModel.load(name, profile, offline=offline)
    raise _unknown(name)


def is_native(name: str) -> bool:
    """Tell whether a name means a model of this package: bundled, a checkpoint or a ``.pth``."""
    path = Path(name)
    if name == BUNDLED or path.suffix == ".pth":
        return True
    config = path / "config.json"
    if not config.is_file():
        return False
    try:
        return json.loads(config.read_text(encoding="utf-8")).get("model_type") == "goldfish"
    except (ValueError, AttributeError) as error:
        raise ModelError(
            f"{config} is not a model's configuration: {error}.",
            hint="Copy the folder again, or name another model",
        ) from error


def _unknown(name: str) -> ModelError:
    if Path(name).is_file():
        message = f"{name} is a file, not a model."
    elif "/" in name or "\\" in name or name.startswith("."):
        message = f"There is no model folder {name}."
    else:
        message = f"There is no model '{name}'."
    nearest = get_close_matches(name.lower(), [BUNDLED], n=1, cutoff=0.6)
    suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
    return ModelError(message, hint=f"{suggestion}A model is {_FORMS}")
