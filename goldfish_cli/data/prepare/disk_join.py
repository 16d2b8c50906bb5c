"""Join tables by id on disk: they may be in any order and of any size, memory stays flat."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

_CACHE_KIB = 32 * 1024


class DiskJoin:
    """The rows of a first table by number, and what others say about their ids.

    Use as a context: the tables lie in a file that nobody else sees and that vanishes at the end.

    Args:
        ids: Of the first table, in its order. Of equal ones the first counts.
        others: Rows of id and text by name of the table. Of equal ids the first counts.
    """

    def __init__(self, ids: Iterable[str], others: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        self._names = tuple(others)
        self._database = sqlite3.connect("", isolation_level=None)
        run = self._database.execute
        run("PRAGMA journal_mode = OFF")
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        run("BEGIN")
        run("CREATE TABLE ids (number INTEGER PRIMARY KEY, id TEXT UNIQUE)")
        self._database.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", enumerate(ids))
        for place, rows in enumerate(others.values()):
            run(f"CREATE TABLE other{place} (id TEXT PRIMARY KEY, text TEXT)")
            insert = f"INSERT OR IGNORE INTO other{place} VALUES (?, ?)"
            self._database.executemany(insert, rows)

    def __enter__(self) -> "DiskJoin":
        """Return itself."""
        return self

    def __iter__(self) -> Iterator[tuple[str | None, ...] | None]:
        """Yield for each row of the first table what each other says, ``None`` if it repeats."""
        columns, joins = "", ""
        for place in range(len(self._names)):
            columns += f", other{place}.text"
            joins += f" LEFT JOIN other{place} ON other{place}.id = ids.id"
        found = self._database.execute(f"SELECT number{columns} FROM ids{joins} ORDER BY number")
        expected = 0
        for number, *texts in found:
            yield from (None for _ in range(expected, number))
            yield tuple(texts)
            expected = number + 1
        while True:  # repeats after the last that does not
            yield None

    def unused(self) -> dict[str, int]:
        """Return how many rows of each other table have an id that the first has not."""
        counts = {}
        for place, name in enumerate(self._names):
            count = f"SELECT count(*) FROM other{place} WHERE id NOT IN (SELECT id FROM ids)"
            counts[name] = int(self._database.execute(count).fetchone()[0])
        return counts

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the file vanish."""
        self._database.close()
