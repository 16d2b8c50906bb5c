"""Text into vectors, for the dense half of retrieval: a choice of embedders, one interface.

All vectors are of length one, so that their product is their cosine.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.errors import ModelError, UsageError
from goldfish_cli.longvideo.words import FUNCTION_WORDS, stem, words

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]
Side = Literal["query", "passage"]

HASHED_DIM = 512
BATCH_SIZE = 64
_LETTERS = 4  # of the runs of letters that a hashed vector counts beside whole words
_SERVER = re.compile(r"openai:(?P<model>.+?)@(?P<url>https?://[^\s?#]+)")
_TIMEOUT_S = 120.0


class Embedder(Protocol):
    """Turns texts into vectors that lie near each other where the texts mean the same."""

    @property
    def identity(self) -> str:
        """What made the vectors: vectors of different identity are never compared."""

    @property
    def weight(self) -> float:
        """How much its ranking counts, where that of the words (BM25) counts 1."""

    def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """Give one vector a text, ``(texts, dim)``, each of length one (or zero, for no words)."""


def choose_embedder(
    name: str, *, device: str = "cpu", offline: bool = False, api_key: str | None = None
) -> Embedder | None:
    """Find an embedder by name.

    Args:
        name: ``none``, ``hashing``, ``openai:MODEL@URL``, or a sentence-transformers model by id
            or folder.
        device: Where a model runs.
        offline: Use only what is on this machine.
        api_key: For a server that wants one.

    Returns:
        The embedder; ``None`` for ``none``: words alone decide.

    Raises:
        ModelError: If there is no such model, or it is elsewhere while offline.
    """
    if name == "none":
        return None
    if name == "hashing":
        return HashingEmbedder()
    if name.startswith("openai:"):
        return ServerEmbedder(name, offline=offline, api_key=api_key)
    return TransformerEmbedder(name, device=device, offline=offline)


class HashingEmbedder:
    """Counts word stems and runs of letters in a fixed number of buckets; needs no weights.

    Feature hashing with signs (Weinberger et al. 2009, arXiv:0902.2206). It knows no meanings; the
    runs of letters bring spelling variants and inflections of any language together.
    """

    identity = f"hashing-1-{HASHED_DIM}"
    weight = 0.01
    """Next to nothing: it fills up where words find little. Any more made results worse."""

    def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See :class:`Embedder`; both sides are treated alike."""
        vectors = np.zeros((len(texts), HASHED_DIM), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for feature, count in Counter(_features(text)).items():
                bucket, sign = _bucket(feature)
                weight = 1.0 if feature[0] == "w" else 0.3
                vector[bucket] += sign * weight * (1 + math.log(count))
        return _normalised(vectors)


def _features(text: str) -> list[str]:
    found = []
    for word in words(text):
        if word in FUNCTION_WORDS:
            continue
        found.append("w" + stem(word))
        framed = f"_{word}_"
        runs = range(max(1, len(framed) - _LETTERS + 1))
        found += ["c" + framed[start : start + _LETTERS] for start in runs]
    return found


def _bucket(feature: str) -> tuple[int, int]:
    number = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
    return number % HASHED_DIM, 1 if number >> 63 else -1


class TransformerEmbedder:
    """A sentence-transformers model, run by Transformers alone.

    Mean or first-token pooling, prompts for queries and passages, and the longest text are taken
    from the model's own files; a further dense layer is not supported, and refused.

    Args:
        name: Folder or hub id.
        device: Where it runs.
        offline: Use only what is on this machine.

    Raises:
        ModelError: If it cannot be loaded, or needs what is not supported.
    """

    weight = 1.0

    def __init__(self, name: str, *, device: str = "cpu", offline: bool = False) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._torch = torch
        folder = _fetched(name, offline=offline)
        self._pooling, self._prompts, self._max_length = _settings_of(folder, name)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModel.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"{name} is no text embedder that Transformers can load: {_line(error)}",
                hint="Name a sentence-transformers model, or use --embedder hashing",
            ) from error
        self._model.eval().to(device)
        self._device = device
        self.identity = f"{_content(folder)}-{self._model.config.hidden_size}"

    def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See :class:`Embedder`."""
        prompt = self._prompts.get(side, "")
        torch = self._torch
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        with torch.inference_mode():
            for first in range(0, len(order), BATCH_SIZE):
                places = order[first : first + BATCH_SIZE]
                inputs = self._tokenizer(
                    [prompt + texts[place] for place in places],
                    padding=True,
                    truncation=True,
                    max_length=self._max_length,
                    return_tensors="pt",
                ).to(self._device)
                states = self._model(**inputs).last_hidden_state
                vectors[places] = self._pooled(states, inputs["attention_mask"]).float().cpu()
        return _normalised(vectors)

    def _pooled(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self._pooling == "cls":
            return states[:, 0]
        weights = mask[..., None].to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


class ServerEmbedder:
    """An embedding model behind the OpenAI API, as vLLM, Ollama and others serve it.

    Args:
        name: ``openai:MODEL@URL``.
        offline: Refuse servers that are not on this machine.
        api_key: For a server that wants one.

    Raises:
        ModelError: If the name has another form, or the server is elsewhere while offline.
    """

    weight = 1.0

    def __init__(self, name: str, *, offline: bool = False, api_key: str | None = None) -> None:
        match = _SERVER.fullmatch(name)
        if match is None:
            raise UsageError(
                f"{name!r} names no embedding server.",
                hint="Such as: openai:nomic-embed-text@http://localhost:11434/v1",
            )
        url = match["url"].rstrip("/")
        self._url = (url if re.search(r"//[^/]+/", url) else f"{url}/v1") + "/embeddings"
        if offline and not re.match(r"https?://(localhost|127\.|\[::1\])", url):
            raise ModelError(f"The embedding server {url} is elsewhere.", hint="No --offline then")
        self._model, self._key = match["model"], api_key
        self.identity = name

    def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See :class:`Embedder`.

        Raises:
            ModelError: If the server does not answer, or not with one vector a text.
        """
        import httpx

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        found: list[list[float]] = []
        try:
            with httpx.Client(timeout=_TIMEOUT_S, headers=headers) as client:
                for first in range(0, len(texts), BATCH_SIZE):
                    part = [text or " " for text in texts[first : first + BATCH_SIZE]]
                    body = {"model": self._model, "input": part}
                    answer = client.post(self._url, json=body).raise_for_status().json()
                    data = sorted(answer["data"], key=lambda one: one["index"])
                    found += [one["embedding"] for one in data]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The embedding server {self._url} gives no vectors: {_line(error)}",
                hint="Check that it runs and serves this model",
            ) from error
        if len(found) != len(texts) or len({len(one) for one in found}) > 1:
            raise ModelError(f"The embedding server {self._url} gave vectors of no use.")
        return _normalised(np.array(found, np.float32).reshape(len(texts), -1))


def _normalised(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-12))


def _fetched(name: str, *, offline: bool) -> Path:
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=offline,
                allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling/*"],
            )
        )
    except (OSError, ValueError, HFValidationError) as error:
        raise ModelError(
            f"The text embedder {name} is not on this machine and cannot be fetched.",
            hint="Name a folder, or go without a download: --embedder hashing",
        ) from error


def _settings_of(folder: Path, name: str) -> tuple[str, dict[str, str], int]:
    """Pooling, prompts by side, and longest text of a sentence-transformers folder."""
    modules = _json(folder / "modules.json") or []
    kinds = [str(one.get("type", "")).rsplit(".", 1)[-1] for one in modules]
    if unknown := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
        raise ModelError(
            f"{name} has a {unknown[0]} layer, which is not supported.",
            hint="Choose a model of Transformer, Pooling and Normalize",
        )
    pooling = _json(folder / "1_Pooling" / "config.json") or {}
    use_cls = bool(pooling.get("pooling_mode_cls_token"))
    if not use_cls and pooling and not pooling.get("pooling_mode_mean_tokens", True):
        raise ModelError(
            f"{name} pools in a way that is not supported.", hint="Mean or first token"
        )
    prompts = (_json(folder / "config_sentence_transformers.json") or {}).get("prompts") or {}
    sides = {
        "query": str(prompts.get("query") or ""),
        "passage": str(prompts.get("document") or prompts.get("passage") or ""),
    }
    longest = (_json(folder / "sentence_bert_config.json") or {}).get("max_seq_length") or 512
    return ("cls" if use_cls else "mean"), sides, int(longest)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _content(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".safetensors", ".bin", ".json", ".txt"):
            digest.update(path.name.encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()[:24]


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
