"""Chapters of a film from what its clips tell: borders where the words change.

The way of TextTiling (Hearst 1997), over clips in place of sentences.
No model is asked: titles are a chapter's most telling words, summaries are sentences of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt

from goldfish_cli.longvideo.clock import span
from goldfish_cli.longvideo.records import Chapter, ClipRecord
from goldfish_cli.longvideo.words import FUNCTION_WORDS, stem, words

CHAPTER_SECONDS = 300.0
"""A chapter lasts about so long, if the film is long enough for several."""
WINDOW = 4  # clips on either side of a border that are compared
TITLE_WORDS, SUMMARY_SENTENCES = 3, 3


def chapters_of(clips: Sequence[ClipRecord]) -> tuple[Chapter, ...]:
    """Divide a film; one chapter per five minutes or so, at least one where anything is told."""
    told = [clip for clip in clips if _text(clip)]
    if not told:
        return ()
    bags = [Counter(_content(_text(clip))) for clip in told]
    length = told[-1].end - told[0].start
    borders = sorted(_borders(bags, round(length / CHAPTER_SECONDS) - 1))
    parts = [*zip([0, *borders], [*borders, len(told)], strict=True)]
    frequencies = Counter(one for bag in bags for one in bag)
    return tuple(
        _chapter(told[first:last], bags[first:last], frequencies, len(bags))
        for first, last in parts
    )


def summary_of(chapters: Sequence[Chapter]) -> str:
    """The film in as many lines as it has chapters."""
    return "\n".join(
        f"{span(chapter.start, chapter.end)} {chapter.title}: {chapter.summary}"
        for chapter in chapters
    )


def _borders(bags: Sequence[Counter[str]], count: int) -> list[int]:
    """The clips before which the words change most, at least a window apart."""
    changes = {
        place: 1.0
        - _likeness(_merged(bags[place - WINDOW : place]), _merged(bags[place : place + WINDOW]))
        for place in range(WINDOW, len(bags) - WINDOW + 1)
    }
    chosen: list[int] = []
    for place in sorted(changes, key=lambda one: (-changes[one], one)):
        if len(chosen) < count and all(abs(place - other) >= WINDOW for other in chosen):
            chosen.append(place)
    return chosen


def _chapter(
    clips: Sequence[ClipRecord],
    bags: Sequence[Counter[str]],
    frequencies: Counter[str],
    total: int,
) -> Chapter:
    weights = {
        word: count * log(1 + total / frequencies[word]) for word, count in _merged(bags).items()
    }
    spelled = _spellings(clips)
    telling = sorted(weights, key=lambda word: (-weights[word], word))[:TITLE_WORDS]
    rated = [sum(weights[word] for word in bag) / (3 + len(bag)) for bag in bags]
    best = sorted(range(len(clips)), key=lambda place: (-rated[place], place))[:SUMMARY_SENTENCES]
    sentences = [clips[place].summary or _text(clips[place]) for place in sorted(best)]
    title = ", ".join(spelled[word] for word in telling)
    return Chapter(clips[0].start, clips[-1].end, title, " ".join(dict.fromkeys(sentences)))


def _text(clip: ClipRecord) -> str:
    return " ".join([clip.summary, *(" ".join(cue.text.split()) for cue in clip.cues)]).strip()


def _content(text: str) -> list[str]:
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS and len(word) > 1]


def _spellings(clips: Sequence[ClipRecord]) -> dict[str, str]:
    """How each stem is written most often."""
    seen: dict[str, Counter[str]] = {}
    for clip in clips:
        for word in words(_text(clip)):
            seen.setdefault(stem(word), Counter())[word] += 1
    return {one: spellings.most_common(1)[0][0] for one, spellings in seen.items()}


def _merged(bags: Sequence[Counter[str]]) -> Counter[str]:
    whole: Counter[str] = Counter()
    for bag in bags:
        whole.update(bag)
    return whole


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """The cosine of two bags of words."""
    product = sum(count * other[word] for word, count in one.items())
    sizes = [sqrt(sum(count * count for count in bag.values())) for bag in (one, other)]
    return product / (sizes[0] * sizes[1]) if all(sizes) else 0.0
