"""Keep the rows of an annotation file whose video is there and can be read."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from goldfish_cli.data.items import BadItem, Item, scan_items, to_record
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.find_video import find_video
from goldfish_cli.data.prepare.media import MediaIndex
from goldfish_cli.data.prepare.output import PreparedFile

RowOutcome = Literal["kept", "kept-deep", "dropped"]
"""``kept-deep``: the video lies in a folder below the one where training looks for it."""


def wanted_videos(path: Path, index: MediaIndex) -> list[Path]:
    """Return the videos that the rows of a file name, each once, in the order of the file.

    Raises:
        AnnotationError: If the file cannot be read.
    """
    found = (find_video(index, row.id) for row in scan_items(path) if isinstance(row, Item))
    return list(dict.fromkeys(video for video, _, _ in found if video is not None))


def filter_rows(
    path: Path,
    index: MediaIndex,
    unreadable: Mapping[Path, str],
    output: PreparedFile,
    account: Account,
) -> Iterator[RowOutcome]:
    """Write the rows that have a readable video, in the order of the file; a step a row.

    Args:
        path: Annotations in any known format.
        index: The videos that are there.
        unreadable: Those that were looked into in vain, with the reason.
        output: Receives the rows, and those that are dropped.
        account: Counts the rows.

    Raises:
        AnnotationError: If the file cannot be read.
    """
    for row in scan_items(path):
        account.read()
        if isinstance(row, BadItem):
            output.drop(row.raw, row.reason, row.detail)
            yield "dropped"
            continue
        video, reason, detail = find_video(index, row.id)
        if video is None:
            output.drop(row.raw, reason, detail)
            yield "dropped"
        elif video in unreadable:
            output.drop(row.raw, "unreadable-video", unreadable[video])
            yield "dropped"
        else:
            output.write(to_record(row))
            is_deep = video.parent != index.root / PurePosixPath(row.id).parent
            yield "kept-deep" if is_deep else "kept"
