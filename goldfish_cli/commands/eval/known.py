"""``goldfish eval list``: the benchmarks, their splits and rules."""

from goldfish_cli.commands.options import Json
from goldfish_cli.commands.output import show, show_json, table


def show_benchmarks(as_json: Json = False) -> None:
    """List the benchmarks: what is scored, how, on which split, and where the files come from.

    Example: goldfish eval list
    """
    from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS

    if as_json:
        for one in BENCHMARKS.values():
            show_json(
                {
                    "benchmark": one.name,
                    "title": one.title,
                    "long": one.is_long,
                    "metric": one.metric,
                    "split": one.split,
                    "source": one.source,
                }
            )
        return
    table(
        ["benchmark", "title", "through an index"],
        [[one.name, one.title, "yes" if one.is_long else ""] for one in BENCHMARKS.values()],
    )
    for one in BENCHMARKS.values():
        show(f"\n{one.name}\n  metric: {one.metric}\n  split: {one.split}\n  from: {one.source}")
