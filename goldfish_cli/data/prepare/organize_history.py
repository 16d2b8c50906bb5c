"""What earlier runs of ``prep organize`` have done, read from the journal and the files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from goldfish_cli.data.prepare.organize_journal import ORIGINALS, Entry, Journal, Places
from goldfish_cli.data.prepare.transfer import PART_PREFIX, copy_streams, is_copy, same_content
from goldfish_cli.errors import VideoError


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that is where it should be.

    Args:
        id: Of the video that it is, or belongs to.
        file: Relative to the folder of results.
        source: Where it came from, relative to the folder that is organized.
        how: ``move``, ``copy``, ``link``, ``remux``, or ``kept`` if it was there already.
        note: Why it is not an mp4, or what was left out of it.
    """

    id: str
    file: str
    source: str
    how: str
    note: str = ""


class History:
    """The entries of a journal, told apart by what the files show.

    Args:
        places: The folders.
        entries: The journal's.
    """

    def __init__(self, places: Places, entries: Sequence[Entry]) -> None:
        self.placed: dict[str, Placed] = {}
        """What is done, by target."""
        self.unfinished: dict[str, Entry] = {}
        """What was stopped half way, by source: it is there twice."""
        self._places = places
        self._made = {(e.source, e.target): e for e in entries if e.operation == "made"}
        for entry in entries:
            if entry.operation not in ("made", "stash"):
                self._weigh(entry)

    @property
    def results(self) -> set[str]:
        """The targets of all that is done or half done."""
        return self.placed.keys() | {entry.target for entry in self.unfinished.values()}

    def origin(self, placed: Placed) -> Path | None:
        """Return the file that a stream copy was made from, if it is still there."""
        for name in (placed.source, f"{ORIGINALS}/{placed.source}"):
            if placed.how == "remux" and (self._places.folder / name).exists():
                return self._places.folder / name
        return None

    def is_made(self, entry: Entry) -> bool:
        """Tell whether the target of a stream copy is surely the one that was written."""
        target = self._places.target(entry)
        made = self._made.get((entry.source, entry.target))
        return made is not None and target.is_file() and target.stat().st_size == made.size

    def _weigh(self, entry: Entry) -> None:
        source, target = self._places.source(entry), self._places.target(entry)
        if not target.is_file():
            return
        if entry.operation == "remux":
            done = self.is_made(entry)
        elif entry.is_move:
            done = not os.path.lexists(source)
            if not done and is_copy(source, target):
                self.unfinished[entry.source] = entry
        else:
            done = source.is_file() and is_copy(source, target)
        if done:
            made = self._made.get((entry.source, entry.target), entry)
            self.placed[entry.target] = Placed(
                entry.id, entry.target, entry.source, entry.operation, made.note
            )


def settle(places: Places, journal: Journal) -> list[Entry]:
    """Return the journal's entries, completed by stream copies that a crash left unrecorded.

    Such a copy is known by making it again: the same source gives the same bytes.

    Raises:
        InputError: If the journal cannot be used.
    """
    entries = journal.read()
    history = History(places, entries)
    for entry in entries:
        if entry.operation == "remux" and not history.is_made(entry):
            source, target = places.source(entry), places.target(entry)
            if source.is_file() and target.is_file() and _makes_again(source, target):
                made = Entry("made", entry.id, entry.source, entry.target, target.stat().st_size)
                journal.append([made])
                entries.append(made)
    return entries


def _makes_again(source: Path, target: Path) -> bool:
    with TemporaryDirectory(dir=target.parent, prefix=PART_PREFIX) as folder:
        again = Path(folder) / target.name
        try:
            copy_streams(source, again)
        except VideoError:
            return False
        return same_content(again, target)
