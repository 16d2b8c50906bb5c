"""One writer at a time for an index folder: a lock that the system frees when its holder dies."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import orjson
from filelock import FileLock, Timeout

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo.schema import unwritable

LOCK = "write.lock"
HOLDER = "writer.json"
POLL_S = 0.1
Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that writes, as it describes itself. For messages: it locks nothing."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        """Name the process as a message does."""
        return f"process {self.pid} on {self.host} since {self.since}"


class WriteLock:
    """The right to write into a folder, held from :meth:`acquire` to :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK, thread_local=False)

    def acquire(self, wait_s: float | None, notify: Notify | None = None) -> None:
        """Take the lock.

        Args:
            wait_s: Seconds to wait for another writer; 0 refuses at once, ``None`` waits for ever.
            notify: Told once who holds the lock, before any waiting.

        Raises:
            IndexFolderError: If it is not free in time, or the folder cannot be written.
        """
        if self._try_acquire(0.0):
            return
        if wait_s == 0:
            raise self._taken()
        if notify is not None:
            notify(f"Waiting: the index in {self.folder} is being written by {self._who()}.")
        if not self._try_acquire(-1 if wait_s is None else wait_s):
            raise self._taken()

    def release(self) -> None:
        """Let the next writer in. Does nothing if the lock is not held."""
        if self._lock.is_locked:
            (self.folder / HOLDER).unlink(missing_ok=True)
            self._lock.release()

    def _try_acquire(self, timeout: float) -> bool:
        try:
            self._lock.acquire(timeout=timeout, poll_interval=POLL_S)
            self._sign()
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            self._lock.release()
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise unwritable(self.folder, reason or type(error).__name__) from error
        return True

    def _sign(self) -> None:
        since = datetime.now().isoformat(" ", timespec="seconds")
        beside = self.folder / f"{HOLDER}.part"
        beside.write_bytes(orjson.dumps(asdict(Holder(os.getpid(), socket.gethostname(), since))))
        beside.replace(self.folder / HOLDER)

    def _taken(self) -> IndexFolderError:
        return IndexFolderError(
            f"The index in {self.folder} is being written by {self._who()}.",
            hint="Wait until it is done (without --no-wait, goldfish does), or stop that process.",
        )

    def _who(self) -> str:
        holder = read_holder(self.folder)
        return "another process" if holder is None else str(holder)


def read_holder(folder: Path) -> Holder | None:
    """Tell who signed last, ``None`` if nobody did or the one who did is known to be gone."""
    try:
        holder = Holder(**orjson.loads((folder / HOLDER).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    if holder.host == socket.gethostname() and not _is_alive(holder.pid):
        return None  # it was killed; whoever holds the lock now has not signed yet
    return holder


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # alive, and not ours
        return True
    return True
