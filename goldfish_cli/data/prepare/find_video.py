"""Find the video that a row names, or the reason to drop the row. Imports nothing that decodes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.media import MediaIndex


def find_video(index: "MediaIndex", name: str) -> tuple[Path | None, str, str]:
    """Return the video of an id; else ``None``, what to count the row under, and a detail."""
    try:
        video = index.find(name)
    except ValueError as error:
        return None, "outside-folder", str(error)
    return video, "missing-video", f"no video of the name {name}"
