"""A picture and its caption as a source has them, before anything was checked."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImagePair:
    """One row of a source."""

    source: str
    """Its address, its path inside the folder, or its tar and key."""
    caption: str
    """``""``: it has none."""
    file: int = 0
    """Which tar or table of the source it stands in."""
    image: Path | bytes | None = None
    """The file or its content; ``None``: there is none, or it is behind the address."""
    problem: str = ""
    """Why it cannot be used, such as ``no-image``; ``""`` where nothing is known against it."""
