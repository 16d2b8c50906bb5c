"""The tables of ``index.sqlite``, and its opening: to write, or to read it as it is now.

The file is the truth of an index. It knows nothing of the records that its rows stand for.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldfish_cli.errors import IndexFolderError

DATABASE = "index.sqlite"
FORMAT = 1
"""Raised whenever older code would misread the tables."""
APPLICATION = 0x476F6C64
"""``application_id`` of our files: "Gold" in ASCII."""
BUSY_S = 30.0
"""How long SQLite waits for another process that is just opening or closing the file."""

# Terms are split and stemmed by us (terms.py); the tokenizer only cuts them at the spaces, so
# marks, the vowels of many scripts, and "_" must count as letters too.
TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE films (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, paths TEXT NOT NULL,
        start REAL NOT NULL, duration REAL NOT NULL, subtitles TEXT NOT NULL, language TEXT,
        settings TEXT NOT NULL, borders_key TEXT NOT NULL, complete INTEGER NOT NULL,
        summary TEXT NOT NULL, chapters TEXT NOT NULL)""",
    """CREATE TABLE clips (
        film TEXT NOT NULL REFERENCES films (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        start REAL NOT NULL, end REAL NOT NULL, summary TEXT NOT NULL, cues TEXT NOT NULL,
        failed TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (film, number))""",
    # AUTOINCREMENT: a number is never given twice, so whatever is derived cannot mix them up.
    """CREATE TABLE passages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        film TEXT NOT NULL REFERENCES films (id) ON DELETE CASCADE, clip INTEGER NOT NULL,
        kind TEXT NOT NULL, start REAL NOT NULL, end REAL NOT NULL, text TEXT NOT NULL,
        terms TEXT NOT NULL)""",
    "CREATE INDEX passages_by_clip ON passages (film, clip, start, end)",
    """CREATE VIRTUAL TABLE passages_fts USING fts5 (terms, content='passages', content_rowid='id',
        tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc Pc'")""",
    "CREATE VIRTUAL TABLE passages_vocabulary USING fts5vocab (passages_fts, 'row')",
    """CREATE TRIGGER passage_added AFTER INSERT ON passages BEGIN
        INSERT INTO passages_fts (rowid, terms) VALUES (new.id, new.terms); END""",
    """CREATE TRIGGER passage_gone AFTER DELETE ON passages BEGIN
        INSERT INTO passages_fts (passages_fts, rowid, terms)
        VALUES ('delete', old.id, old.terms); END""",
    """CREATE TRIGGER passage_worded_anew AFTER UPDATE OF terms ON passages BEGIN
        INSERT INTO passages_fts (passages_fts, rowid, terms)
        VALUES ('delete', old.id, old.terms);
        INSERT INTO passages_fts (rowid, terms) VALUES (new.id, new.terms); END""",
    """CREATE TABLE visuals (
        film TEXT NOT NULL REFERENCES films (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        vector BLOB NOT NULL, PRIMARY KEY (film, number))""",
    """CREATE TABLE thumbnails (
        film TEXT NOT NULL REFERENCES films (id) ON DELETE CASCADE, number INTEGER NOT NULL,
        jpeg BLOB NOT NULL, PRIMARY KEY (film, number))""",
)


def open_to_write(folder: Path) -> sqlite3.Connection:
    """Open the folder's database, made if there is none. The caller holds the write lock."""
    with guarded(folder):
        connection = sqlite3.connect(folder / DATABASE, timeout=BUSY_S, isolation_level=None)
        try:
            is_new = _is_empty(connection)
            if not is_new:
                _check_format(connection, folder)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if is_new:
                _create(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_to_read(folder: Path) -> sqlite3.Connection:
    """Open the folder's database as it is now: what is written afterwards is not seen."""
    path = folder / DATABASE
    try:
        is_folder, is_there = folder.is_dir(), path.is_file()
    except OSError as error:  # a folder above it is closed to us
        raise unwritable(folder, error.strerror or str(error)) from error
    missing = IndexFolderError(
        f"{folder} holds no index." if is_folder else f"There is no index folder {folder}.",
        hint=f"Make it with: goldfish index VIDEO --index {folder}",
    )
    if not is_there:
        raise missing
    with guarded(folder):
        connection = _connect_read_only(path)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            if _is_empty(connection):  # its writer was stopped before the tables were made
                raise missing
            _check_format(connection, folder)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Say in words what SQLite finds wrong with the file or its disk; bugs pass unchanged."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        text = str(error)
        if isinstance(error, UnicodeDecodeError) or _any_in(text, "malformed", "not a database"):
            raise _damaged(folder, text) from error
        if _any_in(text, "readonly", "unable to open", "permission"):
            raise unwritable(folder, text) from error
        if _any_in(text, "disk is full", "disk I/O"):
            raise IndexFolderError(
                f"The disk failed the index in {folder}: {text}.",
                hint="Free some space and run the same command again; what was done is kept.",
            ) from error
        if "locked" in text:
            raise IndexFolderError(
                f"The index in {folder} is kept busy by another process.", hint="Try again."
            ) from error
        raise


def unwritable(folder: Path, reason: str) -> IndexFolderError:
    """The one error for a folder in which files cannot be made or opened."""
    return IndexFolderError(
        f"The index in {folder} cannot be opened or written: {reason}.",
        hint="Check the folder's permissions, or choose another one with --index FOLDER.",
    )


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection
    except sqlite3.OperationalError:
        connection.close()
        journal = path.with_name(f"{path.name}-wal")
        if journal.exists() and journal.stat().st_size:
            raise
    # A folder in which nothing can be made, such as a read-only disk: without a journal beside
    # it the file is whole, and SQLite reads it if it need not make one.
    return sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES:
        connection.execute(statement)
    own = {"identity": uuid.uuid4().hex[:12], "changes": "0"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", own.items())
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _check_format(connection: sqlite3.Connection, folder: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    number = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION or number < 1:
        raise IndexFolderError(
            f"{folder / DATABASE} is a database, but not an index of ours.",
            hint="Choose another folder with --index FOLDER.",
        )
    if number > FORMAT:
        raise IndexFolderError(
            f"The index in {folder} has format {number}; this version reads up to {FORMAT}.",
            hint="Update goldfish, or index again into another folder.",
        )


def _damaged(folder: Path, reason: str) -> IndexFolderError:
    return IndexFolderError(
        f"The index in {folder} is damaged: {reason}.",
        hint=f"Restore a copy, or remove the folder and run: goldfish index VIDEO --index {folder}",
    )


def _any_in(text: str, *parts: str) -> bool:
    return any(part in text for part in parts)
