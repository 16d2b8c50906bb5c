"""Choose which samples of a batch share a row. Pure arithmetic: no tensor is made here."""

from collections.abc import Sequence


def share_rows(lengths: Sequence[int], limit: int, *, width: int) -> list[list[int]]:
    """Lay samples into the rows that take the least work.

    A row costs as many tokens as the longest one has, padding included. A token costs about 24
    ``width`` squared multiplications in the products of a block and 4 ``width`` times the row's
    length in attention, which is computed whatever a mask hides: many samples in one row save
    padding, and more and more of that is spent on attention. Each number of rows is tried, and no
    choice costs more tokens than a row a sample does.

    Args:
        lengths: Tokens of each sample.
        limit: Tokens of a row that several samples may share; a longer sample stays alone.
        width: Of the language model's hidden states.

    Returns:
        For each row the numbers of its samples.
    """
    layouts = [_spread(lengths, count) for count in range(len(lengths), 0, -1)]
    allowed = [
        rows
        for rows in layouts
        if all(len(row) == 1 or _tokens(row, lengths) <= limit for row in rows)
    ]

    def work(rows: list[list[int]]) -> int:
        longest = max(_tokens(row, lengths) for row in rows)
        return len(rows) * longest * (6 * width + longest)

    return min(allowed, key=work)


def _spread(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Put the longest sample that is left into the row that is shortest so far."""
    rows: list[list[int]] = [[] for _ in range(count)]
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        min(rows, key=lambda row: _tokens(row, lengths)).append(number)
    return sorted(sorted(row) for row in rows)


def _tokens(row: Sequence[int], lengths: Sequence[int]) -> int:
    return sum(lengths[number] for number in row)
