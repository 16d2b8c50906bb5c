"""Compare the rows of a dataset with each other: what repeats, and what several splits share."""

from array import array
from collections.abc import Iterator

from goldfish_cli.data.items import Item
from goldfish_cli.data.prepare.check_rows import TarItem
from goldfish_cli.data.prepare.repeats import film_of, fold
from goldfish_cli.data.prepare.row_marks import (
    NOTHING,
    Shared,
    count_distinct,
    find_repeats,
    find_shared,
    mark_of,
)


class RowComparison:
    """Remembers of each row its split and four hashes; rows are added in order."""

    def __init__(self) -> None:
        self.split_rows: dict[str, int] = {}
        """How many rows each split has."""
        self._numbers: dict[str, int] = {}
        self._splits = array("I")
        self._videos, self._films = array("Q"), array("Q")
        self._captions, self._rows = array("Q"), array("Q")
        self._num_in_tars = 0

    def add(self, row: Item | None, split: str) -> None:
        """Remember a row, ``None`` one that cannot be read."""
        self.split_rows[split] = self.split_rows.get(split, 0) + 1
        self._splits.append(self._numbers.setdefault(split, len(self._numbers)))
        if row is None:
            for marks in (self._videos, self._films, self._captions, self._rows):
                marks.append(NOTHING)
            return
        film, caption = film_of(row), fold(row.caption or "")
        said = [fold(text) for turn in row.turns for text in turn]
        in_tar = isinstance(row, TarItem)  # where an id counts only inside its file
        self._num_in_tars += in_tar
        self._videos.append(NOTHING if in_tar else mark_of(row.id))
        self._rows.append(NOTHING if in_tar else mark_of(row.id, *said, caption))
        self._captions.append(mark_of(caption) if caption else NOTHING)
        self._films.append(mark_of(film) if film != row.id else NOTHING)

    def num_ids(self) -> int:
        """Count the different videos and images."""
        return count_distinct(self._videos) + self._num_in_tars

    def split_of(self, place: int) -> str:
        """Return the name of a row's split."""
        return [*self._numbers][self._splits[place]]

    def find(self, *, one_split: bool) -> "list[MarkedRows]":
        """Return what is found, by the kind of finding; what finds nothing is left out.

        Args:
            one_split: Do not look for what splits share.
        """
        found = [MarkedRows("duplicate-row", find_repeats(self._rows))]
        if len(self._numbers) > 1 and not one_split:
            for what, marks in (
                ("video", self._videos),
                ("film", self._films),
                ("caption", self._captions),
            ):
                shared = find_shared(marks, self._splits)
                found.append(MarkedRows(f"{what}-in-two-splits", shared))
        return [marked for marked in found if not marked.is_empty]


class MarkedRows:
    """Rows of one kind of finding, asked for one after the other.

    Args:
        kind: Of the finding.
        places: In ascending order.
    """

    def __init__(self, kind: str, places: Iterator[Shared]) -> None:
        self.kind = kind
        self._places = places
        self._next = next(places, None)

    @property
    def is_empty(self) -> bool:
        """Whether there are no more."""
        return self._next is None

    def at(self, place: int) -> Shared | None:
        """Return what was found at a place, if anything was."""
        found = self._next
        if found is None or found.place != place:
            return None
        self._next = next(self._places, None)
        return found
