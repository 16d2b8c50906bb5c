"""A command that has others beside it: ``goldfish train 1`` and ``goldfish train compare``."""

from typing import Any

from typer.core import TyperGroup


class CommandBesideOthers(TyperGroup):
    """A group whose callback is a command with arguments of its own.

    A command line that begins with another command's name is that command's; any other one is read
    with the callback's arguments and options, which may stand in any order.
    """

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
