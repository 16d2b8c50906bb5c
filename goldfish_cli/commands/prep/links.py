"""``goldfish prep links``: which addresses of a dataset are dead."""

import time
from pathlib import Path
from typing import Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress
from goldfish_cli.commands.prep.result import finish

_DAY_S = 24 * 60 * 60


def links(
    file: Annotated[
        Path,
        typer.Argument(
            help="Parquet, CSV, TSV or JSON with a column of addresses or YouTube ids, or a text "
            "file with one a line."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The rows whose address answers, .json or .jsonl. Default: FILE.links.jsonl.",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the addresses. Default: a known name."),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=1024, help="Requests at once.")] = 32,
    per_host: Annotated[int, typer.Option(min=1, help="Requests at once to one host.")] = 4,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one attempt.")] = 20,
    retries: Annotated[int, typer.Option(min=0, help="Further attempts where it may help.")] = 2,
    max_age: Annotated[
        float,
        typer.Option(metavar="DAYS", min=0, help="Ask again what was found out longer ago."),
    ] = 7,
    allow_private: Annotated[
        bool,
        typer.Option("--allow-private", help="Visit addresses inside your own network as well."),
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find out which addresses are dead; the rows that answer are written, the others set aside.

    FILE.links.dropped.jsonl says what is wrong with each. What is certain is kept in a cache beside
    it, so the same command continues, and asks only about the rest.

    Example: goldfish prep links clips.csv --column videoid
    """
    from goldfish_cli.data.prepare.account import Account
    from goldfish_cli.data.prepare.link_cache import LinkCache
    from goldfish_cli.data.prepare.links import KIND, check_links
    from goldfish_cli.data.prepare.output import PreparedFile, provenance
    from goldfish_cli.data.prepare.web import WebLimits

    began, reused, unsure = time.monotonic(), 0, 0
    limits = WebLimits(
        timeout_s=timeout,
        retries=retries,
        parallel=parallel,
        per_host=per_host,
        allow_private=allow_private,
    )
    path = out or file.with_name(f"{file.stem}.links.jsonl")
    made_from = provenance(KIND, [file], {"column": column, "allow_private": allow_private})
    account = Account(KIND)
    with (
        LinkCache(path.with_name(f"{path.stem}.cache"), max_age_s=max_age * _DAY_S) as cache,
        PreparedFile(path, account, provenance=made_from, inputs=[file]) as output,
        progress("Links", unit="links", quiet=quiet or as_json) as advance,
    ):
        for row, finding in check_links(file, cache, limits, column=column):
            account.read()
            reused += finding.reused
            if finding.refusal is None:
                output.write(row.raw)
            else:
                unsure += not finding.refusal.lasting
                output.drop(row.raw, finding.refusal.reason, finding.refusal.detail)
            advance(1)
    if reused:
        note(f"{reused} of {account.num_read} were known from an earlier run.", quiet=quiet)
    if unsure:
        note(f"{unsure} gave no clear answer; the same command asks them again.", quiet=quiet)
    finish(account, path, began, as_json=as_json, quiet=quiet)
