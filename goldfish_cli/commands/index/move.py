"""``goldfish index remove``, ``export``, ``import`` and ``gc``: films out, films in, space back."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from goldfish_cli.commands.index.folder import (
    IndexFolder,
    NoWait,
    find_one,
    folder_for,
    open_vectors,
    update_vectors,
)
from goldfish_cli.commands.options import Json, Quiet
from goldfish_cli.commands.output import note, show, show_json, write_text
from goldfish_cli.errors import UsageError

if TYPE_CHECKING:
    from goldfish_cli.longvideo.store import IndexStore


def remove(
    films: Annotated[list[str], typer.Argument(metavar="FILM...", help="Path, name or id.")],
    index: IndexFolder = None,
    no_wait: NoWait = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forget films; their files are not touched.

    Example: goldfish index remove film.mp4 --index films
    """
    from goldfish_cli.longvideo.store import IndexStore

    with IndexStore.read(folder_for(index)) as store:
        found = [find_one(store, film) for film in films]
    with _writable(index, no_wait=no_wait, quiet=quiet) as store:
        for film in found:
            store.remove_film(film.id)
            if as_json:
                show_json({"id": film.id, "video": film.paths[-1], "removed": True})
            else:
                show(f"{film.name} is no longer in the index.")
        update_vectors(store, open_vectors(store), quiet=quiet or as_json)


def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    films: Annotated[
        list[str] | None, typer.Argument(metavar="[FILM...]", help="Default: all of them.")
    ] = None,
    chapters: Annotated[
        Literal["vtt", "json", "ffmetadata"] | None,
        typer.Option(help="Write one film's chapters in this form instead."),
    ] = None,
    index: IndexFolder = None,
    as_json: Json = False,
) -> None:
    """Write films of an index into one file, to be imported elsewhere.

    Example: goldfish index export films.goldfish film.mp4 --index films
    """
    from goldfish_cli.longvideo.chapter_files import export_chapters
    from goldfish_cli.longvideo.portable import export_index
    from goldfish_cli.longvideo.store import IndexStore

    if not chapters:
        _refuse_other_file(out)
    with IndexStore.read(folder_for(index)) as store:
        found = [find_one(store, film) for film in films or []]
        for film in found or store.films():
            if not film.complete:
                covered = store.coverage(film.id)
                note(f"{film.name} is indexed to {covered:.0%} only.", quiet=as_json)
        if chapters:
            if len(found) != 1:
                raise UsageError("Chapters are those of one film.", hint="Name one film")
            write_text(
                out, export_chapters(found[0], chapters), overwrite=(".vtt", ".json", ".txt")
            )
            written = [found[0].id]
        else:
            written = export_index(store, [film.id for film in found] or None, out)
    if as_json:
        show_json({"output": out, "films": written})
    else:
        show(f"{len(written)} films written to {out}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote.")],
    index: IndexFolder = None,
    no_wait: NoWait = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read exported films into an index.

    Example: goldfish index import films.goldfish --index elsewhere
    """
    from goldfish_cli.longvideo.portable import import_index

    with _writable(index, no_wait=no_wait, quiet=quiet, new=True) as store:
        done = import_index(store, file, lambda text: note(text, quiet=quiet))
        update_vectors(store, open_vectors(store), quiet=quiet or as_json)
    if as_json:
        show_json(done)
    else:
        counts = len(done.added), len(done.replaced), len(done.skipped)
        show("{} films added, {} replaced, {} there already".format(*counts))


def clean(
    index: IndexFolder = None, no_wait: NoWait = False, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Give back the space that removed films and clips took.

    Example: goldfish index gc --index films
    """
    from goldfish_cli.longvideo.upkeep import collect_garbage

    with _writable(index, no_wait=no_wait, quiet=quiet) as store:
        done = collect_garbage(store)
    if as_json:
        show_json(done)
    else:
        freed = (done.before.total - done.after.total) / 2**20
        show(f"{sum(done.dropped.values())} rows of no clip dropped, {freed:.1f} MiB given back")


def _refuse_other_file(out: Path) -> None:
    """Stop before something that is no archive is replaced: a film is named easily by mistake."""
    if out.is_file() and not zipfile.is_zipfile(out):
        raise UsageError(
            f"{out} is there already, and is no exported index.",
            hint="The file to write comes first: goldfish index export FILE [FILM...]",
        )


def _writable(index: Path | None, *, no_wait: bool, quiet: bool, new: bool = False) -> "IndexStore":
    """Open the index to write; one that is not there is made only if ``new``."""
    from goldfish_cli.longvideo.store import IndexStore

    if not new:
        IndexStore.read(folder_for(index)).close()
    return IndexStore.create_or_open(
        folder_for(index),
        wait_s=0 if no_wait else None,
        notify=lambda text: note(text, quiet=quiet),
    )
