"""Play a video from a time on, with a player that the system has."""

import shutil
import subprocess
from pathlib import Path

from goldfish_cli.errors import MissingPackageError, VideoError

_AT = {
    "mpv": ["--start={time}"],
    "vlc": ["--start-time={time}"],
    "ffplay": ["-ss", "{time}"],
    "celluloid": ["--mpv-start={time}"],
}
"""Players that can begin at a time, the preferred first, and how each is told."""


def command_for(path: Path, seconds: float) -> list[str]:
    """The command that plays ``path`` from a time on.

    Raises:
        VideoError: If the file is not there.
        MissingPackageError: If no player is found that can begin at a time.
    """
    if not path.is_file():
        raise VideoError(f"{path} is not there any more.", hint="Index it where it is now")
    for player, options in _AT.items():
        found = shutil.which(player)
        if found is not None:
            told = [option.format(time=f"{seconds:.2f}") for option in options]
            return [found, *told, str(path.absolute())]
    raise MissingPackageError(
        "There is no player that can begin at a time.", hint="Install mpv, or VLC"
    )


def play(path: Path, seconds: float) -> None:
    """Start a player and leave it running."""
    subprocess.Popen(
        command_for(path, seconds),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
