"""Write cues as SubRip text, so that this package and any player read back what was written."""

import html
from collections.abc import Iterable

from goldfish_cli.media.cues import Cue
from goldfish_cli.media.subtitle_text import strip_markup


def srt_text(cues: Iterable[Cue]) -> str:
    """Return the content of an SRT file.

    Times are written to the millisecond, the best that SRT can do. A caption loses its blank lines,
    which players take for its end, and its arrows, which are taken for times; what would be taken
    for markup is escaped.

    Args:
        cues: In seconds from the start of the video, in the order in which they shall stand.
    """
    blocks = [
        f"{number}\n{_timestamp(cue.start)} --> {_timestamp(cue.end)}\n{_said(cue.text)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def _said(text: str) -> str:
    lines = (" ".join(line.split()).replace("->", "→") for line in text.splitlines())
    said = "\n".join(line for line in lines if line)
    if strip_markup(said) == said:
        return said
    return html.escape(said, quote=False).replace("{", "&#123;")


def _timestamp(seconds: float) -> str:
    whole, milliseconds = divmod(round(max(0.0, seconds) * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{milliseconds:03d}"
