"""Read parquet files in small batches, by pyarrow, which only those who have such files need."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from goldfish_cli.errors import AnnotationError, UsageError

PARQUET_SUFFIXES = (".parquet", ".pq")
_BATCH_ROWS = 1024


def read_parquet(path: Path, names: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet file.

    Args:
        path: The file.
        names: Columns to read, lower case; ``None`` or none of them there: all.

    Raises:
        UsageError: If pyarrow is not installed.
        AnnotationError: If the file cannot be read.
    """
    arrow = _pyarrow(path)
    try:
        with arrow.parquet.ParquetFile(path) as file:
            found = [name for name in file.schema_arrow.names if names and name.lower() in names]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=found or None):
                for row in batch.to_pylist():
                    yield {name: _plain(value) for name, value in row.items()}
    except (arrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def count_parquet_rows(path: Path) -> int:
    """Return the number of rows, from the file's own table of contents.

    Raises:
        UsageError: If pyarrow is not installed.
        AnnotationError: If the file cannot be read.
    """
    arrow = _pyarrow(path)
    try:
        return int(arrow.parquet.read_metadata(path).num_rows)
    except (arrow.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow.parquet  # an extra: most datasets are text
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path.name} is parquet, and pyarrow, which reads it, is not installed.",
            hint="pip install 'goldfish-video[parquet]'",
        ) from error
    return pyarrow


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: dates, decimals and bytes as text."""
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)


def _unreadable(path: Path, error: Exception) -> AnnotationError:
    return AnnotationError(
        f"{path.name} is not readable parquet: {' '.join(str(error).split())[:200]}.",
        hint="The file may be cut; download it again.",
    )
