"""Walk through a folder of downloads and tell what each file is, by its name alone."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from goldfish_cli.errors import InputError
from goldfish_cli.media.file_names import IMAGE_EXTENSIONS, VIDEO_EXTENSIONS
from goldfish_cli.media.subtitle_files import SUFFIXES as SUBTITLE_SUFFIXES

FileKind = Literal["video", "image", "subtitles", "partial", "link", "other"]
# What yt-dlp, browsers and others leave of a download that did not end.
_PARTIAL = re.compile(
    r".*\.(part|part-frag\d+(\.part)?|ytdl|crdownload|download|opdownload|partial|aria2|tmp|temp)"
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file below the folder that was walked through."""

    path: PurePosixPath
    """Relative to that folder."""
    kind: FileKind
    """``link``: a symbolic link that leaves the folder, leads nowhere, or to another folder."""
    size: int
    """Bytes."""


def walk_folder(root: Path, *, follow_links: bool = False) -> Iterator[FoundFile]:
    """Yield the files at any depth, folder by folder, each sorted by name.

    Folders whose name begins with a dot are passed by.

    Args:
        root: Where to begin; may itself be a link.
        follow_links: Take links to files outside ``root`` for what they lead to.

    Raises:
        InputError: If ``root`` is no folder, or one below it cannot be listed.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.", hint="Name the folder of the videos.")
    inside = root.resolve()
    waiting = [PurePosixPath()]
    while waiting:
        folder = waiting.pop()
        folders = []
        for entry in _list(root / folder):
            path = folder / entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield _describe(entry, path, None if follow_links else inside)
            elif not entry.name.startswith("."):
                folders.append(path)
        waiting.extend(reversed(folders))


def file_kind(name: str) -> FileKind:
    """Tell what a file is from its name."""
    suffix = PurePosixPath(name).suffix.lower()
    if _PARTIAL.fullmatch(name.lower()):
        return "partial"
    if suffix in VIDEO_EXTENSIONS and not name.startswith("._"):  # notes of macOS about a file
        return "video"
    if suffix in SUBTITLE_SUFFIXES:
        return "subtitles"
    return "image" if suffix in IMAGE_EXTENSIONS else "other"


def _list(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed: {error.strerror}.", hint="Check its permissions."
        ) from error


def _describe(entry: "os.DirEntry[str]", path: PurePosixPath, inside: Path | None) -> FoundFile:
    """Look at one file; links must lead to a file inside the folder, if one is given."""
    try:
        status = entry.stat()
        leaves = inside is not None and entry.is_symlink() and not _leads_inside(entry, inside)
    except OSError:  # leads nowhere, or in a circle
        return FoundFile(path, "link", 0)
    if entry.is_symlink() and (leaves or not stat.S_ISREG(status.st_mode)):
        return FoundFile(path, "link", 0)
    kind = file_kind(entry.name) if stat.S_ISREG(status.st_mode) else "other"
    return FoundFile(path, kind, status.st_size)


def _leads_inside(entry: "os.DirEntry[str]", inside: Path) -> bool:
    return Path(entry.path).resolve(strict=True).is_relative_to(inside)
