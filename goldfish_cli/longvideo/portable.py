"""Films of an index in one file, to be carried to another index, where they answer as here."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo.archive import CHUNK, ArchiveReader, damaged, new_archive, open_archive
from goldfish_cli.longvideo.chapter_files import export_chapters
from goldfish_cli.longvideo.lock import Notify
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.longvideo.visual_files import VisualsReader, write_visuals

__all__ = ["Imported", "export_chapters", "export_index", "import_index"]

FILMS, CLIPS, VISUALS = "films.jsonl", "clips.jsonl", "visuals.npz"
MEMBERS = re.compile(r"films\.jsonl|clips\.jsonl|visuals\.npz|thumbnails/\d{1,9}/\d{1,9}\.jpg")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _ExportedClip:
    """A line of ``clips.jsonl``."""

    film: str
    clip: ClipRecord


@dataclass(frozen=True, slots=True)
class _Film:
    """All that a file holds of a film, less its thumbnails."""

    record: FilmRecord
    clips: list[ClipRecord]
    visuals: dict[int, NDArray[np.float16]]


_FILM = TypeAdapter(FilmRecord)
_EXPORTED_CLIP = TypeAdapter(_ExportedClip)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, as ids of films."""

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    """Films that were there with the same clips."""


def export_index(store: IndexView, film_ids: Collection[str] | None, path: Path) -> list[str]:
    """Write films with their clips, features and thumbnails to one file; give their ids.

    The file is a zip: a manifest with sizes and hashes, ``films.jsonl``, ``clips.jsonl`` (film
    after film), ``visuals.npz``, and ``thumbnails/<place of the film>/<clip>.jpg``. It is there
    as a whole or not at all; a file of that name is replaced.

    Args:
        store: An open index.
        film_ids: The films to write; ``None`` for all.
        path: The file.

    Raises:
        IndexFolderError: If a film is not in the index, or the file cannot be written.
    """
    films = [film for film in store.films() if film_ids is None or film.id in film_ids]
    if unknown := set(film_ids or ()) - {film.id for film in films}:
        raise IndexFolderError(
            f"Film {min(unknown)} is not in the index in {store.folder}.",
            hint=f"See what is: goldfish index list --index {store.folder}",
        )
    with new_archive(path) as archive:
        archive.add_chunks(FILMS, (_line(asdict(film)) for film in films))
        archive.add_chunks(CLIPS, _clip_lines(store, films))
        with tempfile.TemporaryFile() as packed:
            write_visuals(packed, (store.visuals(film.id) for film in films))
            archive.add_chunks(VISUALS, _chunks(packed))
        for place, film in enumerate(films):
            for number in store.thumbnail_numbers(film.id):
                jpeg = store.thumbnail(film.id, number) or b""
                archive.add(f"thumbnails/{place}/{number}.jpg", jpeg, packed=False)
    return [film.id for film in films]


def import_index(store: IndexStore, path: Path, notify: Notify | None = None) -> Imported:
    """Take the films of an exported file into an index open to write.

    A film that is there with the same clips, or whole where the file has a part of it, is skipped;
    any other one of the same id is replaced. Each
    film comes in one transaction, after the whole file was checked: never half a film.

    Raises:
        IndexFolderError: If the file is damaged, hostile, of a newer format, or not ours.
    """
    done: dict[str, list[str]] = {"added": [], "replaced": [], "skipped": []}
    with open_archive(path, members=MEMBERS) as archive, tempfile.TemporaryFile() as copy:
        if missing := next((one for one in (FILMS, CLIPS, VISUALS) if one not in archive), ""):
            raise damaged(path, f"{missing} is missing")
        archive.copy_to(VISUALS, copy)
        for _ in _read_films(archive, copy):
            pass  # all of it once, so that nothing is taken of a file that ends badly
        for place, film in enumerate(_read_films(archive, copy)):
            what = _take(store, archive, place, film)
            done[what].append(film.record.id)
            if notify is not None:
                notify(f"{film.record.name}: {what} ({len(film.clips)} clips).")
    return Imported(**{what: tuple(films) for what, films in done.items()})


def _take(
    store: IndexStore, archive: ArchiveReader, place: int, film: _Film
) -> Literal["added", "replaced", "skipped"]:
    """Bring one film into the index, as a whole or not at all."""
    record = film.record
    here = store.film(record.id)
    if here is not None:
        elsewhere = tuple(path for path in record.paths if path not in here.paths)
        record = replace(record, paths=elsewhere + here.paths)  # the newest is the one here
        if replace(here, paths=record.paths) == record and store.clips(here.id) == film.clips:
            return "skipped"
        if here.complete and not record.complete:
            return "skipped"  # there is more of it here
    with store.transaction():
        store.put_film(record)
        store.drop_clips_from(record.id, 0)
        for clip in film.clips:
            name = f"thumbnails/{place}/{clip.number}.jpg"
            store.put_clip(
                record.id,
                clip,
                visual=film.visuals.get(clip.number),
                thumbnail=archive.data(name) if name in archive else None,
            )
    return "added" if here is None else "replaced"


def _read_films(archive: ArchiveReader, packed_visuals: IO[bytes]) -> Iterator[_Film]:
    visuals = VisualsReader(archive.path, packed_visuals)
    clips = (_parsed(archive, _EXPORTED_CLIP, line) for line in archive.lines(CLIPS))
    following = next(clips, None)
    seen: set[str] = set()
    for place, line in enumerate(archive.lines(FILMS)):
        film = _parsed(archive, _FILM, line)
        own: list[ClipRecord] = []
        while following is not None and following.film == film.id:
            own.append(following.clip)
            following = next(clips, None)
        if film.id in seen or not film.paths or len({clip.number for clip in own}) < len(own):
            raise damaged(archive.path, f"film {film.id} is not there exactly once")
        seen.add(film.id)
        yield _Film(film, own, visuals.of_film(place))
    if following is not None:
        raise damaged(archive.path, f"clips of film {following.film} are out of place")


def _parsed(archive: ArchiveReader, kind: TypeAdapter[_T], line: bytes) -> _T:
    try:
        return kind.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise damaged(archive.path, f"{place or 'a line'}: {first['msg']}") from error


def _clip_lines(store: IndexView, films: list[FilmRecord]) -> Iterator[bytes]:
    for film in films:
        for clip in store.clips(film.id):
            yield _line(asdict(_ExportedClip(film.id, clip)))


def _line(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk
