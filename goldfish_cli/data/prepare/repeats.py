"""Find rows and captions that repeat, by hashes: memory holds tens of bytes a row, never a text."""

import unicodedata
from array import array
from hashlib import blake2b

import numpy as np

from goldfish_cli.data.items import Item

# Fields in which datasets of clips name the film that a clip is cut from.
_FILM_KEYS = ("imdbid", "movie_id", "film")


class SeenRows:
    """Remembers rows by id and text; case, spacing and forms of one character do not matter."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def is_new(self, item: Item) -> bool:
        """Tell whether no such row came before, and remember it."""
        texts = [text for turn in item.turns for text in turn]
        key = _hash(item.id, *map(fold, texts), fold(item.caption or ""), size=16)
        if key in self._hashes:
            return False
        self._hashes.add(key)
        return True


class CaptionCounts:
    """Counts in how many films each caption stands."""

    def __init__(self) -> None:
        self._captions = array("Q")
        self._films = array("Q")

    def add(self, item: Item) -> None:
        """Count an item that has a caption."""
        self._captions.append(_hash(fold(item.caption or ""), size=8))
        self._films.append(_hash(film_of(item), size=8))

    def repeated(self, max_films: int) -> "RepeatedCaptions":
        """Return the captions that stand in more than ``max_films`` films."""
        pairs = np.empty(len(self._captions), dtype=[("caption", "u8"), ("film", "u8")])
        pairs["caption"], pairs["film"] = self._captions, self._films
        captions, num_films = np.unique(np.unique(pairs)["caption"], return_counts=True)
        many = num_films > max_films
        return RepeatedCaptions(
            dict(zip(captions[many].tolist(), num_films[many].tolist(), strict=True))
        )


class RepeatedCaptions:
    """Knows which captions repeat.

    Args:
        num_films: Number of films by hash of the caption.
    """

    def __init__(self, num_films: dict[int, int]) -> None:
        self._num_films = num_films

    def num_films(self, item: Item) -> int:
        """Return in how many films an item's caption stands; 0: not in too many."""
        if item.caption is None or not self._num_films:
            return 0
        return self._num_films.get(_hash(fold(item.caption), size=8), 0)


def film_of(item: Item) -> str:
    """Return the film that a clip is part of, as far as its fields tell, else the clip's own id."""
    names = (item.extra.get(key) for key in _FILM_KEYS)
    return next((str(name) for name in names if name), item.id)


def fold(text: str) -> str:
    """Make texts equal that say the same in other capitals, spaces or forms of a character."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def _hash(*parts: str, size: int) -> int:
    digest = blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))  # so that parts cannot flow into each other
        digest.update(data)
    return int.from_bytes(digest.digest(), "little")
