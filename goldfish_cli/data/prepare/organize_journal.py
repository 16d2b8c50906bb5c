"""Remember what ``prep organize`` is about to do, so that it can be continued, or undone.

Lines are on the disk before the first file is touched. What has been done of them the files tell
themselves; only of a stream copy, which nothing can be compared with, the size is written down.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from goldfish_cli.errors import InputError

JOURNAL = "organize.journal.jsonl"
ORIGINALS = ".originals"
"""In the source folder: what a move left of videos that were stream-copied."""

Operation = Literal["move", "copy", "link", "remux", "made", "stash"]
"""``remux``: streams copied into an mp4. ``made``: that mp4 is there, and has this size. ``stash``:
its source, moved to ``ORIGINALS``."""
_FORMAT = {"goldfish": "organize", "version": 1}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that goes from one place to another.

    Args:
        operation: How.
        id: Of the video that it is, or belongs to.
        source: Relative to the folder that is organized.
        target: Relative to the folder of results; of ``stash`` to the one that is organized.
        size: Bytes of the source; of ``made`` those of the target.
        note: Why it is not an mp4, or what was left out of it.
    """

    operation: Operation
    id: str
    source: str
    target: str
    size: int
    note: str = ""

    @property
    def is_move(self) -> bool:
        """Whether the source is gone afterwards."""
        return self.operation in ("move", "stash")


@dataclass(frozen=True, slots=True)
class Places:
    """The folder that is organized, and the one where the results go; they may be one.

    A journal may come from elsewhere, so no name in it may lead out of these folders.
    """

    folder: Path
    out: Path

    @property
    def are_one(self) -> bool:
        """Whether a folder is made flat in place."""
        return self.folder.resolve() == self.out.resolve()

    def source(self, entry: Entry) -> Path:
        """Where a file was before.

        Raises:
            InputError: If that is outside the folder.
        """
        return inside(self.folder, entry.source)

    def target(self, entry: Entry) -> Path:
        """Where it goes.

        Raises:
            InputError: If that is outside the folder.
        """
        return inside(self.folder if entry.operation == "stash" else self.out, entry.target)


class Journal:
    """The journal in one folder of results.

    Args:
        places: The folders; the journal must be about the same ones.
    """

    def __init__(self, places: Places) -> None:
        self.path = places.out / JOURNAL
        self._places = places
        folder = os.path.relpath(places.folder.resolve(), places.out.resolve())
        self._header = {**_FORMAT, "folder": folder}

    def read(self) -> list[Entry]:
        """Return all entries, in the order in which they were written; none without a journal.

        Raises:
            InputError: If the journal is of another folder, or is none.
        """
        lines = list(self._lines())
        if not lines:
            return []
        header, *entries = lines
        if header != self._header:
            folder = header.get("folder") if isinstance(header, dict) else None
            raise InputError(
                f"{self.path} tells of another folder: {folder}.",
                hint="Organize each folder into one of its own with --out DIR",
            )
        try:
            found = [Entry(**entry) for entry in entries]
            for entry in found:
                self._places.source(entry)
                self._places.target(entry)
        except TypeError as error:
            raise InputError(f"{self.path} is no journal of this program: {error}.") from error
        return found

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries, and wait until they are on the disk.

        Raises:
            OSError: If they cannot be written.
        """
        if not entries:
            return
        length = self._length_of_whole_lines()
        lines = [] if length else [self._header]
        lines += [asdict(entry) for entry in entries]
        with self.path.open("ab") as file:
            file.truncate(length)
            file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[Any]:
        """Parse the lines; one that was cut off by a crash had no consequences yet."""
        length = self._length_of_whole_lines()
        if length:
            try:
                yield from map(json.loads, self.path.read_bytes()[:length].splitlines())
            except ValueError as error:
                raise InputError(f"{self.path} is no journal of this program: {error}.") from error

    def _length_of_whole_lines(self) -> int:
        size = self.path.stat().st_size if self.path.exists() else 0
        if not size:
            return 0
        with self.path.open("rb") as file:
            file.seek(size - 1)
            if file.read() == b"\n":
                return size
            file.seek(0)
            return file.read().rfind(b"\n") + 1


def inside(root: Path, name: str) -> Path:
    """Return the path of a name below ``root``.

    Raises:
        InputError: If it is not below it, or a link on the way leads out of it.
    """
    relative = PurePosixPath(name)
    path = root / relative
    is_below = not relative.is_absolute() and ".." not in relative.parts and bool(relative.name)
    if not is_below or not path.parent.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{name!r} is not inside {root}.", hint="The journal may have been tampered with."
        )
    return path
