"""Make a folder of videos flat: carry out a plan, and write down where everything went."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.organize_history import Placed
from goldfish_cli.data.prepare.organize_journal import Entry, Journal, Places
from goldfish_cli.data.prepare.organize_plan import MAP, Left, Mode, Plan
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.transfer import (
    copy_file,
    copy_streams,
    link_file,
    move_file,
    remove_parts,
)
from goldfish_cli.errors import VideoError


def carry_out(plan: Plan, places: Places, journal: Journal, mode: Mode) -> Iterator[Entry]:
    """Do what was planned, and add to ``plan.placed`` or ``plan.left`` what became of it.

    All entries stand in the journal before the first file is touched. What the disk refuses, file
    by file, is left with the reason ``failed``.

    Yields:
        Each entry when it is dealt with.

    Raises:
        OSError: If the journal cannot be written.
    """
    places.out.mkdir(parents=True, exist_ok=True)
    remove_parts(places.out)
    known = set(journal.read())
    journal.append([entry for entry in plan.entries if entry not in known])
    kept_back = set()  # sources that must stay, since no stream copy came of them
    for entry in plan.entries:
        if entry.operation != "stash" or entry.source not in kept_back:
            done = _attempt(entry, plan, places, journal, mode)
            if done is None or done.operation != entry.operation:
                kept_back.add(entry.source)
            if done is not None and done.operation != "stash":
                plan.placed.append(_placed(done, places))
        yield entry


def write_map(
    plan: Plan, places: Places, account: Account, *, made_from: Mapping[str, Any]
) -> Path:
    """Write ``organize.json``, which tells of each file where it came from, and what stayed."""
    path = places.out / MAP
    account.read(plan.num_read)
    with PreparedFile(path, account, provenance=made_from) as output:
        for placed in sorted(plan.placed, key=lambda placed: (placed.id, placed.file)):
            output.write({key: value for key, value in asdict(placed).items() if value})
        for left in sorted(plan.left, key=lambda left: left.file):
            output.drop({"file": left.file}, left.reason, left.detail)
    return path


def _attempt(
    entry: Entry, plan: Plan, places: Places, journal: Journal, mode: Mode
) -> Entry | None:
    """Carry out an entry; return what was done, which may be less than planned, or nothing."""
    try:
        if entry.operation == "remux":
            return _remux(entry, places, journal, mode)
        _transfer(entry, places)
    except FileExistsError:
        failure = Left(entry.source, "collision", f"there is another {entry.target}")
    except OSError as error:
        failure = Left(entry.source, "failed", error.strerror or str(error))
    else:
        return entry
    (plan.unstashed if entry.operation == "stash" else plan.left).append(failure)
    return None


def _remux(entry: Entry, places: Places, journal: Journal, mode: Mode) -> Entry:
    """Copy the streams into an mp4; what proves impossible goes to its place as it is."""
    source, target = places.source(entry), places.target(entry)
    try:
        left_out = copy_streams(source, target)
    except VideoError as error:
        plain = Entry(mode, entry.id, entry.source, source.name, entry.size, str(error))
        if places.target(plain) != source:
            journal.append([plain])
            _transfer(plain, places)
        return plain
    note = f"left out: {', '.join(left_out)}" if left_out else ""
    journal.append(
        [Entry("made", entry.id, entry.source, entry.target, target.stat().st_size, note)]
    )
    return replace(entry, note=note)


def _transfer(entry: Entry, places: Places) -> None:
    source, target = places.source(entry), places.target(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.is_move:
        move_file(source, target)
    elif entry.operation == "copy":
        copy_file(source, target)
    else:
        link_file(source, target)


def _placed(entry: Entry, places: Places) -> Placed:
    is_kept = places.target(entry) == places.source(entry)
    how = "kept" if is_kept else entry.operation
    return Placed(entry.id, entry.target, entry.source, how, entry.note)
