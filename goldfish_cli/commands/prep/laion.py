"""``goldfish prep laion``: pictures and captions for stage 1."""

import os
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress
from goldfish_cli.commands.prep.result import finish

_PICTURES = "Pictures and captions"
_DOWNLOADS = "Downloads"


def laion(
    source: Annotated[
        Path,
        typer.Argument(
            help="A folder of images with .txt or .json beside them; a parquet, CSV, TSV or JSON "
            "file of addresses and captions; WebDataset tars; or a folder of tables or tars."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the tars; train reads it.")
    ],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop when so many pictures are written.")
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Pictures in one tar.")] = 1000,
    captions: Annotated[
        Literal["clean", "reference", "raw"],
        typer.Option(
            help="clean: entities and spaces mended. reference: also lower case, without "
            "punctuation, as in MiniGPT4-Video's first stage. raw: as they are.",
            rich_help_panel=_PICTURES,
        ),
    ] = "clean",
    max_words: Annotated[
        int, typer.Option(min=1, help="Cut longer captions.", rich_help_panel=_PICTURES)
    ] = 50,
    min_side: Annotated[
        int,
        typer.Option(
            min=1, help="Drop images whose shorter side is less.", rich_help_panel=_PICTURES
        ),
    ] = 64,
    max_side: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Shrink images whose longer side is more. Default: JPEGs stay as they are.",
            rich_help_panel=_PICTURES,
        ),
    ] = None,
    max_megapixels: Annotated[
        float,
        typer.Option(
            min=0.01,
            help="Refuse larger images, which may be decompression bombs.",
            rich_help_panel=_PICTURES,
        ),
    ] = 64,
    max_mib: Annotated[
        float, typer.Option(min=0.001, help="Drop larger files.", rich_help_panel=_PICTURES)
    ] = 20,
    url_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Column of the addresses. Default: a known name.",
            rich_help_panel=_DOWNLOADS,
        ),
    ] = None,
    caption_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Column of the captions. Default: a known name.",
            rich_help_panel=_DOWNLOADS,
        ),
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="At once.", rich_help_panel=_DOWNLOADS)
    ] = 32,
    per_host: Annotated[
        int, typer.Option(min=1, help="At once from one host.", rich_help_panel=_DOWNLOADS)
    ] = 4,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, help="Seconds for one attempt.", rich_help_panel=_DOWNLOADS),
    ] = 20,
    retries: Annotated[
        int,
        typer.Option(min=0, help="Further attempts where it may help.", rich_help_panel=_DOWNLOADS),
    ] = 2,
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private",
            help="Visit addresses inside your own network as well.",
            rich_help_panel=_DOWNLOADS,
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that check images. Default: one a core.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make WebDataset tars of images and captions: key.jpg, key.json with "caption".

    Images that are broken, tiny or none at all are dropped; DIR/dropped.jsonl says which and why.
    The same command continues a run that was stopped. DIR is replaced when all is done.

    Example: goldfish prep laion laion.parquet --out data/laion --limit 1000 --shard-size 1000
    """
    from goldfish_cli.data.prepare.image_checks import ImageRules
    from goldfish_cli.data.prepare.image_sources import open_source
    from goldfish_cli.data.prepare.laion import ImagePlan, open_shards, write_images
    from goldfish_cli.data.prepare.web import MIB, WebLimits

    began = time.monotonic()
    max_bytes = int(max_mib * MIB)
    plan = ImagePlan(
        limit=limit,
        shard_size=shard_size,
        captions=captions,
        max_words=max_words,
        rules=ImageRules(
            min_side=min_side,
            max_pixels=int(max_megapixels * 1e6),
            max_bytes=max_bytes,
            max_side=max_side,
        ),
        web=WebLimits(
            timeout_s=timeout,
            max_bytes=max_bytes,
            retries=retries,
            parallel=parallel,
            per_host=per_host,
            allow_private=allow_private,
        ),
    )
    found = open_source(source, url_column=url_column, caption_column=caption_column)
    total = limit or found.num_pairs
    with open_shards(found, out, plan) as shards:
        if shards.done.rows:
            note(f"Continuing behind row {shards.done.rows}.", quiet=quiet)
        with progress("Images", total, unit="images", quiet=quiet or as_json) as advance:
            advance(shards.done.written if limit else shards.done.rows)
            for written in write_images(found, shards, plan, workers=workers or _cores()):
                advance(written if limit else 1)
    finish(shards.account, out, began, as_json=as_json, quiet=quiet)


def _cores() -> int:
    return os.cpu_count() or 1
