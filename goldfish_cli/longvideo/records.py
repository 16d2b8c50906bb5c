"""What an index knows of a film, as values: clips, what was seen and said in them, chapters.

All times are presentation times in seconds on the film's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from goldfish_cli.media.cues import Cue

PassageKind = Literal["seen", "said"]


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip of a film: a part of its timeline, and what the model made of it."""

    number: int
    """0 is the film's first clip."""
    start: float
    end: float
    summary: str = ""
    """What the model says is to be seen; "" where it was not shown the clip."""
    cues: tuple[Cue, ...] = ()
    """What is said: every cue of the film belongs to the one clip in which it begins."""
    failed: str = ""
    """Why the clip could not be read; "" if it could."""
    key: str = ""
    """Hash of what the summary depends on: media, borders, frames, prompt, model."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A run of clips that belong together."""

    start: float
    end: float
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class FilmRecord:
    """One film of an index."""

    id: str
    """Hash of the file's content (``media_hash``): its identity, whatever its name."""
    paths: tuple[str, ...]
    """Absolute paths under which it was indexed; the last one is the newest."""
    start: float
    """Presentation time of its first frame."""
    duration: float
    subtitles: str = "none"
    """Where the cues come from, as ``Subtitles.source`` says."""
    language: str | None = None
    settings: dict[str, str | int | float | None] = field(default_factory=dict)
    """What the clips were made with, by name: for people to read."""
    borders_key: str = ""
    """Hash of what the clips' borders depend on; "" until they are all known."""
    complete: bool = False
    """Whether every clip was worked through."""
    summary: str = ""
    """Of the whole film."""
    chapters: tuple[Chapter, ...] = ()

    @property
    def end(self) -> float:
        """When the last frame leaves the screen."""
        return self.start + self.duration

    @property
    def name(self) -> str:
        """The newest file name."""
        return self.paths[-1].rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text with its place: the unit of retrieval and of evidence."""

    film: str
    """The film's id."""
    clip: int
    kind: PassageKind
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that was found."""

    passage: Passage
    score: float
    """The higher the better, comparable within one search only."""
    parts: dict[str, float]
    """What each retriever gave, by name: ``lexical``, ``dense``, ``visual``."""
