"""``goldfish prep videochatgpt``: instructions about videos, from any format."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import progress
from goldfish_cli.commands.prep.result import finish

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.videochatgpt import KnownVideos


def videochatgpt(
    annotations: Annotated[Path, typer.Argument(metavar="IN", help="CSV, JSON or JSON lines.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .json or .jsonl file.")],
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            metavar="DIR",
            help="Where the videos are, at any depth: adds their length in seconds, and drops "
            "rows without a readable video.",
        ),
    ] = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make training data of questions and answers about videos.

    Reads tables with or without header, and the JSON of VideoInstruct-100K, LLaVA, OpenAI,
    ms-swift and ShareGPT; dialogues stay dialogues. Rows that are dropped go to
    FILE.dropped.jsonl with the reason.

    Example: goldfish prep videochatgpt VideoInstruct100K.json --videos clips/ --out train.json
    """
    from goldfish_cli.data.items import estimate_items
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.output import PreparedFile, provenance, refuse_empty
    from goldfish_cli.data.prepare.videochatgpt import convert_rows

    began, silent = time.monotonic(), quiet or as_json
    made_from = provenance("videochatgpt", [annotations], {"videos": videos})
    known = None
    if videos is not None:
        known = _look_into(annotations, videos, workers or os.cpu_count() or 1, quiet=silent)
    account = Account("videochatgpt")
    with (
        PreparedFile(out, account, provenance=made_from, inputs=[annotations]) as output,
        progress("Converting", estimate_items(annotations), unit="rows", quiet=silent) as advance,
    ):
        for _ in convert_rows(annotations, output, account, videos=known):
            advance(1)
        refuse_empty(account)
    finish(account, out, began, as_json=as_json, quiet=quiet)


def _look_into(annotations: Path, videos: Path, workers: int, *, quiet: bool) -> "KnownVideos":
    """Find the videos that are asked for, and how long each is."""
    from goldfish_cli.data.prepare.filter import wanted_videos
    from goldfish_cli.data.prepare.media import find_media, probe_many
    from goldfish_cli.data.prepare.videochatgpt import KnownVideos

    index = find_media(videos)
    wanted = wanted_videos(annotations, index)
    lengths, unreadable = {}, {}
    with progress("Looking into videos", len(wanted), unit="videos", quiet=quiet) as advance:
        for path, info, error in probe_many(wanted, "header", workers=workers):
            if info is not None:
                lengths[path] = round(info.duration, 3)
            else:
                unreadable[path] = str(error)
            advance(1)
    return KnownVideos(index, lengths, unreadable)
