"""Where the index is: the option that all commands on it share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.errors import IndexFolderError

if TYPE_CHECKING:
    from goldfish_cli.longvideo.records import FilmRecord
    from goldfish_cli.longvideo.view import IndexView

IndexFolder = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="DIR",
        envvar="GOLDFISH_INDEX",
        help="The index's folder. Default: index in the user's data folder.",
    ),
]
NoWait = Annotated[
    bool,
    typer.Option("--no-wait", help="Refuse, rather than wait, while another process writes."),
]


def folder_for(chosen: Path | None) -> Path:
    """Return the index folder to use, given the value of ``--index``."""
    if chosen is not None:
        return chosen
    from platformdirs import user_data_path

    return user_data_path("goldfish", appauthor=False) / "index"


def find_one(store: "IndexView", wanted: str) -> "FilmRecord":
    """Find the film that a user names.

    Raises:
        IndexFolderError: If there is none, or several.
    """
    found = store.find_film(wanted)
    if not found:
        names = ", ".join(film.name for film in store.films()[:5]) or "no film"
        raise IndexFolderError(
            f"The index in {store.folder} has no film {wanted}.", hint=f"It holds: {names}"
        )
    if len(found) > 1:
        raise IndexFolderError(
            f"{len(found)} films of the index are called {wanted}.",
            hint=f"Name one by its id: {', '.join(film.id[:8] for film in found)}",
        )
    return found[0]
