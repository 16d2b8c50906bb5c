"""``goldfish index``: films into an index, and what can be done with an index."""

import typer

from goldfish_cli.commands.groups import CommandBesideOthers
from goldfish_cli.commands.index.add import add
from goldfish_cli.commands.index.look import show_film, show_films, verify_index
from goldfish_cli.commands.index.move import clean, export, import_, remove

app = typer.Typer(cls=CommandBesideOthers, invoke_without_command=True, subcommand_metavar="")
app.callback()(add)
app.command("list")(show_films)
app.command("show")(show_film)
app.command("verify")(verify_index)
app.command("remove")(remove)
app.command("export")(export)
app.command("import")(import_)
app.command("gc")(clean)
