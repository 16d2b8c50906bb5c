"""A budget of seconds that reading a video may take, so that no file can hang a program."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from goldfish_cli.errors import VideoError


@dataclass(slots=True)
class TimeLimit:
    """Seconds that may pass before reading gives up.

    Args:
        seconds: The budget, from now or from the last ``restart``.
        path: The file, for the message.
    """

    seconds: float
    path: Path
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.restart()

    def restart(self) -> None:
        """Grant the whole budget anew, as after each frame of a stream that may be hours long."""
        self._deadline = time.monotonic() + self.seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Raise if the time is used up.

        Raises:
            VideoError: If it is.
        """
        if time.monotonic() > self._deadline:
            raise self.error()

    def error(self) -> VideoError:
        """The error to raise when the time is used up."""
        return VideoError(
            f"Reading {self.path.name} took longer than {self.seconds:.3g} s.",
            hint="It may be damaged; re-encode it, for example: ffmpeg -i in.mp4 out.mp4",
        )
