"""The index of films in a folder: records in, records out, each put whole or not at all.

One process writes at a time; readers see the index as it was when they opened it, and open afresh
to see more. Chroma's vectors are derived from what is here, and not known here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.longvideo import rows, schema
from goldfish_cli.longvideo.lock import Notify, WriteLock
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.terms import index_text
from goldfish_cli.longvideo.view import IndexView


class IndexStore(IndexView):
    """An open index. A context manager; open it by :meth:`create_or_open` or :meth:`read`."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, lock: WriteLock | None
    ) -> None:
        super().__init__(folder, connection)
        self._lock = lock

    @classmethod
    def create_or_open(
        cls, folder: Path, *, wait_s: float | None, notify: Notify | None = None
    ) -> IndexStore:
        """Open a folder to write, made if there is none, once no other process writes there.

        Args:
            folder: The index folder.
            wait_s: Seconds to wait for another writer; 0 refuses at once, ``None`` waits for ever.
            notify: Told once who is waited for.

        Raises:
            IndexFolderError: If the folder is taken, unwritable, damaged, or of a newer format.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise schema.unwritable(folder, error.strerror or str(error)) from error
        lock = WriteLock(folder)
        lock.acquire(wait_s, notify)
        try:
            return cls(folder, schema.open_to_write(folder), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read(cls, folder: Path) -> IndexStore:
        """Open an index as it is now, also while another process writes.

        Raises:
            IndexFolderError: If there is none, or it is damaged or of a newer format.
        """
        return cls(folder, schema.open_to_read(folder), None)

    def __enter__(self) -> IndexStore:
        """Give the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store; every transaction has ended by then."""
        self.close()

    def close(self) -> None:
        """Close the database and let the next writer in. May be called twice."""
        try:
            self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    @property
    def is_writable(self) -> bool:
        """Whether it was opened to write."""
        return self._lock is not None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all that is put inside one step: it lasts as a whole, or nothing of it does."""
        if not self.is_writable:
            raise RuntimeError("This index was opened to be read.")
        if self._connection.in_transaction:
            yield
            return
        with schema.guarded(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself goes back on a full disk
                    self._connection.execute("ROLLBACK")
                raise

    def execute(self, statement: str, *values: Any) -> int:
        """Change rows by SQL and give their number; for the modules beside this one."""
        with self.transaction():
            return self._connection.execute(statement, values).rowcount

    def tidy(self) -> None:
        """Give free space back to the disk, and fold the journal into the file."""
        with schema.guarded(self.folder):
            self.execute("INSERT INTO passages_fts (passages_fts) VALUES ('optimize')")
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()

    def put_film(self, film: FilmRecord) -> None:
        """Add a film, or change what is known of it; its clips stay."""
        if self.film(film.id) == film:
            return
        names = rows.FILM_COLUMNS.split(", ")
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        with self.transaction():
            self.execute(
                f"INSERT INTO films ({rows.FILM_COLUMNS}) VALUES ({_marks(len(names))})"
                f" ON CONFLICT (id) DO UPDATE SET {changes}",
                *rows.film_row(film),
            )
            self.count_change()

    def remove_film(self, film_id: str) -> None:
        """Forget a film with all that belongs to it; an unknown one is no error."""
        with self.transaction():
            if self.execute("DELETE FROM films WHERE id = ?", film_id):
                self.count_change()

    def put_clip(
        self,
        film_id: str,
        clip: ClipRecord,
        *,
        visual: NDArray[np.float16] | None = None,
        thumbnail: bytes | None = None,
    ) -> None:
        """Add a clip to a film that is there, or replace the one of its number, in one step.

        Its passages are replaced with it; visual feature and thumbnail stay where none is given.
        """
        with self.transaction():
            if self.clip(film_id, clip.number) != clip:
                self._replace_clip(film_id, clip)
            if visual is not None:
                self.put_visual(film_id, clip.number, visual)
            if thumbnail is not None:
                self.put_thumbnail(film_id, clip.number, thumbnail)

    def drop_clips_from(self, film_id: str, number: int) -> None:
        """Remove the clip of that number and all after it, with what belongs to them."""
        with self.transaction():
            self.execute("DELETE FROM clips WHERE film = ? AND number >= ?", film_id, number)
            self.execute("DELETE FROM passages WHERE film = ? AND clip >= ?", film_id, number)
            self.execute("DELETE FROM visuals WHERE film = ? AND number >= ?", film_id, number)
            self.execute("DELETE FROM thumbnails WHERE film = ? AND number >= ?", film_id, number)
            self.count_change()

    def put_visual(self, film_id: str, number: int, vector: NDArray[np.float16]) -> None:
        """Store the mean visual feature of a clip, ``(dim,)``.

        A film's features have one size: the first of another size takes the place of them all.
        """
        packed = np.asarray(vector, "<f2").ravel().tobytes()
        with self.transaction():
            self.execute(
                "DELETE FROM visuals WHERE film = ? AND length(vector) <> ?", film_id, len(packed)
            )
            self.execute("REPLACE INTO visuals VALUES (?, ?, ?)", film_id, number, packed)

    def drop_visuals(self, film_id: str, number: int | None = None) -> None:
        """Forget the visual feature of a clip; ``None``: those of all the film's clips."""
        one = "" if number is None else " AND number = ?"
        values = [film_id, *([] if number is None else [number])]
        self.execute(f"DELETE FROM visuals WHERE film = ?{one}", *values)

    def put_thumbnail(self, film_id: str, number: int, jpeg: bytes) -> None:
        """Store the picture by which a clip is shown."""
        self.execute("REPLACE INTO thumbnails VALUES (?, ?, ?)", film_id, number, jpeg)

    def set_meta(self, key: str, value: str) -> None:
        """Store a remark on the whole index, such as its text embedder."""
        self.execute("REPLACE INTO meta VALUES (?, ?)", f"user.{key}", value)

    def count_change(self) -> None:
        """Let :meth:`state` give another name from now on; the methods here do so themselves."""
        self.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes'")

    def _replace_clip(self, film_id: str, clip: ClipRecord) -> None:
        self.execute("DELETE FROM passages WHERE film = ? AND clip = ?", film_id, clip.number)
        values = rows.clip_row(clip)
        self.execute(
            f"REPLACE INTO clips (film, {rows.CLIP_COLUMNS}) VALUES ({_marks(len(values) + 1)})",
            film_id,
            *values,
        )
        for one in rows.passages_in(film_id, clip):
            self.execute(
                f"INSERT INTO passages ({rows.PASSAGE_COLUMNS}, terms) VALUES ({_marks(7)})",
                *(one.film, one.clip, one.kind, one.start, one.end, one.text),
                index_text(one.text),
            )
        self.count_change()


def _marks(count: int) -> str:
    return ", ".join("?" * count)
