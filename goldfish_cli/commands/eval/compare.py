"""``goldfish eval compare``: two runs question by question."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands.eval.show import interval, percent
from goldfish_cli.commands.options import Json, Quiet, Seed
from goldfish_cli.commands.output import note, show, show_json, table, warn

if TYPE_CHECKING:
    from goldfish_cli.evaluation.compare import Difference


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="The --out folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="That of another one.")],
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two runs on the questions that both answered: is the difference more than chance?

    Example: goldfish eval compare runs/eval/before runs/eval/after
    """
    from goldfish_cli.evaluation.compare import compare_runs
    from goldfish_cli.evaluation.run_folder import read_run

    found = compare_runs(read_run(first), read_run(second), seed=seed)
    for text in found.warnings:
        warn(text, quiet=quiet)
    if as_json:
        show_json(found)
        return
    rows = {"all": found.whole, **found.by}
    table(
        ["", "n", "A", "B", "B - A", "95 %", "p", "A only", "B only"],
        [[name, *_cells(one)] for name, one in rows.items()],
    )
    if found.settings:
        show("")
        table(["setting", "A", "B"], [[name, *values] for name, values in found.settings.items()])
    if found.whole.videos == 1:
        note("One video is all there is: nothing can be said about chance.", quiet=quiet)


def _cells(one: "Difference") -> list[object]:
    is_share = one.mcnemar_p is not None
    means = [percent(one.first), percent(one.second), percent(one.difference)]
    grades = [f"{one.first:.2f}", f"{one.second:.2f}", f"{one.difference:.2f}"]
    ends = "" if one.ci95 is None else f"{one.ci95[0]:.2f} to {one.ci95[1]:.2f}"
    return [
        one.n,
        *(means if is_share else grades),
        interval(one.ci95) if is_share else ends,
        f"{one.p:.3g}",
        one.only_first,
        one.only_second,
    ]
