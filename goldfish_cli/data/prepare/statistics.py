"""Describe many numbers by few: their spread, and how they fall into bars."""

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from math import ceil


@dataclass(frozen=True, slots=True)
class Bar:
    """How many numbers lie from ``low`` up to, not including, ``high``."""

    low: float
    high: float
    count: int


class Distribution:
    """Numbers, counted by value: memory grows with their range, not with how many there are.

    Args:
        unit: What they are, such as ``"tokens"``.
        step: Numbers are rounded to a multiple of it.
        limit: From which on a number is too large, ``None`` if none is.
    """

    def __init__(self, unit: str, *, step: float = 1, limit: float | None = None) -> None:
        self.unit = unit
        self.limit = limit
        self._step = step
        self._counts: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Count a number."""
        self._counts[round(value / self._step)] += 1

    def __len__(self) -> int:
        """How many numbers there are."""
        return self._counts.total()

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(value * count for value, count in self._counts.items()) * self._step

    def quantile(self, share: float) -> float:
        """Return the smallest number that ``share`` of all do not exceed."""
        values = sorted(self._counts)
        wanted = max(1, ceil(share * len(self)))
        sums = accumulate(self._counts[value] for value in values)
        return next(
            v * self._step for v, reached in zip(values, sums, strict=True) if reached >= wanted
        )

    def num_above(self, limit: float) -> int:
        """Count the numbers above ``limit``."""
        return sum(count for value, count in self._counts.items() if value * self._step > limit)

    def summary(self) -> dict[str, float | int]:
        """Return count, spread, and how many are above the limit; nothing of no numbers."""
        if not self._counts:
            return {"count": 0}
        found: dict[str, float | int] = {
            "count": len(self),
            "min": _plain(self.quantile(0)),
            "median": _plain(self.quantile(0.5)),
            "mean": _plain(self.total / len(self)),
            "p95": _plain(self.quantile(0.95)),
            "max": _plain(self.quantile(1)),
        }
        if self.limit is not None:
            found |= {"limit": _plain(self.limit), "over": self.num_above(self.limit)}
        return found

    def bars(self, count: int = 30) -> list[Bar]:
        """Cut the range into equal parts; the last takes the rarest, longest percent as well."""
        if not self._counts:
            return []
        low, high = min(self._counts), round(self.quantile(0.99) / self._step)
        width = max(1, ceil((high - low + 1) / count))
        number = ceil((high - low + 1) / width)
        heights = [0] * number
        for value, times in self._counts.items():
            heights[min((value - low) // width, number - 1)] += times
        step = self._step
        return [
            Bar(_plain((low + i * width) * step), _plain((low + (i + 1) * width) * step), height)
            for i, height in enumerate(heights)
        ]


def _plain(value: float) -> float | int:
    """Round to three places, and to an integer where it is one."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded
