"""``goldfish prep cmd``: captions of film clips from the tables of Condensed Movies."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress
from goldfish_cli.commands.prep.result import finish
from goldfish_cli.errors import UsageError

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.media import MediaIndex


def cmd(
    clips: Annotated[Path, typer.Option("--clips", metavar="FILE", help="clips.csv")],
    descriptions: Annotated[
        Path, typer.Option("--descriptions", metavar="FILE", help="descriptions.csv")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .json or .jsonl file.")],
    durations: Annotated[
        Path | None,
        typer.Option("--durations", metavar="FILE", help="durations.csv: adds the length."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", metavar="FILE", help="split.csv: adds train, val or test by film."),
    ] = None,
    only: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option("--only", help="Write this split alone. Needs --split."),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos", metavar="DIR", help="Drop clips without a video here, at any depth."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Switch a rule against junk captions off: empty, link or one-word. "
            "May be repeated.",
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Join the tables of Condensed Movies into captions, one clip a row.

    Title, clip name, year, film, split and length are kept beside the caption. Clips that are
    dropped go to FILE.dropped.jsonl with the reason.

    Example: goldfish prep cmd --clips clips.csv --descriptions descriptions.csv
    --split split.csv --only train --videos clips/ --out cmd.json
    """
    if only and split is None:
        raise UsageError("--only needs to know the splits.", hint="Add: --split split.csv")

    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.condensed_movies import ClipJoin, Tables
    from goldfish_cli.data.prepare.output import PreparedFile, provenance, refuse_empty
    from goldfish_cli.data.prepare.rules import caption_rules, check_names
    from goldfish_cli.data.text_files import count_lines

    began = time.monotonic()
    rules = caption_rules()
    off = check_names(without or [], [rule.name for rule in rules], option="--without")
    rules = tuple(rule for rule in rules if rule.name not in off)
    tables = Tables(clips, descriptions, durations, split)
    settings = {
        "rules": [rule.name for rule in rules],
        "only": only,
        "videos": videos,
    }
    made_from = provenance("cmd", tables.paths(), settings)
    join = ClipJoin(tables, videos=_index(videos), rules=rules, only=only)
    account = Account("cmd")
    with (
        PreparedFile(out, account, provenance=made_from, inputs=tables.paths()) as output,
        progress("Joining", count_lines(clips), unit="clips", quiet=quiet or as_json) as advance,
    ):
        for _ in join.run(output, account):
            advance(1)
        refuse_empty(account)
    unused = ", ".join(f"{count} {name}" for name, count in join.unused.items() if count)
    if unused:
        note(f"{unused} belong to no clip.", quiet=quiet)
    if split is not None and not only:
        note(f"{out.name} holds all splits; train on one with --only train.", quiet=quiet)
    finish(account, out, began, as_json=as_json, quiet=quiet)


def _index(videos: Path | None) -> "MediaIndex | None":
    if videos is None:
        return None

    from goldfish_cli.data.prepare.media import find_media

    return find_media(videos)
