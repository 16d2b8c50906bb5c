"""Find pairs of picture and caption in a folder, in tars or in tables of addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldfish_cli.data.prepare.image_folder import find_pairs, read_pairs
from goldfish_cli.data.prepare.image_pair import ImagePair
from goldfish_cli.data.prepare.image_tars import TAR_SUFFIXES, check_tar, read_tar
from goldfish_cli.data.prepare.parquet import PARQUET_SUFFIXES, count_parquet_rows
from goldfish_cli.data.prepare.url_rows import TABLE_SUFFIXES, scan_url_rows
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS

SourceKind = Literal["folder", "tars", "tables"]


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where pictures come from."""

    kind: SourceKind
    root: Path
    files: tuple[Path, ...]
    """The tars or tables; of a folder, all files that may belong to a pair."""
    num_pairs: int | None
    """How many pairs there are; ``None`` where only reading all of it would tell."""
    columns: tuple[str | None, str | None] = (None, None)
    """Names of the columns of address and caption; ``None``: a known one."""

    @property
    def is_remote(self) -> bool:
        """Whether the pictures have to be downloaded."""
        return self.kind == "tables"


def open_source(
    path: Path, *, url_column: str | None = None, caption_column: str | None = None
) -> ImageSource:
    """Look at a source: what it is follows from its name, or from what a folder holds.

    Args:
        path: A table, a tar, or a folder of tars, of images with captions, or of tables.
        url_column: Column of the addresses in a table.
        caption_column: Column of the captions in a table.

    Raises:
        AnnotationError: If it is missing, holds nothing of the kind, or a tar is broken.
        UsageError: If it is parquet and pyarrow is not installed.
    """
    columns = (url_column, caption_column)
    if path.is_file():
        if _is_tar(path):
            return ImageSource("tars", path, (path,), check_tar(path))
        if path.suffix.lower() in TABLE_SUFFIXES:
            return _tables(path, (path,), columns)
        raise AnnotationError(
            f"{path.name} is no source of pictures.",
            hint="A folder of images, a tar, or a parquet, CSV, TSV or JSON file of addresses.",
        )
    if not path.is_dir():
        raise AnnotationError(f"There is no {path}.", hint="Check the name of the source.")
    files = sorted(_visible_files(path))
    if tars := tuple(file for file in files if _is_tar(file)):
        return ImageSource("tars", path, tars, sum(check_tar(tar) for tar in tars))
    if any(file.suffix.lower() in IMAGE_EXTENSIONS for file in files):
        return ImageSource("folder", path, tuple(files), len(find_pairs(path, files)))
    if tables := tuple(file for file in files if file.suffix.lower() in PARQUET_SUFFIXES):
        return _tables(path, tables, columns)
    if tables := tuple(file for file in files if file.suffix.lower() in {".csv", ".tsv"}):
        return _tables(path, tables, columns)
    raise AnnotationError(
        f"The folder {path} holds no images, no tars and no tables.",
        hint="Images may be .jpg, .png or .webp, with captions in .txt or .json beside them.",
    )


def read_source(source: ImageSource) -> Iterator[ImagePair]:
    """Yield the pairs of a source in an order that is always the same, bad ones as well.

    Raises:
        AnnotationError: If a file cannot be read on.
    """
    if source.kind == "folder":
        yield from read_pairs(source.root, source.files)
    elif source.kind == "tars":
        for number, file in enumerate(source.files):
            yield from read_tar(file, number)
    else:
        url_column, caption_column = source.columns
        for number, file in enumerate(source.files):
            rows = scan_url_rows(file, url_column=url_column, caption_column=caption_column)
            for row in rows:
                yield ImagePair(row.url, row.caption, number, problem="" if row.url else "no-url")


def _tables(
    path: Path, files: tuple[Path, ...], columns: tuple[str | None, str | None]
) -> ImageSource:
    total = None
    if all(file.suffix.lower() in PARQUET_SUFFIXES for file in files):
        total = sum(count_parquet_rows(file) for file in files)
    return ImageSource("tables", path, files, total, columns)


def _is_tar(path: Path) -> bool:
    return path.name.lower().endswith(TAR_SUFFIXES)


def _visible_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file():
            yield path
