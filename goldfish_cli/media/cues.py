"""The values that subtitles are made of: what is said, and when. Knows no file and no video."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption. ``text`` is plain, may hold line breaks, and is never empty in what we return.

    ``start`` and ``end`` are seconds on the video's presentation clock, the clock of
    ``Frame.time``; ``end >= start``.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Subtitles:
    """All captions of one video, by start time.

    ``source`` is where they come from: ``none``, a file name, ``stream 2`` or ``whisper base``.
    ``language`` is a tag as the source gives it (``en``, ``eng``, ``pt-BR``), ``None`` if it does
    not. ``notes`` say, one sentence each, what was mended, left out or passed over.
    """

    cues: tuple[Cue, ...] = ()
    source: str = "none"
    language: str | None = None
    notes: tuple[str, ...] = ()


def as_line(text: str) -> str:
    """Put a caption on one line: every run of white space becomes one space."""
    return " ".join(text.split())
