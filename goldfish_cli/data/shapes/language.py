"""Shapes World in words: captions, questions in many wordings, and their canonical answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from goldfish_cli.data.shapes.training_wordings import TRAINING
from goldfish_cli.data.shapes.wordings import HELD_OUT, OTHER_WORDS, PAST, SYNONYMS
from goldfish_cli.data.shapes.world import ACTIONS, COLOURS, SHAPES, Clip, Event

NUMBERS = ("zero", "one", "two", "three", "four", "five")
FAMILIES = (
    "colour",
    "shape",
    "action",
    "direction",
    "who",
    "existence",
    "count",
    "first",
    "last",
    "order",
    "describe",
    "narration",
    "unanswerable",
)
SAID = ("code", "answer", "name")
"""What a narration may tell."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A question before it is worded: which template family, what fills it, and the answer."""

    family: str
    form: str
    slots: dict[str, str]
    answer: str


@dataclass(frozen=True, slots=True)
class Question:
    """A worded question with its canonical answer."""

    family: str
    question: str
    answer: str


def caption(clip: Clip) -> str:
    """All events in order, such as ``A red circle moves left, then a blue square grows.``."""
    told = [f"a {event.name} {event.action}" for event in clip.events]
    return _sentence((" while " if clip.relation == "while" else ", then ").join(told))


def event_sentence(event: Event) -> str:
    """One event as a sentence, such as ``A red circle moves left.``."""
    return _sentence(f"a {event.name} {event.action}")


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def facts(clip: Clip, rng: np.random.Generator) -> list[Fact]:
    """Everything that can be asked about a clip; ``rng`` picks what absent things are asked for."""
    found = [*_object_facts(clip, rng), *_scene_facts(clip), *_order_facts(clip)]
    found += [*_narration_facts(clip), *_unanswerable_facts(clip, rng)]
    return found


def _object_facts(clip: Clip, rng: np.random.Generator) -> Iterator[Fact]:
    """Questions about one object that its words single out."""
    shapes = [event.shape for event in clip.events]
    colours = [event.colour for event in clip.events]
    actions = [event.action for event in clip.events]
    for event in clip.events:
        references = [event.name]
        if shapes.count(event.shape) == 1:
            references.append(event.shape)
            yield Fact("colour", "colour", {"object": event.shape}, event.colour)
        if colours.count(event.colour) == 1:
            references.append(f"{event.colour} {rng.choice(SYNONYMS['thing'])}")
            yield Fact("shape", "shape", {"colour": event.colour}, event.shape)
        for reference in references:
            yield Fact("action", "action", {"object": reference}, event.action)
            if event.action.startswith("moves"):
                direction = event.action.split()[1]
                yield Fact("direction", "direction", {"object": reference}, direction)
        if actions.count(event.action) == 1:
            yield Fact("who", "who", {"action": event.action}, event.name)


def _scene_facts(clip: Clip) -> Iterator[Fact]:
    """Questions about the clip as a whole."""
    names = {event.name for event in clip.events}
    for shape in SHAPES:
        answer = "yes" if any(event.shape == shape for event in clip.events) else "no"
        yield Fact("existence", "existence", {"object": shape}, answer)
    for colour in COLOURS:
        answer = "yes" if any(event.colour == colour for event in clip.events) else "no"
        yield Fact("existence", "existence", {"object": f"{colour} shape"}, answer)
        for shape in SHAPES:
            answer = "yes" if f"{colour} {shape}" in names else "no"
            yield Fact("existence", "existence", {"object": f"{colour} {shape}"}, answer)
    yield Fact("count", "count", {}, NUMBERS[len(clip.events)])
    yield Fact("describe", "describe", {}, caption(clip))


def _order_facts(clip: Clip) -> Iterator[Fact]:
    """Questions about which event comes when; only where events follow one another."""
    if clip.relation != "then":
        return
    yield Fact("first", "first", {}, event_sentence(clip.events[0]))
    yield Fact("last", "last", {}, event_sentence(clip.events[-1]))
    shapes = [event.shape for event in clip.events]
    for one, two in zip(clip.events, clip.events[1:], strict=False):
        for form, told, wanted in (("after", one, two), ("before", two, one)):
            names = [told.name] + [told.shape] * (shapes.count(told.shape) == 1)
            for name in names:
                event = {"event": f"{name} {told.action}"}
                yield Fact("order", form, event, event_sentence(wanted))


def _narration_facts(clip: Clip) -> Iterator[Fact]:
    for cue in clip.narration:
        yield Fact("narration", "narration", {"key": cue.key}, cue.value)


def _unanswerable_facts(clip: Clip, rng: np.random.Generator) -> Iterator[Fact]:
    """Questions about what the clip does not hold."""
    names = {event.name for event in clip.events}
    for shape in SHAPES:
        if all(event.shape != shape for event in clip.events):
            missing = f"There is no {shape}."
            yield Fact("unanswerable", "colour", {"object": shape}, missing)
            yield Fact("unanswerable", "action", {"object": shape}, missing)
            yield Fact("unanswerable", "direction", {"object": shape}, missing)
            moment = {"event": f"{shape} {rng.choice(ACTIONS)}"}
            yield Fact("unanswerable", str(rng.choice(("after", "before"))), moment, missing)
    for colour in COLOURS:
        if all(event.colour != colour for event in clip.events):
            missing = f"There is no {colour} shape."
            yield Fact("unanswerable", "shape", {"colour": colour}, missing)
    for _ in range(3):
        name = f"{rng.choice(COLOURS)} {rng.choice(SHAPES)}"
        if name not in names:
            missing = f"There is no {name}."
            yield Fact("unanswerable", "action", {"object": name}, missing)
            yield Fact("unanswerable", "direction", {"object": name}, missing)
            event = f"{name} {rng.choice(ACTIONS)}"
            yield Fact("unanswerable", "after", {"event": event}, missing)
            yield Fact("unanswerable", "before", {"event": event}, missing)
    said = {cue.key for cue in clip.narration}
    for key in SAID:
        if key not in said:
            yield Fact("unanswerable", "narration", {"key": key}, f"There is no {key}.")


def sample_questions(
    clip: Clip,
    rng: np.random.Generator,
    count: int,
    *,
    held_out: bool = False,
    families: tuple[str, ...] = FAMILIES,
) -> list[Question]:
    """Draw ``count`` questions about a clip, every family as likely as any other it allows.

    Args:
        clip: What is asked about.
        rng: Draws facts and wordings.
        count: How many; fewer where the clip gives rise to none of ``families``.
        held_out: Word them as training never does.
        families: What may be asked for.
    """
    by_family: dict[str, list[Fact]] = {}
    for fact in facts(clip, rng):
        if fact.family in families:
            by_family.setdefault(fact.family, []).append(fact)
    pools = {family: _balanced(pool) for family, pool in by_family.items()}
    order = list(rng.permutation(sorted(pools)))
    questions: list[Question] = []
    while len(questions) < count and order:
        for family in order[: count - len(questions)]:
            fact = pools[family](rng)
            questions.append(Question(fact.family, word(fact, rng, held_out=held_out), fact.answer))
    return questions


def _balanced(pool: list[Fact]) -> Callable[[np.random.Generator], Fact]:
    """Draw from a family so that yes and no, and each form, come equally often."""
    groups: dict[str, list[Fact]] = {}
    for fact in pool:
        group = fact.answer if fact.family == "existence" else fact.form
        groups.setdefault(group, []).append(fact)
    names = sorted(groups)

    def draw(rng: np.random.Generator) -> Fact:
        group = groups[names[int(rng.integers(len(names)))]]
        return group[int(rng.integers(len(group)))]

    return draw


def word(fact: Fact, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """Put a fact's question into words.

    Training wordings are mixed from templates, synonyms, polite openings and careless typing;
    held-out ones are used as they stand.
    """
    templates = (HELD_OUT if held_out else TRAINING)[fact.form]
    text = str(templates[int(rng.integers(len(templates)))])
    for name, values in SYNONYMS.items():
        if "{" + name + "}" in text:
            pick = values[0] if held_out else values[int(rng.integers(len(values)))]
            text = text.replace("{" + name + "}", pick)
    slots = dict(fact.slots)
    if not held_out and rng.random() < 0.3:
        slots = {name: _said_otherwise(value, rng) for name, value in slots.items()}
    slots |= inflected(slots)
    if slots.get("key") == "name" and "the {key}" in text:
        owner = "her" if held_out or rng.random() < 0.7 else "the"
        text = text.replace("the {key}", owner + " {key}")
    text = text.format(**slots)
    return text if held_out else _typed_carelessly(text, rng)


def _said_otherwise(text: str, rng: np.random.Generator) -> str:
    """Put an action that ends ``text`` in other words, if one does."""
    for action, others in OTHER_WORDS.items():
        if text.endswith(action):
            return text.removesuffix(action) + str(others[int(rng.integers(len(others)))])
    return text


def inflected(slots: dict[str, str]) -> dict[str, str]:
    """The other forms that a template may want of what the fact gives."""
    forms = {}
    if "object" in slots:
        name = slots["object"]
        forms["objects"] = name + ("es" if name.endswith("s") else "s")
    if "action" in slots:
        forms["doing"], forms["acted"] = _doing(slots["action"]), _acted(slots["action"])
    if "event" in slots:
        words = slots["event"].split(" ")
        ends = 1 + next(place for place, one in enumerate(words) if one in SHAPES)
        name, action = " ".join(words[:ends]), " ".join(words[ends:])
        forms["event_doing"] = f"{name} {_doing(action)}"
        forms["event_past"] = f"{name} {_acted(action)}"
    return forms


def _acted(action: str) -> str:
    """``moves left`` becomes ``moved left``."""
    verb, _, rest = action.partition(" ")
    return f"{PAST[verb]} {rest}".strip()


def _doing(action: str) -> str:
    """``moves left`` becomes ``moving left``."""
    verb, _, rest = action.partition(" ")
    stem = {"gets": "gett", "shrinks": "shrink"}.get(verb, verb.removesuffix("s"))
    stem = stem if len(stem) <= 2 else stem.removesuffix("e")
    return f"{stem}ing {rest}".strip()


def _typed_carelessly(text: str, rng: np.random.Generator) -> str:
    """Now and then a contraction, an opening phrase, lower case or a missing question mark."""
    if rng.random() < 0.15:
        first, *rest = text.split(" ", 2)
        if first in ("What", "Who", "Where", "How") and rest[0] == "is":
            text = " ".join([f"{first}'s", *rest[1:]])
    if rng.random() < 0.15:
        opening = SYNONYMS["opening"][int(rng.integers(len(SYNONYMS["opening"])))]
        text = f"{opening} {text[0].lower()}{text[1:]}"
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.1:
        text = text.rstrip("?.")
    return text
