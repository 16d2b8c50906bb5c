"""``goldfish prep shapes``: draw Shapes World."""

import os
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, progress, show, show_json
from goldfish_cli.errors import UsageError


def shapes(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder.")],
    clips: Annotated[int, typer.Option(min=0, help="Video clips.")] = 1000,
    images: Annotated[int, typer.Option(min=0, help="Pictures with captions.")] = 1000,
    questions: Annotated[int, typer.Option(min=0, help="Questions about each clip.")] = 8,
    split: Annotated[
        Literal["train", "val", "test"],
        typer.Option(help="No two splits share a clip, whatever the seeds."),
    ] = "train",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Word the questions as training never does.")
    ] = False,
    min_height: Annotated[
        int, typer.Option(min=32, max=2160, help="Smallest frame, pixels.")
    ] = 112,
    max_height: Annotated[int, typer.Option(min=32, max=2160, help="Largest frame, pixels.")] = 360,
    films: Annotated[
        int,
        typer.Option(
            min=0, help="Make that many films instead: clips end to end, with questions about each."
        ),
    ] = 0,
    film_minutes: Annotated[
        float, typer.Option(min=0.5, max=600.0, help="Length of a film, in minutes.")
    ] = 10.0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that draw. Default: one a core.")
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    seed: options.Seed = 0,
) -> None:
    """Make Shapes World: videos, captions, pictures, questions, and the truth about each clip.

    The same command makes the same data; one that was stopped continues.

    Example: goldfish prep shapes --out data/shapes --clips 100 --images 100 --seed 1
    """
    draw = workers or os.cpu_count() or 1
    if films:
        if held_out:
            raise UsageError(
                "Questions about films have no held-out wordings.", hint="Leave out --held-out"
            )
        _films(out, split, seed, films, film_minutes, draw, as_json=as_json, quiet=quiet)
        return

    from goldfish_cli.data.shapes.encode import BLOCK

    if -(-min_height // BLOCK) > max_height // BLOCK:
        raise UsageError(
            f"No multiple of {BLOCK} lies from height {min_height} to {max_height}.",
            hint="Videos are drawn in heights of 112, 128, 144 ... pixels.",
        )

    from goldfish_cli.data.shapes.writer import ShapesPlan, num_shards, write_shapes

    plan = ShapesPlan(
        split=split,
        seed=seed,
        clips=clips,
        images=images,
        questions=questions,
        held_out_wordings=held_out,
        min_height=min_height,
        max_height=max_height,
    )
    began, reused = time.monotonic(), 0
    total = clips + num_shards(plan)
    with progress("Drawing", total, unit="files", quiet=quiet or as_json) as advance:
        for made in write_shapes(out, plan, workers=draw):
            reused += made.reused
            advance(1)
    seconds = round(time.monotonic() - began, 3)
    if reused:
        note(f"{reused} of {total} files were there already.", quiet=quiet)
    if as_json:
        written = clips + images
        show_json(
            {
                "kind": "shapes",
                "read": written,
                "written": written,
                "dropped": {},
                "output": out,
                "seconds": seconds,
            }
        )
    else:
        show(f"{clips} clips with {clips * questions} questions, {images} pictures in {out}")


def _films(
    out: Path,
    split: Literal["train", "val", "test"],
    seed: int,
    films: int,
    minutes: float,
    workers: int,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from goldfish_cli.data.shapes.film_writer import FilmsPlan, write_films

    began, reused = time.monotonic(), 0
    plan = FilmsPlan(split, seed, films, minutes)
    with progress("Drawing", films, unit="films", quiet=quiet or as_json) as advance:
        for made in write_films(out, plan, workers=workers):
            reused += made.reused
            advance(1)
    if reused:
        note(f"{reused} of {films} films were there already.", quiet=quiet)
    if as_json:
        seconds = round(time.monotonic() - began, 3)
        result = {"kind": "shapes", "read": films, "written": films, "dropped": {}}
        show_json({**result, "output": out, "seconds": seconds})
    else:
        show(f"{films} films of {minutes:g} minutes, with questions, in {out}")
