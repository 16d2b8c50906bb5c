"""What happens in a Shapes World clip: objects, their actions and when. No pixels, no words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SHAPES = ("circle", "square", "triangle", "star", "cross")
ACTIONS = (
    "moves left",
    "moves right",
    "moves up",
    "moves down",
    "grows",
    "shrinks",
    "blinks",
    "stays still",
)
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
ASPECTS = (4 / 3, 16 / 9, 1.0)

MIN_SIZE, MAX_SIZE = 1 / 8, 1 / 2
"""An object's height as a share of the frame's height."""
MIN_TRAVEL = 0.25
"""How far a motion goes, as a share of the frame's width or height."""
MIN_GROWTH = 1.8
MIN_EVENT_SECONDS, MAX_EVENT_SECONDS = 1.0, 4.0
MIN_CLIP_SECONDS, MAX_CLIP_SECONDS = 2.0, 12.0

Relation = Literal["then", "while"]


@dataclass(frozen=True, slots=True)
class State:
    """Where an object is at one moment: centre and height as shares of the frame."""

    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Event:
    """One object doing one action from ``start`` to ``end`` seconds; to be seen only then."""

    colour: str
    shape: str
    action: str
    start: float
    end: float
    first: State
    last: State
    easing: float = 0.0
    """0: even speed; 1: slow at both ends."""
    blink_hz: float = 0.0
    blink_phase: float = 0.0
    blink_on: float = 0.5
    """Share of a blink's period in which the object is to be seen."""

    @property
    def name(self) -> str:
        """The object's full name: ``red circle``."""
        return f"{self.colour} {self.shape}"

    def state(self, time: float) -> State | None:
        """The object at ``time`` seconds; ``None`` when it is not to be seen."""
        if not self.start <= time < self.end:
            return None
        if self.blink_hz:
            cycle = ((time - self.start) * self.blink_hz + self.blink_phase) % 1.0
            if cycle >= self.blink_on:
                return None
        share = (time - self.start) / (self.end - self.start)
        smooth = share * share * (3 - 2 * share)
        share += self.easing * (smooth - share)
        return State(
            self.first.x + share * (self.last.x - self.first.x),
            self.first.y + share * (self.last.y - self.first.y),
            self.first.size + share * (self.last.size - self.first.size),
        )


@dataclass(frozen=True, slots=True)
class Narration:
    """One subtitle cue: ``the code is seven`` tells that ``code`` is ``seven``."""

    start: float
    end: float
    text: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Clip:
    """One to three events, one after another ("then") or two at once ("while")."""

    events: tuple[Event, ...]
    relation: Relation
    duration: float
    aspect: float
    narration: tuple[Narration, ...] = ()


def sample_clip(
    rng: np.random.Generator, *, narration: float = 0.25, aspect: float | None = None
) -> Clip:
    """Draw a clip.

    Args:
        rng: Draws it.
        narration: Share of clips in which something is said.
        aspect: Width over height; drawn as well by default.
    """
    drawn = float(rng.choice(ASPECTS))
    aspect = drawn if aspect is None else aspect
    layout = rng.choice(4, p=(0.2, 0.28, 0.26, 0.26))
    relation: Relation = "while" if layout == 3 else "then"
    count = 2 if relation == "while" else int(layout) + 1
    names = rng.choice(len(COLOURS) * len(SHAPES), size=count, replace=False)
    if count > 1 and rng.random() < 0.3:  # objects told apart by one property only
        names = _share_one_property(rng, names)
    spans, duration = _time_spans(rng, count, relation)
    events: list[Event] = []
    for name, (start, end) in zip(names, spans, strict=True):
        colour, shape = COLOURS[int(name) // len(SHAPES)], SHAPES[int(name) % len(SHAPES)]
        others = events if relation == "while" else []
        events.append(_sample_event(rng, colour, shape, start, end, aspect, others))
    if relation == "while":  # so that one caption is right: who starts first, else from the left
        events.sort(key=lambda event: (event.start, event.first.x))
    said = _sample_narration(rng, duration) if rng.random() < narration else ()
    return Clip(tuple(events), relation, duration, aspect, said)


def _share_one_property(rng: np.random.Generator, names: np.ndarray) -> np.ndarray:
    """Give the second object the colour or the shape of the first."""
    first, width = int(names[0]), len(SHAPES)
    if rng.random() < 0.5:
        twin = first // width * width + int(rng.integers(width))
    else:
        twin = int(rng.integers(len(COLOURS))) * width + first % width
    if twin in names:
        return names
    return np.array([first, twin, *names[2:]])


def _time_spans(
    rng: np.random.Generator, count: int, relation: Relation
) -> tuple[list[tuple[float, float]], float]:
    """Draw when each event runs, and how long the clip is."""
    lead, tail = (float(rng.uniform(0, 0.6)) if rng.random() < 0.3 else 0.0 for _ in range(2))
    lengths = rng.uniform(MIN_EVENT_SECONDS, MAX_EVENT_SECONDS, size=count)
    lengths = np.minimum(lengths, (MAX_CLIP_SECONDS - lead - tail) / count)
    if relation == "while":
        length = float(max(lengths[0], MIN_CLIP_SECONDS - lead - tail))
        shift = float(rng.uniform(0, 0.15)) * length if rng.random() < 0.3 else 0.0
        spans = [(lead, lead + length - shift), (lead + shift, lead + length)]
        return spans, lead + length + tail
    spans, now = [], lead
    for index, length in enumerate(lengths):
        spans.append((now, now + float(length)))
        gap = float(rng.uniform(0, 0.5)) if rng.random() < 0.25 and index + 1 < count else 0.0
        now += float(length) + gap
    shortage = max(0.0, MIN_CLIP_SECONDS - now - tail)
    if shortage and rng.random() < 0.7:  # stretch the last event rather than end in silence
        start, end = spans[-1]
        spans[-1] = (start, end + shortage)
        now += shortage
        shortage = 0.0
    over = max(1.0, (now + tail + shortage) / MAX_CLIP_SECONDS)
    return [(a / over, b / over) for a, b in spans], (now + tail + shortage) / over


def _sample_event(
    rng: np.random.Generator,
    colour: str,
    shape: str,
    start: float,
    end: float,
    aspect: float,
    others: list[Event],
) -> Event:
    """Draw an action and a path inside the frame, apart from the paths of ``others``."""
    for attempt in range(30):
        action = str(rng.choice(ACTIONS))
        first, last = _sample_path(rng, action, aspect)
        blinks = action == "blinks"
        event = Event(
            colour,
            shape,
            action,
            start,
            end,
            first,
            last,
            easing=float(rng.uniform(0, 1)) if rng.random() < 0.3 else 0.0,
            blink_hz=float(rng.uniform(1, 3)) if blinks else 0.0,
            blink_phase=float(rng.uniform(0, 1)) if blinks and rng.random() < 0.5 else 0.0,
            blink_on=float(rng.uniform(0.4, 0.6)) if blinks else 0.5,
        )
        if all(_apart(event, other, aspect) for other in others) or attempt == 29:
            break
    return event


def _sample_path(rng: np.random.Generator, action: str, aspect: float) -> tuple[State, State]:
    """Draw the first and last state of an action, wholly inside the frame."""
    if action in ("grows", "shrinks"):
        ratio = rng.uniform(MIN_GROWTH, 3.2)
        small = rng.uniform(MIN_SIZE, MAX_SIZE / ratio)
        x, y = _place(rng, small * ratio, aspect)
        states = State(x, y, small), State(x, y, small * ratio)
        return states if action == "grows" else (states[1], states[0])
    size = float(rng.uniform(MIN_SIZE, MAX_SIZE))
    x, y = _place(rng, size, aspect)
    if not action.startswith("moves"):
        return State(x, y, size), State(x, y, size)
    step_x, step_y = DIRECTIONS[action.split()[1]]
    margin = size / 2 / aspect if step_x else size / 2
    room = 1 - 2 * margin
    travel = float(rng.uniform(MIN_TRAVEL, max(MIN_TRAVEL, room)))
    low = margin + float(rng.uniform(0, max(0.0, room - travel)))
    ends = (low, low + travel) if step_x + step_y > 0 else (low + travel, low)
    if step_x:
        return State(ends[0], y, size), State(ends[1], y, size)
    return State(x, ends[0], size), State(x, ends[1], size)


def _place(rng: np.random.Generator, size: float, aspect: float) -> tuple[float, float]:
    """Draw a centre that keeps an object of height ``size`` inside the frame."""
    margin_x, margin_y = size / 2 / aspect, size / 2
    return float(rng.uniform(margin_x, 1 - margin_x)), float(rng.uniform(margin_y, 1 - margin_y))


def _apart(one: Event, other: Event, aspect: float) -> bool:
    """Whether two paths never bring the objects over each other (blinking counts as seen)."""
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        a, b = _along(one, share), _along(other, share)
        distance = math.hypot((a.x - b.x) * aspect, a.y - b.y)
        if distance < 0.55 * (a.size + b.size):
            return False
    return True


def _along(event: Event, share: float) -> State:
    first, last = event.first, event.last
    return State(
        first.x + share * (last.x - first.x),
        first.y + share * (last.y - first.y),
        first.size + share * (last.size - first.size),
    )


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAMES = (
    "anna", "boris", "clara", "david", "emma", "felix",
    "grace", "hugo", "irene", "jonas", "karim", "lucia",
)  # fmt: skip
"""The names of the written clips. Any other name can be said as well; pre-training uses many."""


def _sample_narration(rng: np.random.Generator, duration: float) -> tuple[Narration, ...]:
    """Draw one or two cues that say what the picture does not show."""
    keys = list(rng.permutation(("code", "answer", "name")))[: 1 + int(rng.random() < 0.35)]
    slot = duration / len(keys)
    cues = []
    for index, key in enumerate(keys):
        start = index * slot + float(rng.uniform(0, 0.5)) * slot
        end = min((index + 1) * slot, start + float(rng.uniform(0.8, 2.5)))
        cues.append(narrate(str(key), str(rng.choice(_VALUES[str(key)])), start, end))
    return tuple(cues)


_VALUES = {"code": DIGITS, "answer": COLOURS, "name": NAMES}


def narrate(key: str, value: str, start: float, end: float) -> Narration:
    """The cue which says that ``key`` is ``value``."""
    owner = "her" if key == "name" else "the"
    return Narration(start, end, f"{owner} {key} is {value}", key, value)
