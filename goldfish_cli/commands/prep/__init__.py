"""``goldfish prep``: make and check training data. One file a kind."""

import typer

from goldfish_cli.commands.prep.check import check
from goldfish_cli.commands.prep.clean import clean
from goldfish_cli.commands.prep.cmd import cmd
from goldfish_cli.commands.prep.features import features
from goldfish_cli.commands.prep.filter import filter_
from goldfish_cli.commands.prep.laion import laion
from goldfish_cli.commands.prep.links import links
from goldfish_cli.commands.prep.organize import organize
from goldfish_cli.commands.prep.shapes import shapes
from goldfish_cli.commands.prep.subtitles import subtitles
from goldfish_cli.commands.prep.videochatgpt import videochatgpt

app = typer.Typer(
    no_args_is_help=True,
    help="Make training data.\n\nExample: goldfish prep shapes --out data/shapes --clips 100",
)
app.command()(cmd)
app.command()(videochatgpt)
app.command()(organize)
app.command("filter")(filter_)
app.command()(clean)
app.command()(laion)
app.command()(links)
app.command()(shapes)
app.command()(subtitles)
app.command()(features)
app.command()(check)
