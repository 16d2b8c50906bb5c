"""Words in, passages out: the lexical half of retrieval, by SQLite's FTS5 and its BM25.

We split and stem the text ourselves, with the very words that evidence is checked by, instead of
FTS5's porter: an irregular ``grew`` meets ``grow``, and a caller may ask with words or stems.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import Any

import orjson

from goldfish_cli.longvideo.words import stem, stems, words

COMMON_SHARE = 0.2
"""A term in more than this share of the passages is left out of a search, if others remain."""
COMMON_PASSAGES = 2000
"""But only from so many passages on: below, it costs nothing, and BM25 weighs it rightly."""


def index_text(text: str) -> str:
    """Bring a text to the form in which it is searched: stems between spaces.

    Case, accents and compatibility forms are folded; each character of a script without spaces
    (Chinese, Japanese, Korean, Thai) is a word of its own. Any query goes the same way.
    """
    return " ".join(_plain(one) for one in stems(text))


def document_frequency(connection: sqlite3.Connection, term: str) -> int:
    """Count the passages with a term; of one with several words, those with its rarest word."""
    return min((_frequency(connection, one) for one in _tokens(connection, term)), default=0)


def telling_terms(connection: sqlite3.Connection, terms: Iterable[str]) -> list[str]:
    """Choose the terms that a search uses: without what nearly every passage holds."""
    searchable = [term for term in dict.fromkeys(terms) if words(term)]
    num_passages = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
    most = max(COMMON_SHARE * num_passages, COMMON_PASSAGES)
    rare = [term for term in searchable if document_frequency(connection, term) <= most]
    found = any(document_frequency(connection, term) for term in rare)
    return rare if found else searchable


def search(
    connection: sqlite3.Connection,
    terms: Iterable[str],
    *,
    films: Collection[str] | None,
    between: tuple[float, float] | None,
    limit: int,
) -> list[tuple[int, float]]:
    """Find the passages with any of the terms: row and score, the best first, ties by row."""
    query = _match_expression(connection, telling_terms(connection, terms))
    if not query or limit < 1:
        return []
    wanted, values = _restriction(films, between)
    rows = connection.execute(
        f"SELECT rowid, -rank FROM passages_fts WHERE passages_fts MATCH ? {wanted}"
        " ORDER BY rank LIMIT ?",
        (query, *values, limit),
    ).fetchall()
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def in_films(films: Collection[str] | None) -> tuple[list[str], list[Any]]:
    """Give SQL conditions, and their values, for the passages of some films; ``None``: of all."""
    if films is None:
        return [], []
    return ["film IN (SELECT value FROM json_each(?))"], [as_json(list(films))]


def as_json(values: list[str] | list[int]) -> str:
    """Write a list as SQLite's ``json_each`` takes it: any length in one parameter."""
    return orjson.dumps(values).decode()


def _restriction(
    films: Collection[str] | None, between: tuple[float, float] | None
) -> tuple[str, list[Any]]:
    conditions, values = in_films(films)
    if between is not None:
        conditions.append("start <= ? AND end >= ?")
        values += [between[1], between[0]]
    if not conditions:
        return "", []
    # The "+" keeps SQLite from asking FTS5 for one row after the other.
    chosen = f"SELECT id FROM passages WHERE {' AND '.join(conditions)}"
    return f"AND +rowid IN ({chosen})", values


def _match_expression(connection: sqlite3.Connection, terms: Iterable[str]) -> str:
    """Join the terms by OR, each a quoted phrase: words hold no quotes, so nothing is syntax."""
    phrases = [" ".join(_tokens(connection, term)) for term in terms]
    return " OR ".join(f'"{phrase}"' for phrase in dict.fromkeys(phrases))


def _tokens(connection: sqlite3.Connection, term: str) -> list[str]:
    """Stem a term's words, except those that the index knows: they are stems already.

    Stemming twice is not the same as once: ``early``, ``earli``, ``ear``.
    """
    return [
        _plain(one if _frequency(connection, _plain(one)) else stem(one)) for one in words(term)
    ]


def _plain(token: str) -> str:
    """Leave out apostrophes, at which FTS5 would cut."""
    return token.replace("'", "").replace("’", "")  # noqa: RUF001 - the typographic one is meant


def _frequency(connection: sqlite3.Connection, token: str) -> int:
    row = connection.execute(
        "SELECT doc FROM passages_vocabulary WHERE term = ?", (token,)
    ).fetchone()
    return int(row[0]) if row else 0
