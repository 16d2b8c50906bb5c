"""``goldfish eval``: score models on benchmarks, compare runs, list what there is."""

import typer

from goldfish_cli.commands.eval.compare import compare
from goldfish_cli.commands.eval.known import show_benchmarks
from goldfish_cli.commands.eval.run import run
from goldfish_cli.commands.groups import CommandBesideOthers

app = typer.Typer(cls=CommandBesideOthers, invoke_without_command=True, subcommand_metavar="")
app.callback()(run)
app.command("list")(show_benchmarks)
app.command("compare")(compare)
