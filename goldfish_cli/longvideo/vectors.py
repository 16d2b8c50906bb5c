"""Vectors of an index's passages in a Chroma collection: beside the index, or on a server.

The passages in ``index.sqlite`` are the truth, vectors follow from them: a collection can be thrown
away at any time. Local Chroma neither keeps its recall in large collections nor stays fast when a
film is picked out, so that vectors in the index folder are compared exactly, from a copy that is
mapped into memory; a server is asked.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.errors import IndexFolderError, ModelError
from goldfish_cli.longvideo.embeddings import Embedder, Vectors
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.view import IndexView

DEFAULT_EMBEDDER = "hashing"
COLLECTION = "passages"
_EMBEDDER, _URL = "embedder", "chroma"
_FOLDER, _ROWS, _VECTORS, _ABOUT = "chroma", "rows.npy", "vectors.npy", "vectors.json"
_BATCH = 2048
_HNSW = {"space": "cosine", "ef_construction": 200, "ef_search": 400, "max_neighbors": 32}
"""A graph twice as dense as Chroma's own, and a wider search: its recall falls with its size."""


def remember_embedder(store: IndexStore, name: str, url: str | None) -> None:
    """Write down which embedder an index uses, and where its vectors lie."""
    store.set_meta(_EMBEDDER, name)
    store.set_meta(_URL, url or "")


def embedder_of(store: IndexView) -> tuple[str, str | None]:
    """Name of the embedder that an index uses, and the address of its Chroma server if any."""
    return store.meta(_EMBEDDER) or DEFAULT_EMBEDDER, store.meta(_URL) or None


class VectorStore:
    """The vectors of one index.

    Args:
        store: The index.
        embedder: Makes the vectors.
        url: Of a Chroma server; ``None``: in the index folder.
    """

    def __init__(self, store: IndexView, embedder: Embedder, *, url: str | None = None) -> None:
        self.notes: list[str] = []
        """What went wrong and was worked around."""
        self._store = store
        self._folder = Path(store.folder)
        self._name = f"{COLLECTION}-{store.state().rsplit('-', 1)[0]}"
        self._embedder = embedder
        self._url = url

    @property
    def weight(self) -> float:
        """Of the vectors' ranking, where that of the words weighs 1."""
        return self._embedder.weight

    @property
    def is_made(self) -> bool:
        """Whether there are vectors by this embedder; a server is taken at its word."""
        return self._url is not None or self._about().get("embedder") == self._embedder.identity

    def update(self) -> Iterator[int]:
        """Give each passage its vector and drop the others; tells how many it made, step by step.

        Only the index's one writer may call this: two processes that write one local collection
        lose vectors without a word.

        Raises:
            IndexFolderError: If the collection cannot be opened.
        """
        if self._is_fresh(self._store.state()):
            return
        try:
            yield from self._fill(self._collection())
        except (ModelError, OSError):
            raise
        except Exception:  # Chroma raises anything at all on damaged files
            if self._url is not None:
                raise
            self.notes.append("The vectors were damaged; they are made again from the passages.")
            self._throw_away()
            yield from self._fill(self._collection())

    def check_server(self) -> None:
        """Find out whether the Chroma server answers.

        Raises:
            IndexFolderError: If it does not.
        """
        self._client()

    def _fill(self, collection: Any) -> Iterator[int]:
        store = self._store
        wanted = store.passage_rows()
        there = {int(one) for one in collection.get(include=[])["ids"]}
        stale = sorted(there - set(wanted))
        for part in _batches(stale):
            collection.delete(ids=[str(row) for row in part])
        for part in _batches([row for row in wanted if row not in there]):
            passages = store.passages_by_row(part)
            rows = [row for row in part if row in passages]
            vectors = self._embedder.encode([passages[row].text for row in rows], "passage")
            collection.upsert(
                ids=[str(row) for row in rows],
                embeddings=vectors,
                metadatas=[
                    {"film": passages[row].film, "clip": passages[row].clip} for row in rows
                ],
            )
            yield len(rows)
        if self._url is None:
            self._write_copy(collection, store.state())

    def _throw_away(self) -> None:
        from chromadb.api.shared_system_client import SharedSystemClient

        SharedSystemClient.clear_system_cache()  # it keeps what was opened before
        folder = self._folder / _FOLDER
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)

    def search(
        self,
        query: str,
        *,
        rows: Collection[int] | None = None,
        films: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[tuple[int, float]]:
        """Find the passages nearest in meaning: row and cosine, the best first.

        Args:
            query: What to look for.
            rows: Compare only these passages; ``None``: all. A server goes by ``films`` instead.
            films: Ids of the films that ``rows`` belong to.
            limit: Passages at most.

        Raises:
            IndexFolderError: If there are no vectors, or they are another embedder's.
        """
        vector = self._embedder.encode([query], "query")[0]
        if self._url is not None:
            return self._ask_server(vector, films, limit)
        numbers, vectors = self._copy()
        places = None if rows is None else np.flatnonzero(np.isin(numbers, list(rows)))
        chosen = vectors if places is None else vectors[places]
        scores = chosen @ vector
        best = np.argsort(-scores, kind="stable")[:limit]
        found = numbers[best] if places is None else numbers[places[best]]
        return [(int(row), float(score)) for row, score in zip(found, scores[best], strict=True)]

    def _collection(self) -> Any:
        """Open the collection, made anew if another embedder made it."""
        client = self._client()
        name = self._name
        about = {"embedder": self._embedder.identity}
        found = {one.name: one for one in client.list_collections()}.get(name)
        if found is not None and (found.metadata or {}).get("embedder") != about["embedder"]:
            client.delete_collection(name)
            found = None
        if found is not None:
            return client.get_collection(name, embedding_function=None)
        return client.create_collection(
            name, metadata=about, embedding_function=None, configuration={"hnsw": _HNSW}
        )

    def _client(self) -> Any:
        import chromadb
        from chromadb.config import Settings
        from chromadb.errors import ChromaError

        settings = Settings(anonymized_telemetry=False)
        try:
            if self._url is None:
                return chromadb.PersistentClient(str(self._folder / _FOLDER), settings)
            parts = urlsplit(self._url)
            port = parts.port or (443 if parts.scheme == "https" else 8000)
            return chromadb.HttpClient(
                parts.hostname or "localhost", port, ssl=parts.scheme == "https", settings=settings
            )
        except (ChromaError, ValueError, OSError) as error:
            where = self._url or str(self._folder / _FOLDER)
            raise IndexFolderError(
                f"The Chroma collection at {where} cannot be opened: {error}",
                hint="Check the address, or delete the folder: vectors are made again",
            ) from error

    def _ask_server(
        self, vector: NDArray[np.float32], films: Sequence[str] | None, limit: int
    ) -> list[tuple[int, float]]:
        client = self._client()
        if self._name not in {one.name for one in client.list_collections()}:
            raise IndexFolderError(
                f"The Chroma server at {self._url} has no vectors of this index.",
                hint="Index with the same --chroma",
            )
        collection = client.get_collection(self._name, embedding_function=None)
        self._check((collection.metadata or {}).get("embedder"))
        where = {"film": {"$in": list(films)}} if films else None
        found = collection.query(
            query_embeddings=vector[None], n_results=limit, where=where, include=["distances"]
        )
        return [
            (int(row), 1.0 - float(distance))
            for row, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def _is_fresh(self, state: str) -> bool:
        about = self._about()
        return (
            self._url is None
            and about.get("state") == state
            and about.get("embedder") == self._embedder.identity
        )

    def _about(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / _FOLDER / _ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or not to be read: there are no vectors
            return {}
        return found if isinstance(found, dict) else {}

    def _check(self, made_by: str | None) -> None:
        if made_by is None:
            raise IndexFolderError(
                "The index has no vectors.", hint="Index a film with this --embedder"
            )
        if made_by != self._embedder.identity:
            raise IndexFolderError(
                f"The index's vectors were made by another embedder ({made_by}).",
                hint="Ask with the one that it was made with, or index again",
            )

    def _copy(self) -> tuple[NDArray[np.int64], Vectors]:
        """The vectors as they lie on disk, mapped into memory rather than read."""
        self._check(self._about().get("embedder"))
        folder = self._folder / _FOLDER
        return np.load(folder / _ROWS), np.load(folder / _VECTORS, mmap_mode="r")

    def _write_copy(self, collection: Any, state: str) -> None:
        """Write all vectors in one file, rows ascending, and last which state they belong to."""
        folder = self._folder / _FOLDER
        rows = np.array(sorted(int(one) for one in collection.get(include=[])["ids"]), np.int64)
        parts = []
        for part in _batches(rows.tolist()):
            found = collection.get(ids=[str(row) for row in part], include=["embeddings"])
            place = {int(row): number for number, row in enumerate(found["ids"])}
            parts.append(np.asarray(found["embeddings"], np.float32)[[place[r] for r in part]])
        vectors = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
        (folder / _ABOUT).unlink(missing_ok=True)
        for name, array in ((_ROWS, rows), (_VECTORS, vectors)):
            beside = folder / f"{name}.part"
            with beside.open("wb") as file:
                np.save(file, array)
            beside.replace(folder / name)
        about = {"embedder": self._embedder.identity, "state": state}
        beside = folder / f"{_ABOUT}.part"
        beside.write_text(json.dumps(about), encoding="utf-8")
        beside.replace(folder / _ABOUT)


def _batches(items: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(items), _BATCH):
        yield items[first : first + _BATCH]
