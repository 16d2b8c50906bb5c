"""Find the judge that a name asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from goldfish_cli.backends.choose import BUNDLED, SERVER_PREFIX
from goldfish_cli.errors import ModelError, UsageError
from goldfish_cli.evaluation.items import Dimension
from goldfish_cli.evaluation.judges.agent import LanguageModelJudge, Patience
from goldfish_cli.evaluation.judges.cache import ReplyCache
from goldfish_cli.evaluation.judges.chat import Chat
from goldfish_cli.evaluation.judges.offline import OfflineJudge
from goldfish_cli.evaluation.judges.prompts import PromptTemplate
from goldfish_cli.evaluation.judges.usage import Prices
from goldfish_cli.profiles import Profile

OFFLINE = "offline"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # owner/name
_FORMS = "A judge is offline, openai:MODEL@URL, or a text model of Transformers: folder or id"


def open_judge(
    name: str,
    profile: Profile,
    *,
    offline: bool = False,
    api_key: str | None = None,
    prompts: Mapping[Dimension, PromptTemplate] | None = None,
    cache: Path | None = None,
    patience: Patience | None = None,
    prices: Prices | None = None,
) -> OfflineJudge | LanguageModelJudge:
    """Open a judge by name.

    Args:
        name: ``offline`` for rules without a model, ``openai:MODEL@URL``, else a folder with a
            text model of Transformers or its id on the Hugging Face hub.
        profile: Says how to load a local model.
        offline: Fetch nothing; a server is then refused unless it runs on this machine.
        api_key: For a server that wants one.
        prompts: Used in place of the built-in ones, by dimension.
        cache: File that keeps a model's replies.
        patience: With a model.
        prices: Of a model.

    Raises:
        UsageError: If an option is given that the rules have no use for.
        ModelError: If the name has no known form, or the model is incomplete or out of reach.
        InputError: If the cache is some other file.
    """
    if name == OFFLINE:
        if prompts:
            raise UsageError(
                "The judge 'offline' goes by rules and takes no prompt.",
                hint="Leave out the prompt, or name a language model as judge",
            )
        return OfflineJudge()
    replies = ReplyCache(cache)  # before a model is loaded for minutes
    return LanguageModelJudge(
        _open_chat(name, profile, offline=offline, api_key=api_key),
        prompts=prompts,
        cache=replies,
        patience=patience,
        prices=prices,
    )


def _open_chat(name: str, profile: Profile, *, offline: bool, api_key: str | None) -> Chat:
    # Each is imported when it is asked for: a server needs no torch, and rules need neither.
    if name.startswith(SERVER_PREFIX):
        from goldfish_cli.evaluation.judges.endpoint import ChatEndpoint

        return ChatEndpoint(name, offline=offline, api_key=api_key)
    if name == BUNDLED or not (Path(name).expanduser().is_dir() or _HUB_ID.fullmatch(name)):
        raise _unknown(name)

    from goldfish_cli.evaluation.judges.local import LocalChat

    return LocalChat.load(name, profile, offline=offline)


def _unknown(name: str) -> ModelError:
    if name == BUNDLED:
        return ModelError(
            f"{BUNDLED} answers questions about videos and cannot judge.", hint=_FORMS
        )
    if Path(name).is_file():
        return ModelError(f"{name} is a file, not a judge.", hint=_FORMS)
    nearest = get_close_matches(name.lower(), [OFFLINE], n=1, cutoff=0.6)
    suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
    return ModelError(f"There is no judge '{name}'.", hint=f"{suggestion}{_FORMS}")
