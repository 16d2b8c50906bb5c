"""Copy, link and move files: whole or not at all, and never over a file that is there."""

import errno
import filecmp
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from goldfish_cli.media.remux import copy_to_mp4

_Result = TypeVar("_Result")
PART_PREFIX = ".goldfish-organize-"
"""Of the names of files and folders that are only there while something is written."""


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with its times.

    Raises:
        FileExistsError: If ``target`` is there.
        OSError: If the disk does not do it.
    """
    _publish(target, lambda part: shutil.copy2(source, part))


def copy_streams(source: Path, target: Path) -> tuple[str, ...]:
    """Write the streams of a video into an mp4; see ``copy_to_mp4``.

    Raises:
        FileExistsError: If ``target`` is there.
        VideoError: If the source cannot be read, or mp4 cannot hold it.
        OSError: If the disk does not do it.
    """
    return _publish(target, lambda part: copy_to_mp4(source, part))


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name on the same disk.

    Raises:
        FileExistsError: If ``target`` is there.
        OSError: If the disk cannot do it.
    """
    os.link(source, target)


def move_file(source: Path, target: Path) -> None:
    """Give a file another name; onto another disk it is copied and then removed.

    A copy that an earlier attempt left, before it could remove the source, is accepted.

    Raises:
        FileExistsError: If ``target`` is there.
        OSError: If the disk does not do it.
    """
    if os.path.lexists(target) and is_copy(source, target):
        source.unlink()
        return
    _refuse(target)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_file(source, target)
        source.unlink()


def same_content(first: Path, second: Path) -> bool:
    """Tell whether two files hold the same bytes."""
    return first.samefile(second) or filecmp.cmp(first, second, shallow=False)


def is_copy(source: Path, target: Path) -> bool:
    """Tell whether ``copy_file`` or ``link_file`` made one file from the other, unchanged since."""
    if source.is_symlink() or target.is_symlink():  # of which one may be all that the other is
        return False
    before, after = source.stat(), target.stat()
    if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
        return True
    return same_content(source, target)


def remove_parts(folder: Path) -> None:
    """Remove what a run that was killed had begun to write into a folder."""
    for part in folder.glob(f"{PART_PREFIX}*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _publish(target: Path, write: Callable[[Path], _Result]) -> _Result:
    """Write beside ``target``, and rename when all is on the disk."""
    _refuse(target)
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]  # never too long a name
    part = target.with_name(f"{PART_PREFIX}{name}.part")
    try:
        result = write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        _refuse(target)
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return result


def _refuse(target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "there is such a file already", str(target))
