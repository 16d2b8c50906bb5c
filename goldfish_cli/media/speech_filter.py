"""Tell speech from what Whisper imagines in silence, music and noise, by its own figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_LOOP_PERIOD = 4  # segments; Whisper also loops over two or three sentences
MIN_LOOP_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a transcript, with Whisper's own figures for the window it was decoded in."""

    start: float
    end: float
    text: str
    no_speech_prob: float
    """How likely it is that nobody speaks, 0 to 1."""
    avg_logprob: float
    """Mean log probability of the tokens, 0 at best."""
    compression_ratio: float
    """Length of the text over its length when compressed; repetition makes it large."""


@dataclass(frozen=True, slots=True)
class SpeechThresholds:
    """From which figures on a segment is not believed (arXiv:2212.04356, section 4.5)."""

    min_logprob: float = -1.0
    """Whisper's own: below it, it decodes anew, and keeps the last attempt whatever it is."""
    max_compression_ratio: float = 2.4
    """Whisper's own, likewise."""
    max_no_speech_prob: float = 0.6
    """Whisper's own for silence, together with ``silence_logprob``."""
    silence_logprob: float = -0.5
    """Where silence is likely, the words must be likelier than Whisper's own -1.0: thanks for
    watching, the classic, comes at about -0.7."""


def keep_speech(
    segments: Sequence[Segment], thresholds: SpeechThresholds | None = None
) -> list[Segment]:
    """Leave out segments without text, that Whisper did not believe itself, and loops of them."""
    limits = thresholds or SpeechThresholds()
    return drop_loops([s for s in segments if s.text.strip() and is_believable(s, limits)])


def is_believable(segment: Segment, limits: SpeechThresholds) -> bool:
    """Judge one segment by its figures; one that is not a number is not believed."""
    sure = segment.avg_logprob >= limits.min_logprob
    varied = segment.compression_ratio <= limits.max_compression_ratio
    voiced = segment.no_speech_prob <= limits.max_no_speech_prob
    return sure and varied and (voiced or segment.avg_logprob >= limits.silence_logprob)


def drop_loops(segments: Sequence[Segment]) -> list[Segment]:
    """Keep the first round of up to four segments that come three times or more in a row.

    Case and punctuation do not count. Said twice is said twice.
    """
    kept = list(segments)
    for period in range(1, MAX_LOOP_PERIOD + 1):
        words = [_letters(segment.text) for segment in kept]
        same = [i >= period and words[i] == words[i - period] for i in range(len(kept))]
        repeats: set[int] = set()
        run: list[int] = []
        for i, is_same in enumerate([*same, False]):
            if is_same:
                run.append(i)
                continue
            if len(run) >= period * (MIN_LOOP_REPEATS - 1):
                repeats.update(run)
            run = []
        kept = [segment for i, segment in enumerate(kept) if i not in repeats]
    return kept


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
