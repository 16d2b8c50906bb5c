"""Find, fetch and load the weights of a Whisper model, named or by path."""

from __future__ import annotations

import hashlib
import http.client
import os
import pickle
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import torch
import whisper
from whisper.model import Whisper

from goldfish_cli.errors import ModelError

NETWORK_TIMEOUT_S = 30.0  # without an answer; a slow download may take longer
_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class WhisperWeights:
    """Where a model's weights are or should be, and what they are.

    ``sha256`` is that of the file; for a named model it is known before the file is there.
    ``url`` is ``None`` for a file of the user's own.
    """

    name: str
    path: Path
    sha256: str
    url: str | None


def find_weights(model: str, weights_dir: Path | None = None) -> WhisperWeights:
    """Resolve a model's name (``tiny``, ``base``, ``large-v3`` ...) or the path of a ``.pt`` file.

    Args:
        model: Name or path.
        weights_dir: Where named models are kept; ``None``: where openai-whisper keeps them.

    Raises:
        ModelError: If there is neither such a model nor such a file.
    """
    path = Path(model).expanduser()
    if path.is_file():
        return WhisperWeights(path.name, path, _sha256(path), None)
    # openai-whisper publishes the addresses, with the hash in them, under no public name.
    url = whisper._MODELS.get(model)
    if url is None:
        raise ModelError(
            f"There is no Whisper model {model!r} and no such file.",
            hint=f"Give the path of a .pt file, or one of: {', '.join(whisper.available_models())}",
        )
    *_, sha256, file_name = url.split("/")
    return WhisperWeights(model, (weights_dir or default_dir()) / file_name, sha256, url)


def default_dir() -> Path:
    """The folder of openai-whisper, found as it finds it, so that its downloads serve us too."""
    cache = os.getenv("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return Path(cache) / "whisper"


def load_whisper(weights: WhisperWeights, *, device: str, offline: bool) -> Whisper:
    """Load a model, after fetching its weights if they are not there.

    Only tensors and plain values are unpickled.

    Args:
        weights: From ``find_weights``.
        device: ``auto`` is CUDA where there is one, else the CPU; or a device of torch.
        offline: Refuse instead of fetching.

    Raises:
        ModelError: If the weights are missing and cannot be fetched, or are no Whisper checkpoint.
    """
    if weights.url is not None and not _is_whole(weights):
        if offline:
            raise _missing(weights, "and nothing is fetched offline")
        _download(weights, weights.url)
    try:
        # A model begins with random weights; the caller's random numbers stay as they are.
        with torch.random.fork_rng(devices=[]):
            # Of a path, load_model reads a dict of sizes and tensors with torch's weights_only.
            model = whisper.load_model(str(weights.path), device=_resolve(device))
    except (
        RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError, OSError,
    ) as error:  # fmt: skip
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{weights.path} is not a Whisper checkpoint: {reason}",
            hint="A .pt file as openai-whisper publishes it holds dims and model_state_dict.",
        ) from error
    if model.dims.n_mels not in (80, 128) or model.dims.n_audio_ctx != 1500:
        raise ModelError(
            f"{weights.path} does not listen to 30 s of 80 or 128 mel bands, as Whisper does.",
            hint="Use a checkpoint as openai-whisper publishes it.",
        )
    return model.eval()


def _resolve(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _is_whole(weights: WhisperWeights) -> bool:
    return weights.path.is_file() and _sha256(weights.path) == weights.sha256


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _download(weights: WhisperWeights, url: str) -> None:
    """Fetch a checkpoint whole or not at all, and check its hash."""
    # Not openai-whisper's own download: it has no time limit and leaves half a file behind.
    partial: Path | None = None
    try:
        weights.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(url, timeout=NETWORK_TIMEOUT_S) as source,
            tempfile.NamedTemporaryFile(
                dir=weights.path.parent, prefix=f".{weights.path.name}.", delete=False
            ) as target,
        ):
            partial = Path(target.name)
            while block := source.read(_BLOCK_BYTES):
                target.write(block)
        if _sha256(partial) != weights.sha256:
            raise _missing(weights, "and what was fetched is damaged")
        partial.replace(weights.path)
    except (OSError, http.client.HTTPException) as error:
        raise _missing(weights, f"and cannot be fetched ({error})") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _missing(weights: WhisperWeights, why: str) -> ModelError:
    return ModelError(
        f"The weights of Whisper {weights.name} are not in {weights.path.parent}, {why}.",
        hint=(
            f"With network, python -c \"import whisper; whisper.load_model('{weights.name}')\" "
            f"fetches {weights.path.name}; copy it to {weights.path}, or go on without: "
            "--subtitles none"
        ),
    )
