"""Compare the rows of whole datasets by 64-bit hashes: eight bytes a row and question, not texts.

Two texts of a million pass for the same with a chance of one in thirty million.
"""

import hashlib
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.uint64]
NOTHING = 0  # the mark of a row that is not compared

_SLOTS = 2**22
_MAX_TEXTS = 50_000
_SHOWN_CHARACTERS = 200


def mark_of(*texts: str) -> int:
    """Return the 64-bit hash of some texts in order."""
    digest = hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little") or 1


class Shared(NamedTuple):
    """A place whose mark stood before."""

    place: int
    first: int
    """The first place of that mark."""
    is_repeat: bool
    """Whether the same was told of an earlier place already."""


def find_repeats(marks: "array[int]") -> Iterator[Shared]:
    """Yield each place whose mark stood before, in order."""
    values = _values(marks)
    firsts = _first_places(values)
    repeated = np.flatnonzero((firsts != np.arange(len(values))) & (values != NOTHING))
    for place in repeated.tolist():
        yield Shared(place, int(firsts[place]), is_repeat=False)


def find_shared(marks: "array[int]", splits: "array[int]") -> Iterator[Shared]:
    """Yield each place whose mark first stood in another split, in order.

    Args:
        marks: One a row; ``NOTHING`` is never shared.
        splits: The number of each row's split.
    """
    values, parts = _values(marks), np.array(splits, dtype=np.uint32)
    firsts = _first_places(values)
    moved = np.flatnonzero((parts != parts[firsts]) & (values != NOTHING))
    told: set[tuple[int, int]] = set()
    for place in moved.tolist():
        pair = (int(firsts[place]), int(parts[place]))
        yield Shared(place, pair[0], is_repeat=pair in told)
        told.add(pair)


def count_distinct(marks: "array[int]") -> int:
    """Count the different marks besides ``NOTHING``."""
    return int(np.count_nonzero(np.unique(_values(marks)) != NOTHING))


class CommonTexts:
    """Counts texts exactly, and holds the words of those that come three times or more."""

    def __init__(self) -> None:
        self._marks: array[int] = array("Q")
        self._seen = bytearray(_SLOTS)
        self._texts: dict[int, str] = {}

    def add(self, text: str) -> None:
        """Count a text; case and spaces do not matter."""
        mark = mark_of(" ".join(text.casefold().split()))
        self._marks.append(mark)
        slot = mark % _SLOTS
        if self._seen[slot] < 2:
            self._seen[slot] += 1
        elif mark not in self._texts and len(self._texts) < _MAX_TEXTS:
            self._texts[mark] = text[:_SHOWN_CHARACTERS]

    @property
    def total(self) -> int:
        """How many were counted."""
        return len(self._marks)

    def num_distinct(self) -> int:
        """How many different ones there are."""
        return count_distinct(self._marks)

    def most_common(self, count: int) -> list[tuple[str, int]]:
        """Return the texts that come most often, at least three times, and how often."""
        marks, counts = np.unique(_values(self._marks), return_counts=True)
        order = np.argsort(-counts, kind="stable")[: count * 4]
        found = [(self._texts.get(int(marks[i]), ""), int(counts[i])) for i in order]
        known = [(text, number) for text, number in found if text and number >= 3]
        return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:count]


def _first_places(values: Marks) -> npt.NDArray[np.int64]:
    """Return for each place the first one with the same value."""
    _, firsts, group = np.unique(values, return_index=True, return_inverse=True)
    places: npt.NDArray[np.int64] = firsts[group]
    return places


def _values(marks: "array[int]") -> Marks:
    return np.array(marks, dtype=np.uint64)
