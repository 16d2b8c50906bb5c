"""Where the index is, and what belongs to it: what all commands on it share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldfish_cli.commands.output import note, progress
from goldfish_cli.errors import IndexFolderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from goldfish_cli.longvideo.records import FilmRecord
    from goldfish_cli.longvideo.store import IndexStore
    from goldfish_cli.longvideo.vectors import VectorStore
    from goldfish_cli.longvideo.view import IndexView
    from goldfish_cli.longvideo.visual_models import VisualModel
    from goldfish_cli.longvideo.visuals import PictureSearch
    from goldfish_cli.profiles import Profile


def _named_folder(text: str) -> Path:
    if not text.strip():
        raise UsageError(
            "--index names no folder.", hint="Name one, or leave it out for the default"
        )
    return Path(text)


IndexFolder = Annotated[
    Path | None,
    typer.Option(
        "--index",
        parser=_named_folder,
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


def open_vectors(
    store: "IndexStore",
    chosen: str | None = None,
    chroma: str | None = None,
    *,
    offline: bool = False,
) -> "VectorStore | None":
    """Open an index's vectors to write, by the chosen embedder or the one that it uses.

    Raises:
        ModelError: If there is no such embedder.
        IndexFolderError: If the Chroma server does not answer.
    """
    from goldfish_cli.longvideo.embeddings import choose_embedder
    from goldfish_cli.longvideo.vectors import VectorStore, embedder_of, remember_embedder

    used, url = embedder_of(store)
    name, url = chosen or used, chroma or url
    embedder = choose_embedder(name, offline=offline, api_key=os.environ.get("OPENAI_API_KEY"))
    vectors = None if embedder is None else VectorStore(store, embedder, url=url)
    if vectors is not None and url is not None:
        vectors.check_server()
    if (name, url) != (used, embedder_of(store)[1]) or store.meta("embedder") is None:
        remember_embedder(store, name, url)
    return vectors


def update_vectors(
    store: "IndexStore", vectors: "VectorStore | None", *, quiet: bool = False
) -> None:
    """Give every passage of an index its vector."""
    if vectors is None:
        return
    total = store.count_passages()
    with progress("Vectors", total, unit="passages", quiet=quiet) as advance:
        for done in vectors.update():
            advance(done)
    for text in vectors.notes:
        note(text, quiet=quiet)


def vectors_of(
    store: "IndexView", notify: "Callable[[str], None]", *, offline: bool = False
) -> "VectorStore | None":
    """Open an index's vectors to search; without them words alone decide."""
    from goldfish_cli.longvideo.embeddings import choose_embedder
    from goldfish_cli.longvideo.vectors import VectorStore, embedder_of

    name, url = embedder_of(store)
    embedder = choose_embedder(name, offline=offline, api_key=os.environ.get("OPENAI_API_KEY"))
    if embedder is None:
        return None
    vectors = VectorStore(store, embedder, url=url)
    if not vectors.is_made:
        notify("The index has no vectors yet; words alone decide what is found.")
        return None
    return vectors


def open_pictures(
    store: "IndexStore", chosen: str | None, settings: "Profile", *, offline: bool = False
) -> "VisualModel | None":
    """Load the model that makes an index's visual vectors: the chosen one, or the one that it uses.

    Raises:
        ModelError: If there is no such model.
    """
    from goldfish_cli.longvideo.visuals import NAME, OWN

    name = chosen or store.meta(NAME) or OWN
    name = str(Path(name).resolve()) if Path(name).is_dir() else name
    pictures = None
    if name != OWN:
        from goldfish_cli.longvideo.visual_models import VisualModel
        from goldfish_cli.model.devices import choose_device

        pictures = VisualModel(name, device=choose_device(settings).type, offline=offline)
    if chosen is not None and name != store.meta(NAME):
        store.set_meta(NAME, name)
    return pictures


def pictures_of(
    store: "IndexView",
    films: "Sequence[FilmRecord]",
    notify: "Callable[[str], None]",
    *,
    offline: bool = False,
) -> "PictureSearch | None":
    """Prepare the search by looks, if any of the films was indexed for it; loads nothing yet."""
    from goldfish_cli.longvideo.visuals import NAME, OWN, PictureSearch

    used = {str(name) for film in films if (name := film.settings.get(NAME)) not in (None, OWN)}
    if not used:
        return None
    name = store.meta(NAME)
    name = name if name in used else min(used)

    def load() -> "VisualModel":
        from goldfish_cli.longvideo.visual_models import VisualModel

        return VisualModel(name, offline=offline)

    return PictureSearch(store, load, notify)


def is_file(name: str) -> bool:
    """Tell whether a file has this name; what can be no name is none."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long, or a null character in it
        return False


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
    if len(found) > 1 and is_file(wanted):  # one was replaced by the other: the file decides
        from goldfish_cli.media.video import media_hash

        here = media_hash(Path(wanted))
        found = [film for film in found if film.id == here] or found
    if len(found) > 1:
        raise IndexFolderError(
            f"{len(found)} films of the index are called {wanted}.",
            hint=f"Name one by its id: {', '.join(film.id[:8] for film in found)}",
        )
    return found[0]
