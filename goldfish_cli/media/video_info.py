"""The values of the media room: what is known of a video, and one picture of it with its time."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""``(height, width, 3)`` RGB, upright."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a container."""

    index: int
    kind: Literal["video", "audio", "subtitle"]
    codec: str
    language: str | None = None
    default: bool = False
    title: str | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file says of its video, corrected by what was found in it.

    Times are presentation times in seconds on the file's own clock, which need not begin at zero.
    """

    path: Path
    container: str
    codec: str
    width: int
    """Of the upright picture, in pixels."""
    height: int
    rotation: int
    """Degrees clockwise by which stored pictures are turned to stand upright: 0, 90, 180 or 270."""
    frame_rate: Fraction | None
    """Frames a second on average; ``None`` where the file does not say."""
    variable_rate: bool | None
    """``None`` where it would take reading the whole file to know."""
    start: float
    """Time of the first picture."""
    duration: float
    """Seconds from the first picture to the end of the last; 0 for a still image."""
    duration_source: str
    """How far to trust ``duration``: ``header`` (checked against the packets where that is cheap),
    ``packets`` (measured: the header is missing or wrong), ``estimate`` or ``still``."""
    num_frames: int | None
    stated_duration: float | None = None
    """Seconds that the header states; well above ``duration`` where the file is cut off."""
    audio: tuple[StreamInfo, ...] = ()
    subtitles: tuple[StreamInfo, ...] = ()
    notes: tuple[str, ...] = ()
    """What is odd about the file, a sentence each."""

    @property
    def end(self) -> float:
        """Time at which the last picture ends."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One upright picture and its own presentation time in seconds."""

    time: float
    image: Image


@dataclass(frozen=True, slots=True)
class Look:
    """A picture in small, which is cheap, and the way to the whole one."""

    time: float
    """Its own presentation time, in seconds."""
    small: Image
    whole: Callable[[], Image]
    """Gives the upright picture in full size, and holds what was decoded until then."""
