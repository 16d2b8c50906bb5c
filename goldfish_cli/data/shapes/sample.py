"""The sample clip that ships with the package: three events and a spoken code, in one mp4."""

from pathlib import Path

import numpy as np

from goldfish_cli.data.shapes.encode import VideoFormat, encode_clip
from goldfish_cli.data.shapes.render import Painter, sample_look
from goldfish_cli.data.shapes.world import Clip, Event, State, narrate

SAMPLE = Clip(
    events=(
        Event(
            "red", "circle", "moves left", 0.0, 3.0, State(0.75, 0.4, 0.3), State(0.25, 0.4, 0.3)
        ),
        Event("blue", "square", "grows", 3.0, 6.0, State(0.5, 0.5, 0.18), State(0.5, 0.5, 0.46)),
        Event("yellow", "star", "moves up", 6.0, 8.0, State(0.6, 0.7, 0.34), State(0.6, 0.3, 0.34)),
    ),
    relation="then",
    duration=8.0,
    aspect=4 / 3,
    narration=(narrate("code", "seven", 3.5, 5.0),),
)


def write_sample(path: Path) -> None:
    """Draw the sample clip, 320 by 240 at 25 frames a second."""
    rng = np.random.default_rng(11)
    form = VideoFormat(320, 240, 25, "libx264", 24, 50, embedded_subtitles=True)
    encode_clip(path, Painter(SAMPLE, sample_look(rng, SAMPLE), 320, 240, rng), form)
