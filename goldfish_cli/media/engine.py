"""What a way of decoding must offer. Three know how: PyAV, decord, and Pillow for stills."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from goldfish_cli.errors import VideoError
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import Frame, VideoInfo


class DecodeError(VideoError):
    """This engine cannot make sense of the file; another may."""


class Engine(Protocol):
    """The narrow interface over all decoders.

    Every method raises ``VideoError`` on bad files: ``DecodeError`` where another engine is worth a
    try.
    """

    @property
    def name(self) -> str:
        """As users write it."""
        ...

    def probe(self, path: Path, limit: TimeLimit) -> VideoInfo:
        """Find out what the file is, and that at least one picture of it decodes."""
        ...

    def frames_at(
        self,
        path: Path,
        times: Sequence[float],
        *,
        size: tuple[int, int] | None,
        only_keyframes: bool,
        dense: bool,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Frame]:
        """The frame on screen at each of some ascending times, one for each.

        The first frame stands for times before it, the last for times after it.

        Args:
            path: The file.
            times: Seconds on the file's own clock.
            size: Width and height to scale to; ``None`` keeps the full picture.
            only_keyframes: Give the last keyframe before each time instead, which is cheaper.
            dense: Most frames of the file are asked for, so it should be read straight through.
            limit: Time that may pass.
            notes: Receives a sentence for each thing that went wrong and was worked around.
        """
        ...

    def frame_times(self, path: Path, limit: TimeLimit) -> list[float]:
        """Presentation times of all frames, ascending, without decoding where that is possible."""
        ...
