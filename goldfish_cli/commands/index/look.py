"""``goldfish index list``, ``show`` and ``verify``: what an index holds, and if it is sound."""

from typing import Annotated

import typer

from goldfish_cli.commands.index.folder import IndexFolder, find_one, folder_for
from goldfish_cli.commands.options import Json
from goldfish_cli.commands.output import note, show, show_json, table
from goldfish_cli.errors import IndexFolderError

FilmName = Annotated[
    str, typer.Argument(metavar="FILM", help="A path, a file name, or the start of an id.")
]


def show_films(index: IndexFolder = None, as_json: Json = False) -> None:
    """List the films of an index.

    Example: goldfish index list --index films
    """
    from goldfish_cli.longvideo.clock import clock
    from goldfish_cli.longvideo.store import IndexStore

    with IndexStore.read(folder_for(index)) as store:
        rows = [
            {
                "id": film.id,
                "video": film.paths[-1],
                "duration": round(film.duration, 3),
                "clips": len(store.borders(film.id)),
                "coverage": round(store.coverage(film.id), 4),
                "complete": film.complete,
                "subtitles": film.subtitles,
                "model": film.settings.get("model"),
            }
            for film in store.films()
        ]
    if as_json:
        for row in rows:
            show_json(row)
        return
    table(
        ["id", "film", "length", "clips", "covered", "subtitles", "model"],
        [
            [
                str(row["id"])[:8],
                str(row["video"]).rsplit("/", 1)[-1],
                clock(row["duration"]),  # type: ignore[arg-type]
                row["clips"],
                f"{row['coverage']:.0%}",
                row["subtitles"],
                row["model"] or "none",
            ]
            for row in rows
        ],
    )


def show_film(film: FilmName, index: IndexFolder = None, as_json: Json = False) -> None:
    """Show what an index knows of a film, clip by clip.

    Example: goldfish index show film.mp4 --index films
    """
    from goldfish_cli.longvideo.clock import span
    from goldfish_cli.longvideo.store import IndexStore

    with IndexStore.read(folder_for(index)) as store:
        found = find_one(store, film)
        clips = store.clips(found.id)
    if as_json:
        show_json(found)
        for clip in clips:
            show_json(clip)
        return
    if found.summary:
        show(found.summary + "\n")
    table(
        ["clip", "time", "seen", "said"],
        [
            [
                clip.number,
                span(clip.start - found.start, clip.end - found.start),
                f"({clip.failed})" if clip.failed else " ".join(clip.summary.split()),
                " ".join(" ".join(cue.text.split()) for cue in clip.cues),
            ]
            for clip in clips
        ],
    )


def verify_index(index: IndexFolder = None, as_json: Json = False) -> None:
    """Check that an index is whole: clips, passages, search, sources.

    Example: goldfish index verify --index films
    """
    from goldfish_cli.longvideo.store import IndexStore
    from goldfish_cli.longvideo.upkeep import remarks, sizes, verify

    with IndexStore.read(folder_for(index)) as store:
        problems, said, size = verify(store), remarks(store), sizes(store)
        films = len(store.films())
    if as_json:
        show_json({"films": films, "problems": problems, "remarks": said, "bytes": size})
    else:
        for text in said:
            note(text)
        for text in problems:
            show(text)
        if not problems:
            show(f"{films} films, no problem found.")
    if problems:
        raise IndexFolderError(
            f"{len(problems)} problems in the index.", hint="Repeat: goldfish index VIDEO"
        )
