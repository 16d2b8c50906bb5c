"""What can be asked of an open index: films, clips, passages, search. Nothing is changed here."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo import rows, schema, terms
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord, Passage, PassageKind

MIN_ID_PREFIX = 4
"""Characters of a film's id that are taken for it; fewer would be found by accident."""


class IndexView:
    """The reading half of an index, over an open connection."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Read rows by SQL; for the modules beside this one."""
        with schema.guarded(self.folder):
            return self._connection.execute(statement, values).fetchall()

    def films(self) -> list[FilmRecord]:
        """Give all films, in the order in which they came."""
        found = self.query(f"SELECT {rows.FILM_COLUMNS} FROM films ORDER BY place")
        return [rows.film_of(row) for row in found]

    def film(self, film_id: str) -> FilmRecord | None:
        """Give one film, ``None`` if it is not in the index."""
        found = self.query(f"SELECT {rows.FILM_COLUMNS} FROM films WHERE id = ?", film_id)
        return rows.film_of(found[0]) if found else None

    def find_film(self, wanted: str) -> list[FilmRecord]:
        """Find films by id, path, file name, name without suffix, or the id's first characters.

        The first of these that fits anything counts. Several films: the name alone does not tell.
        """
        films = self.films()
        places = _spellings(wanted)
        for fits in (
            lambda film: film.id == wanted,
            lambda film: not places.isdisjoint(film.paths),
            lambda film: any(Path(path).name == wanted for path in film.paths),
            lambda film: any(Path(path).stem == wanted for path in film.paths),
            lambda film: len(wanted) >= MIN_ID_PREFIX and film.id.startswith(wanted),
        ):
            if found := [film for film in films if fits(film)]:
                return found
        return []

    def coverage(self, film_id: str) -> float:
        """Give the share of a film's duration, 0 to 1, that lies in clips which could be read."""
        film = self.film(film_id)
        if film is None or film.duration <= 0:
            return 0.0
        covered, reached = 0.0, film.start
        spans = "SELECT start, end FROM clips WHERE film = ? AND failed = '' ORDER BY start"
        for start, end in self.query(spans, film_id):
            last = min(end, film.end)
            covered += max(0.0, last - max(start, reached))
            reached = max(reached, last)
        return min(1.0, covered / film.duration)

    def borders(self, film_id: str) -> list[tuple[float, float]]:
        """Give start and end of a film's clips, by number."""
        spans = "SELECT start, end FROM clips WHERE film = ? ORDER BY number"
        return [(start, end) for start, end in self.query(spans, film_id)]

    def clips(self, film_id: str) -> list[ClipRecord]:
        """Give a film's clips, by number."""
        found = f"SELECT {rows.CLIP_COLUMNS} FROM clips WHERE film = ? ORDER BY number"
        return [rows.clip_of(row) for row in self.query(found, film_id)]

    def clip(self, film_id: str, number: int) -> ClipRecord | None:
        """Give one clip, ``None`` if it was not worked through yet."""
        wanted = f"SELECT {rows.CLIP_COLUMNS} FROM clips WHERE film = ? AND number = ?"
        found = self.query(wanted, film_id, number)
        return rows.clip_of(found[0]) if found else None

    def passages(self, film_id: str, kind: PassageKind | None = None) -> list[Passage]:
        """Give a film's passages of one kind or both, by clip and in a clip by time."""
        return self.passages_of(self.passage_rows([film_id], kind))

    def passage_rows(
        self, films: Collection[str] | None = None, kind: PassageKind | None = None
    ) -> list[int]:
        """Give the row numbers of passages, film after film. A number is never used again."""
        conditions, values = terms.in_films(films)
        if kind is not None:
            conditions.append("kind = ?")
            values.append(kind)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        ordered = f"SELECT id FROM passages{where} ORDER BY film, clip, start, id"
        return [row for (row,) in self.query(ordered, *values)]

    def rows_of_clips(
        self, places: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], list[int]]:
        """Give the rows of what is seen in some clips, else of what is said, by film and number."""
        found: dict[tuple[str, int], list[int]] = {}
        for film in {film for film, _ in places}:
            numbers = terms.as_json([number for one, number in places if one == film])
            kinds: dict[int, dict[str, list[int]]] = {}
            for row, clip, kind in self.query(
                "SELECT id, clip, kind FROM passages WHERE film = ?"
                " AND clip IN (SELECT value FROM json_each(?)) ORDER BY start, id",
                film,
                numbers,
            ):
                kinds.setdefault(clip, {}).setdefault(kind, []).append(row)
            for clip, by_kind in kinds.items():
                found[film, clip] = by_kind.get("seen") or by_kind["said"]
        return found

    def passages_by_row(self, wanted: Iterable[int]) -> dict[int, Passage]:
        """Give passages by row number; rows which are gone are left out."""
        numbers = terms.as_json(list(wanted))
        found = self.query(
            f"SELECT id, {rows.PASSAGE_COLUMNS} FROM passages"
            " WHERE id IN (SELECT value FROM json_each(?))",
            numbers,
        )
        return {row: Passage(*values) for row, *values in found}

    def passages_of(self, wanted: Collection[int]) -> list[Passage]:
        """Give one passage for each row, in the order asked.

        Raises:
            IndexFolderError: If a row is gone: what gave its number is older than this index.
        """
        found = self.passages_by_row(wanted)
        if gone := next((row for row in wanted if row not in found), None):
            raise IndexFolderError(
                f"Passage {gone} is no longer in the index in {self.folder}.",
                hint="The index was changed meanwhile; ask again.",
            )
        return [found[row] for row in wanted]

    def count_passages(self) -> int:
        """Count the passages of all films."""
        return self.query("SELECT count(*) FROM passages")[0][0]

    def search_lexical(
        self,
        query_terms: Iterable[str],
        *,
        films: Collection[str] | None = None,
        between: tuple[float, float] | None = None,
        limit: int = 50,
    ) -> list[tuple[int, float]]:
        """Find passages with any of the terms: row and BM25 score, the best first.

        Args:
            query_terms: Words, stems or short phrases; :meth:`telling_terms` says which are used.
            films: Ids of the films to search; ``None`` for all.
            between: Seconds; only passages which touch this span.
            limit: Passages to return at most.
        """
        with schema.guarded(self.folder):
            return terms.search(
                self._connection, query_terms, films=films, between=between, limit=limit
            )

    def telling_terms(self, query_terms: Iterable[str]) -> list[str]:
        """Choose the terms that a search uses: without what nearly every passage holds."""
        with schema.guarded(self.folder):
            return terms.telling_terms(self._connection, query_terms)

    def document_frequency(self, term: str) -> int:
        """Count the passages with a term; of several words, those with the rarest of them."""
        with schema.guarded(self.folder):
            return terms.document_frequency(self._connection, term)

    def visuals(self, film_id: str) -> tuple[list[int], NDArray[np.float16]]:
        """Give clip numbers and their visual features, ``(clips, dim)``; both may be empty."""
        stored = "SELECT number, vector FROM visuals WHERE film = ? ORDER BY number"
        found = self.query(stored, film_id)
        if not found:
            return [], np.zeros((0, 0), np.float16)
        flat = np.frombuffer(b"".join(vector for _, vector in found), "<f2").astype(np.float16)
        return [number for number, _ in found], flat.reshape(len(found), -1)

    def visuals_of(self, film_id: str, numbers: Iterable[int]) -> dict[int, NDArray[np.float16]]:
        """Give the visual features of some clips of a film by number, where there are any."""
        found = self.query(
            "SELECT number, vector FROM visuals WHERE film = ?"
            " AND number IN (SELECT value FROM json_each(?))",
            film_id,
            terms.as_json(list(numbers)),
        )
        return {number: np.frombuffer(vector, "<f2") for number, vector in found}

    def last_visual(self, film_id: str) -> int | None:
        """Give the highest number of a film's clips that has a visual feature."""
        return self.query("SELECT max(number) FROM visuals WHERE film = ?", film_id)[0][0]

    def thumbnail(self, film_id: str, number: int) -> bytes | None:
        """Give the JPEG of a clip, ``None`` if there is none."""
        stored = "SELECT jpeg FROM thumbnails WHERE film = ? AND number = ?"
        found = self.query(stored, film_id, number)
        return found[0][0] if found else None

    def thumbnail_numbers(self, film_id: str) -> list[int]:
        """Give the numbers of the clips that have a thumbnail."""
        stored = "SELECT number FROM thumbnails WHERE film = ? ORDER BY number"
        return [number for (number,) in self.query(stored, film_id)]

    def meta(self, key: str) -> str | None:
        """Give a remark on the whole index, ``None`` if there is none under that name."""
        found = self.query("SELECT value FROM meta WHERE key = ?", f"user.{key}")
        return found[0][0] if found else None

    def state(self) -> str:
        """Name what films and passages are now: another state, another name."""
        found = dict(self.query("SELECT key, value FROM meta WHERE key IN ('identity', 'changes')"))
        return f"{found['identity']}-{found['changes']}"


def _spellings(path: str) -> set[str]:
    try:
        given = Path(path).expanduser()
        return {path, str(given.absolute()), str(given.resolve())}
    except (OSError, RuntimeError, ValueError):  # no path at all: no such user, a null character
        return {path}
