"""The ``goldfish`` command: the one place where errors become text and exit codes."""

import errno
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from goldfish_cli import __version__
from goldfish_cli.commands import ask, doctor, eval, index, longask, model, prep, profile, train
from goldfish_cli.commands.output import report_error
from goldfish_cli.commands.startup import leave
from goldfish_cli.errors import GoldfishError, OutOfMemoryError, VideoError

_ORDER = ("ask", "index", "longask", "prep", "train", "eval", "profile", "model", "doctor")
_BUG = 1
_INTERRUPTED = 130
# What a path or a disk does not allow: nothing of ours is broken.
_PLACES = frozenset(
    {
        errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EEXIST,
        errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
    }
)  # fmt: skip
_BROKEN_PIPE = 141  # what a shell reports of a process that SIGPIPE ended


class GoldfishGroup(TyperGroup):
    """A group of commands that explains failures in one line instead of a traceback."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # see invoke
        """Name the commands in the order in which a user meets them."""
        return sorted(self.commands, key=_ORDER.index)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and exit with its code; ``GOLDFISH_DEBUG=1`` adds the traceback."""
        try:
            code = super().main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            sys.stdout.flush()
        except typer.TyperException as error:
            sys.exit(_explain_usage(error))
        except typer.Abort:
            sys.exit(_INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context
        """Run the command that was named, turning whatever it raises into a line and a code."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(_BROKEN_PIPE) from None
        except (Exception, KeyboardInterrupt) as error:  # the last place that can explain it
            if os.environ.get("GOLDFISH_DEBUG"):
                traceback.print_exc()
            raise typer.Exit(_explain(error)) from error


def _explain(error: BaseException) -> int:
    """Write one line about an error, and a hint, and return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        report_error("Interrupted.")
        return _INTERRUPTED
    if _is_out_of_memory(error):
        error = OutOfMemoryError(
            f"Out of memory: {_first_line(error) or 'the machine has no more to give'}",
            hint="Take a smaller profile or fewer frames; see: goldfish profile list",
        )
    if isinstance(error, OSError) and error.errno in _PLACES:
        what = f": {error.filename}" if error.filename else ""
        error = VideoError(
            f"{error.strerror}{what}.", hint="Check the path, and the room and the rights there"
        )
    if isinstance(error, GoldfishError):
        report_error(str(error), error.hint)
        return error.exit_code
    report_error(
        f"{type(error).__name__}: {_first_line(error)}",
        "This is a defect of Goldfish; GOLDFISH_DEBUG=1 shows where it happened",
        label="bug",
    )
    return _BUG


def _explain_usage(error: typer.TyperException) -> int:
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    context = getattr(error, "ctx", None)
    if message:  # without arguments Typer has shown the help page instead
        path = context.command_path if context else "goldfish"
        report_error(message, f"See: {path} --help")
    return error.exit_code


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # loading it to look at its errors would take seconds
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _discard_output() -> None:
    """Send what is still buffered for a closed pipe nowhere, or Python complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"goldfish {__version__}")
        raise typer.Exit()


app = typer.Typer(
    cls=GoldfishGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def goldfish(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Ask questions about video, from data to time-stamped answers.

    Example: goldfish ask clip.mp4 "What happens in the video?"
    """


app.command()(ask.ask)
app.add_typer(index.app, name="index")
app.command()(longask.longask)
app.add_typer(prep.app, name="prep")
app.add_typer(train.app, name="train")
app.add_typer(eval.app, name="eval")
app.add_typer(profile.app, name="profile")
app.add_typer(model.app, name="model")
app.command()(doctor.doctor)


def main() -> None:
    """Run the console script."""
    if not os.environ.get("GOLDFISH_DEBUG"):
        warnings.simplefilter("ignore")  # the libraries' advice to programmers
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # who started us has closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an answer in any script, a name in no encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="goldfish")
    except SystemExit as stop:
        leave(stop.code if isinstance(stop.code, int) else 0)


if __name__ == "__main__":
    main()
