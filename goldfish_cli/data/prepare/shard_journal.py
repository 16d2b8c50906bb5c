"""Note which shards of a run are whole, so that a run that was stopped continues behind them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from goldfish_cli.errors import UsageError

SHARDS, DOWNLOADS, DROPPED_FILE = "shards", "downloads", "dropped.jsonl"


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar that is whole."""

    name: str
    pairs: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: what stands in its whole shards."""

    rows: int = 0
    written: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    dropped_bytes: int = 0
    """How much of the file of dropped rows belongs to them."""
    memo: Mapping[str, Any] = field(default_factory=dict)
    """What the caller keeps with each shard."""
    shards: tuple[Shard, ...] = ()


class ShardJournal:
    """The state of an unfinished run, in the folder in which it works.

    Args:
        part: That folder.
        claim: What decides the result of the run; only a run of the same claim is continued.
    """

    def __init__(self, part: Path, claim: Mapping[str, Any]) -> None:
        self._part = part
        self._file = part / "state.json"
        self._claim = json.loads(json.dumps(claim))

    def load(self) -> Progress:
        """Return how far an earlier run came; what cannot be continued is removed.

        Raises:
            UsageError: If a run of another claim got somewhere.
        """
        if self._file.exists():
            state = json.loads(self._file.read_text(encoding="utf-8"))
            progress = _read_progress(state["progress"])
            if state["claim"] != self._claim:
                self._refuse_to_discard(progress, state["claim"])
            elif self._holds(progress):
                return progress
        for name in (SHARDS, DOWNLOADS):
            shutil.rmtree(self._part / name, ignore_errors=True)
        self.save(Progress())
        return Progress()

    def save(self, progress: Progress) -> None:
        """Note a state, whole or not at all."""
        state = {"claim": self._claim, "progress": asdict(progress)}
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(state), encoding="utf-8")
        beside.replace(self._file)

    def clear(self) -> None:
        """Forget the run, since its shards are about to leave."""
        self._file.unlink()

    def _holds(self, progress: Progress) -> bool:
        """Tell whether everything is there that a state speaks of."""
        folder = self._part / SHARDS
        aside = folder / DROPPED_FILE
        num_bytes = aside.stat().st_size if aside.exists() else 0
        return num_bytes >= progress.dropped_bytes and all(
            (folder / shard.name).is_file() and (folder / shard.name).stat().st_size == shard.bytes
            for shard in progress.shards
        )

    def _refuse_to_discard(self, progress: Progress, earlier: Mapping[str, Any]) -> None:
        if not progress.shards and not any(self._part.glob(f"{DOWNLOADS}/*.body")):
            return
        names = [name for name in self._claim if self._claim[name] != earlier.get(name)]
        raise UsageError(
            f"{self._part} holds an unfinished run with other {', '.join(names)}.",
            hint=f"Repeat that run to continue it, or delete {self._part.name}",
        )


def describe_shard(path: Path, pairs: int) -> Shard:
    """Return what is noted of a tar of so many pairs."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return Shard(path.name, pairs, path.stat().st_size, digest.hexdigest())


def _read_progress(found: Mapping[str, Any]) -> Progress:
    return Progress(**{**found, "shards": tuple(Shard(**shard) for shard in found["shards"])})
