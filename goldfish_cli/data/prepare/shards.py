"""Write WebDataset tars a shard at a time, and put all of them in place at the end.

A run that is stopped, even by ``kill -9``, continues behind its last whole shard.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import webdataset
from filelock import FileLock, Timeout

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import encode
from goldfish_cli.data.prepare.shard_journal import (
    DOWNLOADS,
    DROPPED_FILE,
    SHARDS,
    Progress,
    ShardJournal,
    describe_shard,
)
from goldfish_cli.errors import InputError, UsageError

PROVENANCE_FILE = "provenance.json"
_PART_NAMES = frozenset({SHARDS, DOWNLOADS, "old", "lock", "shard.tar", "state.json", "state.new"})


class ShardFolder:
    """A folder of tars in the making. Use as a context; ``finish`` puts it in place.

    Args:
        out: The folder to make or to replace.
        kind: The command, such as ``"laion"``.
        claim: What decides the result; an unfinished run with another claim is not continued.
        shard_size: Pairs in one tar.
    """

    def __init__(self, out: Path, kind: str, claim: Mapping[str, Any], *, shard_size: int) -> None:
        self.out = out.resolve()
        self.part = self.out.with_name(self.out.name + ".part")
        self.account = Account(kind)
        self.done = Progress()
        self.memo: dict[str, Any] = {}
        self._shard_size = shard_size
        self._shards = self.part / SHARDS
        self._journal = ShardJournal(self.part, claim)
        self._lock = FileLock(self.part / "lock", timeout=0)
        self._tar: _Tar | None = None
        self._dropped: BinaryIO

    @property
    def downloads(self) -> Path:
        """Where the run may keep files until it is finished."""
        return self.part / DOWNLOADS

    def __enter__(self) -> "ShardFolder":
        """Continue an unfinished run, or begin one.

        Raises:
            UsageError: If ``out`` holds something else, or an unfinished run cannot be continued.
            InputError: If it cannot be written, or another process writes it.
        """
        self._check_places()
        try:
            self.part.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise InputError(
                f"Another process is writing {self.out}.", hint="Wait for it, or stop it."
            ) from error
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be written: {error.strerror}.",
                hint="Name another folder with --out DIR",
            ) from error
        try:
            self._recover()
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
    def _old(self) -> Path:
        return self.part / "old"

    def _check_places(self) -> None:
        """Refuse to replace anything but what this command wrote."""
        for folder in (self.out, self.part):
            if folder.exists() and not folder.is_dir():
                raise UsageError(f"{folder} is a file.", hint="Name a folder with --out DIR")
        names = _names(self.out)
        own = {name for name in names if _is_shard(name)} | {PROVENANCE_FILE, DROPPED_FILE}
        if names - own or (names and not self._is_ours(self.out / PROVENANCE_FILE)):
            raise _foreign(self.out)
        if _names(self.part) - _PART_NAMES:
            raise _foreign(self.part)

    def _is_ours(self, path: Path) -> bool:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        command = f"goldfish prep {self.account.kind}"
        return isinstance(found, dict) and found.get("command") == command

    def _recover(self) -> None:
        """Take up the state of an earlier run, if there is one."""
        if self._old.exists() and self.out.exists():
            shutil.rmtree(self._old)
        elif self._old.exists():  # stopped between two renames
            self._old.rename(self.out)
        self.done = self._journal.load()
        self.memo = dict(self.done.memo)
        self.account.read(self.done.rows)
        self.account.write(self.done.written)
        for reason, count in self.done.dropped.items():
            self.account.drop(reason, count)
        self._shards.mkdir(exist_ok=True)
        self._dropped = (self._shards / DROPPED_FILE).open("ab")
        self._dropped.truncate(self.done.dropped_bytes)
        self._dropped.seek(self.done.dropped_bytes)

    def _end_shard(self, tar: "_Tar") -> None:
        """Put a whole tar beside the others, then note that it is there."""
        tar.close()
        self._tar = None
        path = tar.path.replace(self._shards / f"{len(self.done.shards):05d}.tar")
        self._dropped.flush()
        self.done = Progress(
            rows=self.account.num_read,
            written=self.account.num_written,
            dropped=self.account.dropped,
            dropped_bytes=self._dropped.tell(),
            memo=dict(self.memo),
            shards=(*self.done.shards, describe_shard(path, tar.pairs)),
        )
        self._journal.save(self.done)

    def _replace(self) -> None:
        self._journal.clear()  # first, or a run killed here would continue without its shards
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


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def _is_shard(name: str) -> bool:
    return name.endswith(".tar") and name[:-4].isdigit()


def _foreign(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} holds other things than shards of an earlier run.",
        hint="Name a new folder with --out DIR",
    )
