"""Write WebDataset tars a shard at a time, and put all of them in place at the end.

A run that is stopped, even by ``kill -9``, continues behind its last whole shard.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import webdataset
from filelock import FileLock, Timeout

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import encode
from goldfish_cli.errors import InputError, UsageError

PROVENANCE_FILE = "provenance.json"
DROPPED_FILE = "dropped.jsonl"


@dataclass(slots=True)
class Shard:
    """A tar that is whole."""

    name: str
    pairs: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Progress:
    """How far a run has come: what stands in its whole shards."""

    rows: int = 0
    written: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    dropped_bytes: int = 0
    memo: dict[str, Any] = field(default_factory=dict)
    """What the caller keeps with each shard."""
    shards: list[Shard] = field(default_factory=list)


class ShardFolder:
    """A folder of tars in the making. Use as a context; ``finish`` puts it in place.

    Args:
        out: The folder to make or to replace.
        kind: The command, such as ``"laion"``.
        claim: What decides the result; an unfinished run with another claim is not continued.
        shard_size: Pairs in one tar.

    Raises:
        UsageError: If ``out`` holds something else, or an unfinished run cannot be continued.
        InputError: If it cannot be written, or another process writes it.
    """

    def __init__(self, out: Path, kind: str, claim: Mapping[str, Any], *, shard_size: int) -> None:
        self.out = out.resolve()
        self.kind = kind
        self.part = self.out.with_name(self.out.name + ".part")
        self.account = Account(kind)
        self.done = Progress()
        self.memo: dict[str, Any] = {}
        self._claim = json.loads(json.dumps(claim))
        self._shard_size = shard_size
        self._shards = self.part / "shards"
        self._lock = FileLock(self.part / "lock", timeout=0)
        self._tar: _Tar | None = None
        self._dropped: BinaryIO

    def __enter__(self) -> "ShardFolder":
        """Continue an unfinished run, or begin one."""
        self._check_out()
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise InputError(f"Another process is writing {self.out}.") from error
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be written: {error.strerror}.",
                hint="Name another folder with --out DIR",
            ) from error
        try:
            self._recover()
            self._dropped = (self._shards / DROPPED_FILE).open("ab")
            self._dropped.truncate(self.done.dropped_bytes)
        except BaseException:
            self._lock.release()
            raise
        return self

    def write(self, key: str, jpeg: bytes, about: Mapping[str, Any]) -> bool:
        """Add a pair; return whether this made a shard whole."""
        if self._tar is None:
            self._tar = _Tar(self.part / "shard.tar")
        self._tar.write({"__key__": key, "jpg": jpeg, "json": dict(about)})
        self.account.write()
        if self._tar.pairs < self._shard_size:
            return False
        self._end_shard(self._tar)
        return True

    def drop(self, row: Mapping[str, Any], reason: str, detail: str) -> None:
        """Set a row aside."""
        self._dropped.write(encode({"row": row, "reason": reason, "detail": detail}) + b"\n")
        self.account.drop(reason)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Hold the account's equation and put the shards in place of what ``out`` held.

        Raises:
            InputError: If no pair was written.
        """
        if self._tar is not None:
            self._end_shard(self._tar)
        self.account.close()
        if not self.account.num_written:
            reasons = ", ".join(f"{count} {why}" for why, count in self.account.dropped.items())
            raise InputError(
                f"None of {self.account.num_read} rows gave a picture with a caption"
                f"{f': {reasons}' if reasons else ''}.",
                hint=f"The rows and what was wrong with them are in {self._shards / DROPPED_FILE}",
            )
        self._dropped.close()
        if not self.account.dropped:
            (self._shards / DROPPED_FILE).unlink()
        record = {
            **provenance,
            "read": self.account.num_read,
            "written": self.account.num_written,
            "dropped": self.account.dropped,
            "shards": [asdict(shard) for shard in self.done.shards],
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (self._shards / PROVENANCE_FILE).write_text(text, encoding="utf-8")
        self._replace()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files; what is not finished stays to be continued."""
        if self._tar is not None:
            self._tar.close()
        self._dropped.close()
        self._lock.release()

    @property
    def _state_file(self) -> Path:
        return self.part / "state.json"

    @property
    def _old(self) -> Path:
        return self.part / "old"

    def _check_out(self) -> None:
        """Refuse to replace anything but what an earlier run of this command wrote."""
        if not self.out.exists():
            return
        if not self.out.is_dir():
            raise UsageError(f"{self.out} is a file.", hint="Name a folder with --out DIR")
        names = {path.name for path in self.out.iterdir()}
        own = {name for name in names if _is_shard(name)} | {PROVENANCE_FILE, DROPPED_FILE}
        if names - own or (names and not self._is_ours(self.out / PROVENANCE_FILE)):
            raise UsageError(
                f"{self.out} holds other things than shards of an earlier run.",
                hint="Name a new folder with --out DIR",
            )

    def _is_ours(self, path: Path) -> bool:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.get("command") == f"goldfish prep {self.kind}"

    def _recover(self) -> None:
        """Take up the state of an earlier run, if it was of the same claim."""
        if self._old.exists() and not self.out.exists():  # stopped between two renames
            self._old.rename(self.out)
        if not self._state_file.exists():
            self._save()
            return
        state = json.loads(self._state_file.read_text(encoding="utf-8"))
        if state["claim"] != self._claim:
            self._start_over(state)
            return
        found = state["progress"]
        shards = [Shard(**shard) for shard in found.pop("shards")]
        self.done = Progress(**found, shards=shards)
        self.memo = dict(self.done.memo)
        self.account.read(self.done.rows)
        self.account.write(self.done.written)
        for reason, count in self.done.dropped.items():
            self.account.drop(reason, count)

    def _start_over(self, state: Mapping[str, Any]) -> None:
        """Discard an unfinished run of another claim, unless it has got somewhere."""
        if state["progress"]["shards"]:
            earlier = state["claim"]
            names = [name for name in self._claim if self._claim[name] != earlier.get(name)]
            raise UsageError(
                f"{self.part} holds an unfinished run with other {', '.join(names)}.",
                hint=f"Repeat that run to continue it, or delete {self.part.name}",
            )
        for path in self.part.iterdir():
            if path.is_dir() and path != self._old:
                shutil.rmtree(path)
        self._shards.mkdir()
        self._save()

    def _end_shard(self, tar: "_Tar") -> None:
        """Put a whole tar beside the others, then note that it is there."""
        tar.close()
        self._tar = None
        name = f"{len(self.done.shards):05d}.tar"
        path = tar.path.replace(self._shards / name)
        self._dropped.flush()
        self.done = Progress(
            rows=self.account.num_read,
            written=self.account.num_written,
            dropped=self.account.dropped,
            dropped_bytes=self._dropped.tell(),
            memo=dict(self.memo),
            shards=[*self.done.shards, Shard(name, tar.pairs, path.stat().st_size, _sha256(path))],
        )
        self._save()

    def _save(self) -> None:
        state = {"claim": self._claim, "progress": asdict(self.done)}
        beside = self._state_file.with_suffix(".new")
        beside.write_text(json.dumps(state), encoding="utf-8")
        beside.replace(self._state_file)

    def _replace(self) -> None:
        if self.out.exists():
            self.out.rename(self._old)
        self._shards.rename(self.out)
        self._lock.release()
        shutil.rmtree(self.part)


class _Tar:
    """A tar being written by the webdataset library, the same bytes on any day and machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pairs = 0
        self._file = path.open("wb")
        self._writer = webdataset.TarWriter(self._file, mtime=0.0, user="", group="")

    def write(self, sample: Mapping[str, Any]) -> None:
        self._writer.write(sample)
        self.pairs += 1

    def close(self) -> None:
        self._writer.close()
        self._file.close()


def _is_shard(name: str) -> bool:
    return name.endswith(".tar") and name[:-4].isdigit()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
