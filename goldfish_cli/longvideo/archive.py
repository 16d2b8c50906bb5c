"""A zip file whose manifest vouches for every member: written as a whole, distrusted when read.

It knows nothing of films. Nothing is ever unpacked to disk under a name that the file gives.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from goldfish_cli.errors import IndexFolderError

FORMAT = 1
KIND = "goldfish index"
MANIFEST = "manifest.json"
MAX_MANIFEST = 256 << 20  # bytes: about a million members
MAX_MEMBER = 8 << 30
MAX_TOTAL = 64 << 30
MAX_LINE = 64 << 20
MAX_RATIO = 300
"""Of unpacked to packed size; our texts stay below 30, deflated zeros reach 1032."""
SMALL = 1 << 20
"""Bytes up to which the ratio does not matter."""
CHUNK = 1 << 20
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What reading a damaged zip has been seen to raise."""


class ArchiveWriter:
    """Members going into a zip, each hashed as it is written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, data: bytes, *, packed: bool = True) -> None:
        """Write a small member."""
        how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        self._archive.writestr(name, data, compress_type=how)
        self._members[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def add_chunks(self, name: str, chunks: Iterator[bytes]) -> None:
        """Write a member of any size."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self._members[name] = {"size": size, "sha256": digest.hexdigest()}

    def finish(self) -> None:
        """Write the manifest."""
        manifest = {"kind": KIND, "format": FORMAT, "members": self._members}
        self._archive.writestr(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


@contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Write an archive that appears under its name when it is whole, or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                writer = ArchiveWriter(archive)
                yield writer
                writer.finish()
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise IndexFolderError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Choose another file, in a folder that you may write to.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class ArchiveReader:
    """An archive whose members were all found as its manifest says."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a member."""
        return name in self._archive.NameToInfo

    def data(self, name: str) -> bytes:
        """Read a member at once."""
        return self._archive.read(name)

    def lines(self, name: str) -> Iterator[bytes]:
        """Read a member line by line."""
        with self._archive.open(name) as member:
            while line := member.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise damaged(self.path, f"a line of {name} is too long")
                yield line

    def copy_to(self, name: str, file: IO[bytes]) -> None:
        """Copy a member to an open file."""
        with self._archive.open(name) as member:
            while chunk := member.read(CHUNK):
                file.write(chunk)


@contextmanager
def open_archive(path: Path, *, members: re.Pattern[str]) -> Iterator[ArchiveReader]:
    """Open an archive after every size and hash in it was checked.

    Args:
        path: The file.
        members: What a member may be called, beside the manifest.

    Raises:
        IndexFolderError: If the file is missing, damaged, of a newer format, or not ours.
    """
    if not path.is_file():
        raise IndexFolderError(f"There is no file {path}.", hint="Check its name.")
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(zipfile.ZipFile(path))
            _check(path, archive, members)
        except (*UNREADABLE, OSError) as error:
            raise damaged(path, str(error) or type(error).__name__) from error
        yield ArchiveReader(path, archive)


def damaged(path: Path, reason: str) -> IndexFolderError:
    """The error for a file that is not what an export wrote."""
    return IndexFolderError(
        f"{path} is not a whole exported index: {reason}.",
        hint="Nothing of it was taken. Copy it again, or export again.",
    )


def _check(path: Path, archive: zipfile.ZipFile, allowed: re.Pattern[str]) -> None:
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()):
        raise damaged(path, "a member is there twice")
    for info in infos.values():
        _check_size(path, info)
    if sum(info.file_size for info in infos.values()) > MAX_TOTAL:
        raise damaged(path, "it would unpack to an absurd size")
    listed = _listed_members(path, archive)
    if stray := sorted(infos.keys() ^ (listed.keys() | {MANIFEST})):
        raise damaged(path, f"{stray[0]!r} is not both in the file and in its manifest")
    for name, (size, digest) in listed.items():
        if not allowed.fullmatch(name):
            raise damaged(path, f"{name!r} has no place in it")
        if infos[name].file_size != size or _digest(archive, name) != digest:
            raise damaged(path, f"{name} is not what the manifest says")


def _check_size(path: Path, info: zipfile.ZipInfo) -> None:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged(path, f"{info.filename!r} is packed as we never do")
    most = MAX_MANIFEST if info.filename == MANIFEST else MAX_MEMBER
    too_dense = info.file_size > max(SMALL, MAX_RATIO * info.compress_size)
    if info.file_size > most or too_dense:
        raise damaged(path, f"{info.filename!r} would unpack to an absurd size")


def _listed_members(path: Path, archive: zipfile.ZipFile) -> dict[str, tuple[int, str]]:
    if MANIFEST not in archive.NameToInfo:
        raise damaged(path, "it has no manifest")
    try:
        manifest = orjson.loads(archive.read(MANIFEST))
        kind, number = manifest["kind"], int(manifest["format"])
        listed = manifest["members"].items()
        members = {name: (int(one["size"]), str(one["sha256"])) for name, one in listed}
    except (*UNREADABLE, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, "its manifest cannot be read") from error
    if kind != KIND:
        raise damaged(path, f"it is a {kind!r}")
    if number > FORMAT:
        raise IndexFolderError(
            f"{path} has format {number}; this version reads up to {FORMAT}.",
            hint="Update goldfish, or export again with this version.",
        )
    return members


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as member:
        while chunk := member.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
