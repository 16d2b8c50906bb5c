"""``goldfish index``: films into an index, and what can be done with an index."""

from typing import Any

import typer
from typer.core import TyperGroup

from goldfish_cli.commands.index.add import add
from goldfish_cli.commands.index.look import show_film, show_films, verify_index
from goldfish_cli.commands.index.move import clean, export, import_, remove


class IndexGroup(TyperGroup):
    """``index VIDEO...`` is a command with options of its own; ``index list`` is one beside it."""

    allow_interspersed_args = True
    allow_extra_args = False

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Any = None,
        **extra: Any,
    ) -> Any:
        """Read a command line, as the group's own or as that of the command it begins with."""
        first = args[0] if args else ""
        if first in self.commands:
            command = self.commands[first]
            return command.make_context(f"{info_name} {first}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


app = typer.Typer(cls=IndexGroup, invoke_without_command=True, subcommand_metavar="")
app.callback()(add)
app.command("list")(show_films)
app.command("show")(show_film)
app.command("verify")(verify_index)
app.command("remove")(remove)
app.command("export")(export)
app.command("import")(import_)
app.command("gc")(clean)
