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
    check_name(name, offline=offline)
    # Each backend is imported when it is asked for: a server needs no torch, which takes seconds.
    if name.startswith(SERVER_PREFIX):
        from goldfish_cli.backends.server import ServerModel

        return ServerModel(name, offline=offline, api_key=api_key)
    path = Path(name).expanduser()

    from goldfish_cli.model.bases import is_goldfish
    from goldfish_cli.model.loader import PICKLE_SUFFIXES

    if name == BUNDLED or path.suffix in PICKLE_SUFFIXES or is_goldfish(path):
        from goldfish_cli.backends.native import NativeModel

        return NativeModel.load(name, profile, offline=offline)

    from goldfish_cli.backends.transformers import TransformersModel

    return TransformersModel.load(name, profile, offline=offline)


def check_name(name: str, *, offline: bool = False) -> None:
    """Refuse a name that cannot be a model's; nothing is loaded or fetched to find out.

    An id of the hub is taken at its word, but for ``offline``.

    Raises:
        ModelError: Saying what it is instead.
    """
    if name == BUNDLED:
        return
    if name.startswith(SERVER_PREFIX):
        from goldfish_cli.backends.server import ServerModel

        ServerModel(name, offline=offline)  # looks at the name, and at no server
        return
    path = Path(name).expanduser()
    if path.is_file():
        from goldfish_cli.model.loader import PICKLE_SUFFIXES

        if path.suffix not in PICKLE_SUFFIXES:
            raise _unknown(name)
    elif path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"The folder {name} holds no model.", hint=f"A model is {_FORMS}")
    elif not _HUB_ID.fullmatch(name):
        raise _unknown(name)
    elif offline:
        from huggingface_hub import try_to_load_from_cache

        if not isinstance(try_to_load_from_cache(name, "config.json"), str):
            raise ModelError(
                f"The model {name} is not on this machine and --offline forbids to fetch it.",
                hint="Fetch it where there is a network, or name a local copy of it",
            )


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
