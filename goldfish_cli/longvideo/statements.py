"""Evidence in small pieces: one thing that is seen or said, with the time at which it is.

A clip's summary tells of several things. Things told one after another share the clip's span in
their order and evenly, which is an estimate; things told as simultaneous each have the whole span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from goldfish_cli.longvideo.records import ClipRecord, PassageKind
from goldfish_cli.longvideo.words import stems
from goldfish_cli.media.cues import as_line

_STOPS = ".!?\u3002\uff01\uff1f"  # the last three as Chinese and Japanese write them
_SENTENCE = re.compile(rf"(?<=[{_STOPS}])\s+|\n+")
_THEN = re.compile(r"\s*[,;]?\s+(?:and\s+)?then\s+", re.IGNORECASE)
_WHILE = re.compile(r"\s*,?\s+while\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a film shows or says."""

    film: str
    clip: int
    kind: PassageKind
    start: float
    end: float
    text: str
    stems: tuple[str, ...]
    """Of its words, in order."""
    place: int = 0
    """Which moment of its clip, counted from 0; simultaneous things have the same."""


def statements_of(film: str, clips: Iterable[ClipRecord]) -> list[Statement]:
    """Take clips apart into what they show and say, in the order of the film."""
    found = [one for clip in clips for one in (*_seen(film, clip), *_said(film, clip))]
    return sorted(found, key=lambda one: (one.start, one.clip, one.kind))


def _seen(film: str, clip: ClipRecord) -> Iterator[Statement]:
    moments = [
        moment
        for sentence in _SENTENCE.split(clip.summary)
        for moment in _THEN.split(sentence)
        if stems(moment)
    ]
    told_in_order = _THEN.search(clip.summary) is not None
    share = (clip.end - clip.start) / max(1, len(moments))
    for place, moment in enumerate(moments):
        start = clip.start + place * share if told_in_order else clip.start
        end = start + share if told_in_order else clip.end
        for part in _WHILE.split(moment):
            text = as_sentence(part)
            yield Statement(film, clip.number, "seen", start, end, text, tuple(stems(text)), place)


def _said(film: str, clip: ClipRecord) -> Iterator[Statement]:
    for cue in clip.cues:
        text = as_line(cue.text)
        yield Statement(film, clip.number, "said", cue.start, cue.end, text, tuple(stems(text)))


def as_sentence(words: str) -> str:
    """Begin with a capital, end with a stop."""
    words = as_line(words)
    return words[:1].upper() + words[1:] + ("" if words[-1:] in _STOPS else ".")
