"""Keep the frozen encoder's output on disk, so that a clip is decoded and encoded once.

A store is a folder of safetensors shards. A record's name is the hash of what made it (media
content, frame plan, encoder), so names of files do not matter and nothing can be stale; a shard's
name is the hash of what it holds. Knows neither videos nor models.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from goldfish_cli.errors import InputError

SHARD_BYTES = 256 * 2**20  # what waits in memory, and what a kill can cost ...
FLUSH_S = 300.0  # ... but never more than the work of five minutes
_ABANDONED_S = 3600.0  # no shard takes an hour to write
_HEADER = "goldfish"
_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """What is kept beside a clip's features; enough to train without opening the clip."""

    times: tuple[float, ...]  # seconds, one a frame
    start: float = 0.0  # where the clip's own clock begins; subtitle files count from 0
    cues: tuple[tuple[float, float, str], ...] = ()  # start, end, text of an embedded stream


def feature_key(media: str, plan: str, encoder: str) -> str:
    """Name a record by what made it: hashes of media and encoder, and the plan in words."""
    return hashlib.sha256("\0".join((media, plan, encoder)).encode()).hexdigest()[:32]


class FeatureStore:
    """Features of many clips: written shard by shard, read memory-mapped.

    Several processes may write one store; each writes shards of its own, and a clip that two of
    them encode is stored twice and read once.

    Args:
        folder: Where the shards are; made when missing.
        dtype: ``"float16"`` halves the disk; ``"float32"`` is exact. A store can hold both: a
            record is only found by the dtype it was written with.
        shard_bytes: Features that are collected before they are written.
        flush_s: Seconds after which they are written all the same.
        unreadable: Receives shards that cannot be read, and why; ``None`` raises.

    Raises:
        InputError: If a shard cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dtype: str = "float16",
        shard_bytes: int = SHARD_BYTES,
        flush_s: float = FLUSH_S,
        unreadable: dict[Path, str] | None = None,
    ) -> None:
        self.folder = folder
        self.dtype = _DTYPES[dtype]
        self._dtype_name = dtype
        self._shard_bytes = shard_bytes
        self._flush_s = flush_s
        self._waiting_since = 0.0
        self._records: dict[str, tuple[Path, FeatureRecord]] = {}
        self._open: dict[Path, Any] = {}
        self._waiting: dict[str, tuple[Tensor, FeatureRecord]] = {}
        self._waiting_bytes = 0
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        for shard in sorted(folder.glob("*.safetensors")):
            self._index(shard, unreadable)

    def __len__(self) -> int:
        """Count the clips."""
        return len(self._records) + len(self._waiting)

    def __contains__(self, key: str) -> bool:
        """Tell whether a clip's features are there."""
        return key in self._records or key in self._waiting

    def add(self, key: str, features: Tensor, record: FeatureRecord) -> None:
        """Keep ``features`` ``(frames, tokens, dim)`` under ``key``; a known key is left alone."""
        if key in self:
            return
        if not self._waiting:
            self._waiting_since = time.monotonic()
        kept = features.detach().to("cpu", self.dtype).contiguous()
        self._waiting[key] = (kept, record)
        self._waiting_bytes += kept.numel() * kept.element_size()
        is_late = time.monotonic() - self._waiting_since >= self._flush_s
        if self._waiting_bytes >= self._shard_bytes or is_late:
            self.flush()

    def record(self, key: str) -> FeatureRecord:
        """Return what is known about a clip's frames.

        Raises:
            KeyError: If there is no such clip.
        """
        return self._waiting[key][1] if key in self._waiting else self._records[key][1]

    def features(self, key: str) -> Tensor:
        """Return a clip's features ``(frames, tokens, dim)``, a view of the mapped file.

        Raises:
            KeyError: If there is no such clip.
        """
        if key in self._waiting:
            return self._waiting[key][0]
        shard, _ = self._records[key]
        if shard not in self._open:
            self._open[shard] = safe_open(shard, framework="pt")
        return self._open[shard].get_tensor(key)

    def flush(self) -> None:
        """Write what is waiting as one shard: whole, or not at all.

        Raises:
            InputError: If the disk is full or the folder cannot be written.
        """
        if not self._waiting:
            return
        tensors = {key: value for key, (value, _) in self._waiting.items()}
        records = {key: asdict(record) for key, (_, record) in self._waiting.items()}
        digests = {key: record_digest(records[key], tensors[key]) for key in tensors}
        facts = {"dtype": self._dtype_name, "records": records, "digests": digests}
        # One entry: safetensors writes several in an order that changes from run to run.
        header = {_HEADER: json.dumps(facts, ensure_ascii=False)}
        name = hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()[:32]
        shard = self.folder / f"{name}.safetensors"
        partial = self.folder / f"{uuid.uuid4().hex}.partial"
        try:
            partial.touch()
            mode = partial.stat().st_mode  # as files are made here; the library's are private
            save_file(tensors, partial, header)
            partial.chmod(mode)
            _sync(partial)
            partial.replace(shard)
        except (OSError, SafetensorError) as error:
            partial.unlink(missing_ok=True)
            raise InputError(
                f"Features cannot be written to {self.folder}: {error}.",
                hint="Free some disk, or name another folder with --features DIR",
            ) from error
        for key, (_, record) in self._waiting.items():
            self._records[key] = (shard, record)
        self._waiting.clear()
        self._waiting_bytes = 0

    def _index(self, shard: Path, unreadable: dict[Path, str] | None) -> None:
        try:
            header = read_header(shard)
        except ValueError as error:
            if unreadable is not None:
                unreadable[shard] = str(error)
                return
            raise InputError(
                f"{shard.name} in {self.folder} is damaged: {error}.",
                hint="Delete that file; its clips are encoded again.",
            ) from error
        if header["dtype"] == self._dtype_name:
            for key, values in header["records"].items():
                self._records[key] = (shard, _record_from(values))


def read_header(shard: Path) -> dict[str, Any]:
    """Return what a shard says of itself: its dtype, its records and their digests, by key.

    Raises:
        ValueError: If it cannot be read, saying why.
    """
    try:
        with safe_open(shard, framework="pt") as file:
            metadata = file.metadata() or {}
        if _HEADER in metadata:
            header = json.loads(metadata[_HEADER])
        else:  # as it was written before there were digests
            records = json.loads(metadata["records"])
            header = {"dtype": metadata["dtype"], "records": records, "digests": {}}
        for values in header["records"].values():
            _record_from(values)
        if not isinstance(header["dtype"], str) or not isinstance(header["digests"], dict):
            raise ValueError("its header is malformed")
    except KeyError as error:
        raise ValueError(f"its header has no {error}") from error
    except (OSError, SafetensorError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
    found: dict[str, Any] = header
    return found


def record_digest(record: Mapping[str, Any], features: Tensor) -> str:
    """Hash all that is stored about a clip: the record, and the bytes of the features.

    Args:
        record: As plain values.
        features: On the CPU.
    """
    facts = json.dumps([record, list(features.shape), str(features.dtype)], sort_keys=True)
    digest = hashlib.sha256(facts.encode())
    digest.update(features.contiguous().view(torch.uint8).numpy().data.cast("B"))
    return digest.hexdigest()


def _sync(path: Path) -> None:
    """Make sure that the content is on the disk before the name is: power may fail between."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sweep(folder: Path) -> None:
    """Remove what killed runs have left half written."""
    for partial in folder.glob("*.partial"):
        try:
            if time.time() - partial.stat().st_mtime > _ABANDONED_S:
                partial.unlink()
        except FileNotFoundError:  # another process has finished it, or swept as well
            continue


class HashBook:
    """Remember the content hashes of media by path, size and change time: hashing reads it all.

    Args:
        path: A JSON-lines file, made when missing and appended to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[int, int, str]] = {}
        if path.exists():
            self._known.update(_read_hashes(path.read_text(encoding="utf-8").split("\n")))

    def get(self, media: Path) -> str | None:
        """Return the hash of ``media`` if it has not changed since it was noted."""
        known = self._known.get(str(media.resolve()))
        status = media.stat()
        return known[2] if known and known[:2] == (status.st_size, status.st_mtime_ns) else None

    def note(self, media: Path, digest: str) -> None:
        """Remember the hash of ``media`` as it is now."""
        status, name = media.stat(), str(media.resolve())
        self._known[name] = (status.st_size, status.st_mtime_ns, digest)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, *self._known[name]], ensure_ascii=False) + "\n")


def _read_hashes(lines: Iterable[str]) -> dict[str, tuple[int, int, str]]:
    known = {}
    for line in lines:
        try:
            name, size, changed, digest = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        known[name] = (size, changed, digest)
    return known


def _record_from(values: Mapping[str, Any]) -> FeatureRecord:
    return FeatureRecord(
        times=tuple(values["times"]),
        start=values["start"],
        cues=tuple((start, end, text) for start, end, text in values["cues"]),
    )
