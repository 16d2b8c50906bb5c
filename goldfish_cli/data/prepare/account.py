"""Count what became of every row: read = written + dropped, by reason."""

from collections import Counter


class Account:
    """The rows of one run.

    Args:
        kind: The command that counts, such as ``"cmd"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.num_read = 0
        self.num_written = 0
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> dict[str, int]:
        """How many rows were dropped for each reason, by name of the reason."""
        return dict(sorted(self._dropped.items()))

    def read(self, n: int = 1) -> None:
        """Count ``n`` rows that were read."""
        self.num_read += n

    def write(self, n: int = 1) -> None:
        """Count ``n`` rows that were written."""
        self.num_written += n

    def drop(self, reason: str, n: int = 1) -> None:
        """Count ``n`` rows that were dropped for ``reason``, such as ``"missing-video"``."""
        self._dropped[reason] += n

    def close(self) -> None:
        """Hold the equation.

        Raises:
            RuntimeError: If rows are missing from the account or counted twice: a bug.
        """
        num_dropped = self._dropped.total()
        if self.num_read != self.num_written + num_dropped:
            raise RuntimeError(
                f"prep {self.kind} read {self.num_read} rows, "
                f"but wrote {self.num_written} and dropped {num_dropped}."
            )
