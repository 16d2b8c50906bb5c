"""Turn instructions about videos, in any format they circulate in, into what training reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldfish_cli.data.items import BadItem, Item, scan_items, to_record
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.find_video import find_video
from goldfish_cli.data.prepare.output import PreparedFile

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.media import MediaIndex


@dataclass(frozen=True, slots=True)
class KnownVideos:
    """What is known of the videos of a dataset."""

    index: "MediaIndex"
    lengths: Mapping[Path, float]
    """Seconds of those that can be read."""
    unreadable: Mapping[Path, str]
    """The others, with the reason."""


def convert_rows(
    path: Path, output: PreparedFile, account: Account, *, videos: KnownVideos | None = None
) -> Iterator[None]:
    """Write the rows in Goldfish's own shape with the length of their video; a step a row.

    A row with one question becomes ``video_id, q, a, length``, a dialogue keeps its turns.

    Args:
        path: Annotations in any known format.
        output: Receives the rows, and those that are dropped.
        account: Counts the rows.
        videos: Where the length comes from; without, a length in the file is kept.

    Raises:
        AnnotationError: If the file cannot be read.
    """
    for row in scan_items(path):
        account.read()
        if isinstance(row, BadItem):
            output.drop(row.raw, row.reason, row.detail)
        elif videos is None:
            output.write(_record(row, _seconds(row.extra.get("length"))))
        else:
            _write_if_readable(row, videos, output)
        yield


def _write_if_readable(row: Item, videos: KnownVideos, output: PreparedFile) -> None:
    video, reason, detail = find_video(videos.index, row.id)
    if video is None:
        output.drop(row.raw, reason, detail)
    elif video in videos.unreadable:
        output.drop(row.raw, "unreadable-video", videos.unreadable[video])
    else:
        output.write(_record(row, videos.lengths[video]))


def _record(row: Item, length: float | None) -> dict[str, Any]:
    """Return what is written: the length comes right after the text."""
    extra = {key: value for key, value in row.extra.items() if key != "length"}
    record = to_record(Item(row.number, row.id, row.turns, row.caption, {}, row.raw))
    return record | ({} if length is None else {"length": length}) | extra


def _seconds(value: Any) -> float | None:
    """Read a length that a file gives; a table gives it as text."""
    try:
        return None if isinstance(value, bool) else round(float(value), 3)
    except (TypeError, ValueError):
        return None
