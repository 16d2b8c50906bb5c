"""``goldfish prep filter``: keep the annotations whose video is there and can be read."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress, warn
from goldfish_cli.commands.prep.result import finish

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.media import MediaIndex, ProbeLevel


def filter_(
    annotations: Annotated[Path, typer.Argument(metavar="IN", help="CSV, JSON or JSON lines.")],
    videos: Annotated[
        Path, typer.Option("--videos", metavar="DIR", help="Where the videos are, at any depth.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .json or .jsonl file.")],
    probe: options.Probe = "header",
    images: Annotated[
        bool, typer.Option("--images", help="Where there is no video, an image will do.")
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links to files outside DIR.")
    ] = False,
    workers: options.Workers = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Drop the rows that have no readable video.

    Every known format is read. Rows that are dropped go to FILE.dropped.jsonl with the reason.

    Example: goldfish prep filter cmd.json --videos clips/ --out train.json --probe decode
    """
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.filter import filter_rows
    from goldfish_cli.data.prepare.media import find_media
    from goldfish_cli.data.prepare.output import PreparedFile, provenance, refuse_empty

    began, silent = time.monotonic(), quiet or as_json
    index = find_media(videos, images=images, follow_links=follow_links)
    _warn_of_oddities(index, quiet=quiet)
    account, num_deep = Account("filter"), 0
    settings = {"videos": videos, "probe": probe, "images": images, "follow_links": follow_links}
    made_from = provenance("filter", [annotations], settings)
    unreadable = _unreadable(
        annotations, index, probe, workers or os.cpu_count() or 1, quiet=silent
    )
    with (
        PreparedFile(out, account, provenance=made_from, inputs=[annotations]) as output,
        progress("Filtering", unit="rows", quiet=silent) as advance,
    ):
        for outcome in filter_rows(annotations, index, unreadable, output, account):
            num_deep += outcome == "kept-deep"
            advance(1)
        refuse_empty(account)
    if num_deep:
        note(
            f"The videos of {num_deep} rows lie in folders below {videos}, where training does "
            "not look. Make it flat with: goldfish prep organize",
            quiet=quiet,
        )
    finish(account, out, began, as_json=as_json, quiet=quiet)


def _unreadable(
    annotations: Path, index: "MediaIndex", level: "ProbeLevel", workers: int, *, quiet: bool
) -> dict[Path, str]:
    """Look into the videos that are asked for; return those that cannot be read, and why."""
    from goldfish_cli.data.prepare.filter import wanted_videos
    from goldfish_cli.data.prepare.media import probe_many

    if level == "none":
        return {}
    wanted = wanted_videos(annotations, index)
    unreadable = {}
    with progress("Looking into videos", len(wanted), unit="videos", quiet=quiet) as advance:
        for path, _, error in probe_many(wanted, level, workers=workers):
            if error is not None:
                unreadable[path] = str(error)
            advance(1)
    return unreadable


def _warn_of_oddities(index: "MediaIndex", *, quiet: bool) -> None:
    collisions = index.collisions
    if collisions:
        taken, *others = next(iter(collisions.values()))
        warn(
            f"{len(collisions)} ids have several videos; such as {taken}, which is used, "
            f"and {', '.join(others)}.",
            quiet=quiet,
        )
    if index.links:
        warn(
            f"{len(index.links)} links are not followed, such as {index.links[0]}: "
            "see --follow-links.",
            quiet=quiet,
        )
