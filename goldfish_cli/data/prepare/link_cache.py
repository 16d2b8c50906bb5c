"""Remember which addresses answered, so that a check of many can be stopped and repeated."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.errors import InputError

_TABLE = """CREATE TABLE IF NOT EXISTS links
(url TEXT PRIMARY KEY, reason TEXT NOT NULL, detail TEXT NOT NULL, checked REAL NOT NULL)"""
_SAVE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of an address."""

    refusal: Refusal | None
    """Why it is dead or was not reached; ``None``: it answers."""
    reused: bool = False
    """Whether an earlier run found that out."""


class LinkCache:
    """What was found out about addresses: that they answer, or why they never will. A context.

    Args:
        path: The file, made if it is not there.
        max_age_s: Older findings are not believed.
    """

    def __init__(self, path: Path, *, max_age_s: float) -> None:
        self._path = path
        self._max_age = max_age_s
        self._saved = 0.0

    def __enter__(self) -> "LinkCache":
        """Open the file.

        Raises:
            InputError: If it cannot be opened, or is something else.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(self._path)
            self._file.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"{self._path} cannot be used as a cache: {error}.", hint="Delete the file."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Save what was found, also when the check was stopped."""
        self._file.commit()
        self._file.close()

    def find(self, url: str) -> Finding | None:
        """Return what is known about an address, ``None`` if that is nothing, or too old."""
        row = self._file.execute(
            "SELECT reason, detail FROM links WHERE url = ? AND checked > ?",
            (url, time.time() - self._max_age),
        ).fetchone()
        if row is None:
            return None
        return Finding(Refusal(*row) if row[0] else None, reused=True)

    def note(self, url: str, finding: Finding) -> None:
        """Keep a new finding, unless it may be another in a minute."""
        refusal = finding.refusal
        if finding.reused or (refusal is not None and not refusal.lasting):
            return
        reason, detail = (refusal.reason, refusal.detail) if refusal else ("", "")
        self._file.execute(
            "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?)", (url, reason, detail, time.time())
        )
        if time.monotonic() - self._saved > _SAVE_EVERY_S:
            self._file.commit()
            self._saved = time.monotonic()
