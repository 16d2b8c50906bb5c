"""Take back what ``prep organize`` did, entry by entry, from its journal."""

import os
from collections.abc import Iterator
from pathlib import Path

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.organize_history import History, settle
from goldfish_cli.data.prepare.organize_journal import JOURNAL, ORIGINALS, Entry, Journal, Places
from goldfish_cli.data.prepare.organize_plan import OWN_FILES, Left
from goldfish_cli.data.prepare.transfer import is_copy, move_file, remove_parts
from goldfish_cli.errors import InputError


def undo(places: Places, account: Account) -> Iterator[Left | None]:
    """Bring every file back to where it was, the last one first.

    What cannot be taken back stays, and so does the journal; the same call again tries again. A
    file is only removed while the one it was made from is there.

    Args:
        places: The folders.
        account: Counts the files that an earlier run put somewhere.

    Yields:
        For each file ``None``, or why it could not be taken back.

    Raises:
        InputError: If there is no journal, or it is of other folders.
    """
    journal = Journal(places)
    if not journal.path.exists():
        raise InputError(
            f"There is no {journal.path}: nothing was organized there, or all of it undone.",
            hint="Name the folders as they were named then: DIR, and --out if it was given.",
        )
    history = History(places, settle(places, journal))
    remove_parts(places.out)
    is_complete = True
    for entry in reversed(list(dict.fromkeys(journal.read()))):
        if entry.operation == "made" or not os.path.lexists(places.target(entry)):
            continue
        account.read()
        refusal = _take_back(entry, places, history)
        if refusal:
            account.drop(refusal)
            is_complete = False
            yield Left(entry.target, refusal, f"from {entry.source}")
        else:
            account.write()
            yield None
    if is_complete:
        _remove_empty(places.folder / ORIGINALS)
        for name in sorted(OWN_FILES, key=lambda name: name == JOURNAL):  # the journal last
            (places.out / name).unlink(missing_ok=True)


def _take_back(entry: Entry, places: Places, history: History) -> str:
    """Undo one entry; return why it cannot be, or nothing."""
    source, target = places.source(entry), places.target(entry)
    if entry.is_move:
        return _move_back(source, target)
    if not source.is_file():
        return "source-missing"  # then this is the only copy left
    is_ours = history.is_made(entry) if entry.operation == "remux" else is_copy(source, target)
    if not is_ours:
        return "changed"
    target.unlink()
    return ""


def _move_back(source: Path, target: Path) -> str:
    try:
        source.parent.mkdir(parents=True, exist_ok=True)
        move_file(target, source)
    except FileExistsError:
        return "source-exists"
    except OSError as error:
        return (error.strerror or "failed").lower().replace(" ", "-")
    return ""


def _remove_empty(folder: Path) -> None:
    """Remove a tree of folders that hold no file."""
    for path, _, _ in sorted(os.walk(folder), reverse=True):
        if not any(Path(path).iterdir()):
            Path(path).rmdir()
