"""The identity of a video: a hash of its content, whatever its name."""

import hashlib
from pathlib import Path

from goldfish_cli.errors import VideoError
from goldfish_cli.media.stills import folder_frames

BLOCK = 1 << 20  # bytes read at once


def media_hash(path: Path) -> str:
    """Hash every byte of a file, or of the frames of a folder in their order.

    Returns:
        32 hexadecimal digits (BLAKE2b); about a second for each GB.

    Raises:
        VideoError: If the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        for part in folder_frames(path) if path.is_dir() else [path]:
            with part.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            digest.update(part.stat().st_size.to_bytes(8, "little"))
    except OSError as error:
        raise VideoError(
            f"{path.name} cannot be read: {error.strerror}.", hint="Check the path and permissions."
        ) from error
    return digest.hexdigest()
