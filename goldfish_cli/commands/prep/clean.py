"""``goldfish prep clean``: mend annotations, and drop those that cannot be used."""

import time
from pathlib import Path
from typing import Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress
from goldfish_cli.commands.prep.result import finish


def clean(
    annotations: Annotated[Path, typer.Argument(metavar="IN", help="CSV, JSON or JSON lines.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .json or .jsonl file.")],
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Switch a rule off: trim, encoding, empty, too-long, duplicate or "
            "repeated-caption. May be repeated.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="RULE",
            help="Switch a rule on: link or one-word, against such captions. May be repeated.",
        ),
    ] = None,
    max_words: Annotated[
        int, typer.Option(min=1, help="Longest answer or caption, in words (too-long).")
    ] = 384,
    max_films: Annotated[
        int, typer.Option(min=1, help="Films that may share one caption (repeated-caption).")
    ] = 1,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Unify keys, mend texts, and drop rows that are empty, too long or repeated.

    Every known format is read. Rows that are dropped go to FILE.dropped.jsonl with the reason.
    Cleaning what is clean changes nothing.

    Example: goldfish prep clean train.json --out clean.json --without repeated-caption
    """
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.clean import EXTRA_RULES, RULES, Cleaner, CleanSettings
    from goldfish_cli.data.prepare.output import PreparedFile, provenance, refuse_empty
    from goldfish_cli.data.prepare.rules import check_names

    began, silent = time.monotonic(), quiet or as_json
    off = check_names(without or [], [*RULES], option="--without")
    on = check_names(also or [], [*EXTRA_RULES], option="--with")
    settings = CleanSettings(frozenset(RULES) - off | on, max_words, max_films)
    cleaner = Cleaner(annotations, settings)
    account = Account("clean")
    chosen = {"rules": sorted(settings.rules), "max_words": max_words, "max_films": max_films}
    num_rows = None
    if cleaner.needs_survey:
        num_rows = 0
        with progress("Looking for repeats", unit="rows", quiet=silent) as advance:
            for _ in cleaner.survey():
                num_rows += 1
                advance(1)
    made_from = provenance("clean", [annotations], chosen)
    with (
        PreparedFile(out, account, provenance=made_from, inputs=[annotations]) as output,
        progress("Cleaning", num_rows, unit="rows", quiet=silent) as advance,
    ):
        for _ in cleaner.clean(output, account):
            advance(1)
        refuse_empty(account)
    mended = dict(sorted(cleaner.mended.items()))
    if mended:
        counts = ", ".join(f"{name} {count}" for name, count in mended.items())
        note(f"Rows mended: {counts}.", quiet=quiet)
    finish(account, out, began, as_json=as_json, quiet=quiet, more={"mended": mended})
