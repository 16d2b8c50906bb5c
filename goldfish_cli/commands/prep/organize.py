"""``goldfish prep organize``: videos in year folders, or at any depth, become one flat folder."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress, show, warn
from goldfish_cli.commands.prep.result import finish
from goldfish_cli.errors import InputError, PartialError, UsageError

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.organize_journal import Places
    from goldfish_cli.data.prepare.organize_plan import Mode, Plan


def organize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Videos at any depth.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The flat folder. Default: DIR itself."),
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Leave DIR as it is. Needs --out.")] = False,
    move: Annotated[
        bool, typer.Option("--move", help="The default; --undo takes it back.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Hard links: no second copy on the disk. Needs --out.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put everything back where it was.")] = False,
    workers: options.Workers = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make one flat folder of id.mp4 out of year folders, or whatever lies in DIR.

    Streams of .mkv, .webm and others are copied into mp4, not encoded; what mp4 cannot hold keeps
    its container, and the sources of such copies are kept in DIR/.originals. Subtitles follow their
    video. Damaged files, downloads that did not end, and ids that several videos have stay where
    they are. organize.json tells where each file came from, organize.dropped.jsonl what stayed.
    The same command continues where it was stopped.

    Example: goldfish prep organize downloads/ --out clips/ --move
    """
    from goldfish_cli.data.prepare.organize_journal import Places

    began = time.monotonic()
    mode = _mode(copy=copy, move=move, link=link)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", hint="Name the folder of the videos.")
    places = Places(folder, out or folder)
    if mode != "move" and places.are_one:
        raise UsageError(
            f"With --{mode} each video would be in {folder} twice.",
            hint="Name another folder with --out DIR, or use --move.",
        )
    if undo:
        _undo(places, began, as_json=as_json, quiet=quiet)
        return
    plan = _plan(
        places, mode, workers or os.cpu_count() or 1, dry_run=dry_run, quiet=quiet or as_json
    )
    if dry_run:
        _show_plan(plan, places, began, as_json=as_json, quiet=quiet)
    else:
        _carry_out(plan, places, mode, began, as_json=as_json, quiet=quiet)


def _mode(*, copy: bool, move: bool, link: bool) -> "Mode":
    if copy + move + link > 1:
        raise UsageError("--copy, --move and --link exclude each other.", hint="Give one of them.")
    return "copy" if copy else "link" if link else "move"


def _plan(places: "Places", mode: "Mode", workers: int, *, dry_run: bool, quiet: bool) -> "Plan":
    from goldfish_cli.data.prepare.organize_history import settle
    from goldfish_cli.data.prepare.organize_journal import Journal
    from goldfish_cli.data.prepare.organize_plan import Planner

    journal = Journal(places)
    planner = Planner(places, mode, journal.read() if dry_run else settle(places, journal))
    total = planner.num_videos
    with progress("Looking into videos", total, unit="videos", quiet=quiet) as advance:
        for _ in planner.run(workers=workers):
            advance(1)
    return planner.plan


def _carry_out(
    plan: "Plan", places: "Places", mode: "Mode", began: float, *, as_json: bool, quiet: bool
) -> None:
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.organize import carry_out, write_map
    from goldfish_cli.data.prepare.organize_journal import ORIGINALS, Journal
    from goldfish_cli.data.prepare.output import provenance

    account, total = Account("organize"), len(plan.entries)
    with progress("Organizing", total, unit="files", quiet=quiet or as_json) as advance:
        for _ in carry_out(plan, places, Journal(places), mode):
            advance(1)
    made_from = provenance("organize", [], {"folder": places.folder, "mode": mode})
    write_map(plan, places, account, made_from=made_from)
    originals = places.folder / ORIGINALS
    if originals.is_dir():
        note(
            f"Sources of stream copies are kept in {originals}; delete it when content.",
            quiet=quiet,
        )
    if plan.entries and mode == "move":
        note("Add --undo to the same command to put everything back.", quiet=quiet)
    finish(account, places.out, began, as_json=as_json, quiet=quiet)
    failed = [left for left in plan.left if left.reason == "failed"] + plan.unstashed
    if failed:
        raise PartialError(
            f"{len(failed)} files could not be organized, such as {failed[0].file}: "
            f"{failed[0].detail}.",
            hint="See organize.dropped.jsonl, mend the cause, and give the same command again.",
        )


def _show_plan(plan: "Plan", places: "Places", began: float, *, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.data.prepare.account import Account

    account = Account("organize")
    account.read(plan.num_read)
    account.write(len(plan.placed) + sum(entry.operation != "stash" for entry in plan.entries))
    for left in plan.left:
        account.drop(left.reason)
    account.close()
    if not as_json:
        for entry in plan.entries:
            show(f"{entry.operation}\t{entry.source}\t{entry.target}\t{entry.note}".rstrip())
        for left in plan.left:
            show(f"leave\t{left.file}\t{left.reason}\t{left.detail}".rstrip())
    finish(account, places.out, began, as_json=as_json, quiet=quiet, more={"dry_run": True})


def _undo(places: "Places", began: float, *, as_json: bool, quiet: bool) -> None:
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.organize_undo import undo

    account = Account("organize")
    with progress("Undoing", unit="files", quiet=quiet or as_json) as advance:
        for refusal in undo(places, account):
            if refusal:
                warn(f"{refusal.file} stays: {refusal.reason} ({refusal.detail}).", quiet=quiet)
            advance(1)
    finish(account, places.folder, began, as_json=as_json, quiet=quiet, more={"undone": True})
    if account.dropped:
        raise PartialError(
            f"{account.num_read - account.num_written} files could not be put back.",
            hint="Mend the cause and give the same command again; the journal is still there.",
        )
