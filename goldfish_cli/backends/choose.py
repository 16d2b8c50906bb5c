"""Find the backend that a model's name asks for."""

import re
from difflib import get_close_matches
from pathlib import Path

from goldfish_cli.backends.base import VideoLanguageModel
from goldfish_cli.errors import ModelError
from goldfish_cli.profiles import Profile

BUNDLED = "minnow"
SERVER_PREFIX = "openai:"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name
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

        return ServerModel(name, offline=offline, api_key=api_key)
    path = Path(name).expanduser()
    if name != BUNDLED and not path.exists() and not _HUB_ID.fullmatch(name):
        raise _unknown(name)

    from goldfish_cli.model.bases import is_goldfish
    from goldfish_cli.model.loader import PICKLE_SUFFIXES

    if name == BUNDLED or path.suffix in PICKLE_SUFFIXES or is_goldfish(path):
        from goldfish_cli.backends.native import NativeModel

        return NativeModel.load(name, profile, offline=offline)
    if path.is_file():
        raise _unknown(name)

    from goldfish_cli.backends.transformers import TransformersModel

    return TransformersModel.load(name, profile, offline=offline)


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
