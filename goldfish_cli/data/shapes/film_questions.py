"""Questions about a film of Shapes World, with their answers and the times that prove them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from goldfish_cli.data.shapes.films import Film, FilmClip
from goldfish_cli.data.shapes.language import NUMBERS, event_sentence, inflected
from goldfish_cli.data.shapes.world import Event

FILM_FAMILIES = ("needle", "order", "count", "narration", "between", "absent")
NOT_IN_FILM = "It is not in the film."

_WORDINGS = {
    "needle": (
        "When does the {object} appear?",
        "At what time can the {object} be seen?",
        "When do we see the {object}?",
        "At which moment does the {object} show up?",
        "When is the {object} on screen?",
        "What is the timestamp of the {object}?",
    ),
    "needle event": (
        "When does the {event}?",
        "At what time does the {event}?",
        "What does the {object} do?",
        "What is the {object} doing?",
    ),
    "after": (
        "What happens right after the {event}?",
        "What happens after the {event}?",
        "What comes next after the {event}?",
        "What is shown immediately after the {event}?",
        "What happens once the {event_past}?",
    ),
    "before": (
        "What happens right before the {event}?",
        "What happens before the {event}?",
        "What is shown immediately before the {event}?",
        "What comes just before the {event}?",
    ),
    "count": (
        "How many times does a {object} appear?",
        "How often does the {object} appear?",
        "How many times is a {object} shown?",
        "Count the {objects} in the film.",
        "How many times can a {object} be seen?",
    ),
    "narration at": (
        "What is said at {time}?",
        "What does the narrator say at {time}?",
        "At {time}, what is said?",
        "Which words are spoken at {time}?",
    ),
    "narration beside": (
        "What is said when the {event}?",
        "What does the narrator say while the {event}?",
        "What can be heard when the {event}?",
    ),
    "between": (
        "What happens between {time} and {end}?",
        "What is shown between {time} and {end}?",
        "Describe what happens from {time} to {end}.",
    ),
    "absent": (
        "When does the {object} appear?",
        "What does the {object} do?",
        "At what time can the {object} be seen?",
        "What happens after the {object} {action}?",
        "When does the {object} {verb}?",
    ),
}


@dataclass(frozen=True, slots=True)
class FilmQuestion:
    """A question about a film, its answer, and where in the film that is to be seen or heard."""

    family: str
    question: str
    answer: str
    """Of *when* and *absent* questions, what the answer means: its times are the truth."""
    spans: tuple[tuple[float, float], ...]
    """Start and end of each place, in seconds."""


def film_questions(film: Film, rng: np.random.Generator) -> list[FilmQuestion]:
    """Ask everything about a film that these families allow, each thing in one wording."""
    found = [*_needles(film, rng), *_orders(film, rng), *_counts(film, rng)]
    found += [*_narration(film, rng), *_between(film, rng), *_absent(film, rng)]
    return found


def moment_sentence(events: list[Event], relation: str) -> str:
    """What one moment shows: a single event, or two at once."""
    told = [event_sentence(event) for event in events]
    if relation == "while" and len(told) == 2:
        return f"{told[0].rstrip('.')} while {told[1][0].lower()}{told[1][1:]}"
    return " ".join(told)


def _needles(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    for name in film.needles:
        event = film.events_of(name)[0]
        span = ((round(event.start, 3), round(event.end, 3)),)
        yield FilmQuestion("needle", _word(rng, "needle", event), "", span)
        text = _word(rng, "needle event", event)
        answer = "" if text.startswith(("When", "At")) else event.action
        yield FilmQuestion("needle", text, answer, span)


def _orders(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    moments = [moment for one in film.clips for moment in _moments(one)]
    for name in film.needles:
        at, event = next(
            (place, event)
            for place, (events, _) in enumerate(moments)
            for event in events
            if event.name == name
        )
        for form, place in (("after", at + 1), ("before", at - 1)):
            if not 0 <= place < len(moments):
                continue
            events, relation = moments[place]
            spans = tuple((round(one.start, 3), round(one.end, 3)) for one in events)
            answer = moment_sentence(events, relation)
            yield FilmQuestion("order", _word(rng, form, event), answer, spans)


def _counts(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    for name in film.rare:
        events = film.events_of(name)
        spans = tuple((round(one.start, 3), round(one.end, 3)) for one in events)
        text = _word(rng, "count", events[0])
        yield FilmQuestion("count", text, NUMBERS[len(events)], spans)


def _narration(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    cues = [cue for one in film.clips for cue in one.narration if cue.end - cue.start >= 1.0]
    for place in rng.permutation(len(cues))[:8]:
        cue = cues[int(place)]
        time = int(cue.start) + 1  # a whole second at which it is said
        if not cue.start <= time < cue.end:
            continue
        text = _word(rng, "narration at", None, time=_clock(time))
        yield FilmQuestion("narration", text, cue.text, ((round(cue.start, 3), round(cue.end, 3)),))
    for name in film.needles:
        clip = next(one for one in film.clips if any(e.name == name for e in one.events))
        if len(clip.narration) == 1:
            cue = clip.narration[0]
            event = film.events_of(name)[0]
            spans = ((round(cue.start, 3), round(cue.end, 3)),)
            text = _word(rng, "narration beside", event)
            yield FilmQuestion("narration", text, cue.text, spans)


def _between(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    """Ask about a span that begins and ends well inside single moments, where they are long."""
    clips = [one for one in film.clips if len(one.events) == 1 and one.clip.duration >= 3.0]
    for place in rng.permutation(len(clips))[:5]:
        event = clips[int(place)].events[0]
        first, last = int(event.start) + 1, int(event.end)
        if last <= first:
            continue
        text = _word(rng, "between", None, time=_clock(first), end=_clock(last))
        spans = ((round(event.start, 3), round(event.end, 3)),)
        yield FilmQuestion("between", text, event_sentence(event), spans)


def _absent(film: Film, rng: np.random.Generator) -> Iterator[FilmQuestion]:
    for name in film.absent:
        action = film.clips[0].clip.events[0].action
        verb = action.split()[0].removesuffix("s") + action.removeprefix(action.split()[0])
        text = _word(rng, "absent", None, object=name, action=action, verb=verb)
        yield FilmQuestion("absent", text, NOT_IN_FILM, ())


def _moments(one: FilmClip) -> Iterator[tuple[list[Event], str]]:
    if one.clip.relation == "while":
        yield one.events, "while"
        return
    for event in one.events:
        yield [event], "then"


def _word(rng: np.random.Generator, form: str, event: Event | None, **slots: str) -> str:
    options = _WORDINGS[form]
    text = options[int(rng.integers(len(options)))]
    if event is not None:
        slots["object"], slots["event"] = event.name, f"{event.name} {event.action}"
        if text.startswith(("When does the {event}", "At what time does the {event}")):
            verb, _, rest = event.action.partition(" ")
            slots["event"] = f"{event.name} {verb.removesuffix('s')} {rest}".strip()
        slots |= inflected({"object": event.name, "event": f"{event.name} {event.action}"})
    return text.format(**slots)


def _clock(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    tail = int(seconds) % 60
    return f"{hours}:{minutes:02d}:{tail:02d}" if hours else f"{minutes}:{tail:02d}"
