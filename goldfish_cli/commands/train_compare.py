"""``goldfish train compare``: runs side by side."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, show_json, table

if TYPE_CHECKING:
    from goldfish_cli.training.compare import RunSummary


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Folders of stages, or folders given with --out, which hold several.",
        ),
    ],
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="FILE", help="Draw all loss curves into one PNG or SVG file."
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Lay training runs side by side: settings that differ, losses, speed, memory, time.

    Runs that are not finished are shown as far as they have come.

    Example: goldfish train compare runs/first runs/second --picture curves.png
    """
    from goldfish_cli.training.compare import differing_settings, find_runs, read_run
    from goldfish_cli.training.curves import draw_together

    folders = find_runs(runs)
    summaries = [read_run(folder) for folder in folders]
    names = differing_settings(summaries)
    if as_json:
        for run in summaries:
            show_json(replace(run, settings={name: run.settings.get(name) for name in names}))
    else:
        rows = [*_results(summaries), *_settings(summaries, names)]
        table(["what", *(run.run for run in summaries)], rows)
    if picture is not None:
        draw_together({str(folder): folder for folder in folders}, picture)
        note(f"Loss curves: {picture}", quiet=quiet or as_json)


def _results(runs: "list[RunSummary]") -> list[list[object]]:
    def row(name: str, *values: object) -> list[object]:
        return [name, *values]

    return [
        row("stage", *(run.stage for run in runs)),
        row("steps", *(f"{r.steps}{'' if r.finished else ', not finished'}" for r in runs)),
        row("first loss", *(f"{run.first_loss:.4f}" for run in runs)),
        row("last loss", *(f"{run.last_loss:.4f}" for run in runs)),
        row("last loss, smoothed", *(f"{run.smoothed_loss:.4f}" for run in runs)),
        row("best held back", *map(_best, runs)),
        row("tokens/s", *(f"{run.tokens_per_second:,.0f}" for run in runs)),
        row("most memory", *(f"{run.memory:.2f} GiB" for run in runs)),
        row("time", *(str(timedelta(seconds=round(run.seconds))) for run in runs)),
    ]


def _best(run: "RunSummary") -> str:
    if run.best_validation_loss is None:
        return ""
    return f"{run.best_validation_loss:.4f} at step {run.best_validation_step}"


def _settings(runs: "list[RunSummary]", names: list[str]) -> list[list[object]]:
    return [
        [name.removeprefix("settings."), *(run.settings.get(name) for run in runs)]
        for name in names
    ]
