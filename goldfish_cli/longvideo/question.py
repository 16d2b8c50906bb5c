"""Read a question about a film: what it asks for, about what, and which times it names.

The rules know English. A question in another language is taken as one about a fact, which needs no
rules: retrieval finds where to look, and the model looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from goldfish_cli.longvideo.clock import Spoken, times_in
from goldfish_cli.longvideo.words import FUNCTION_WORDS, stem, stems, words

Route = Literal["time", "when", "order", "count", "list", "whole", "fact"]
"""``time``: a named part of the timeline. ``when``: at what times something is. ``order``: what
comes after, before, first or last. ``count`` and ``list``: every place where something is.
``whole``: the film as such. ``fact``: anything else."""
Order = Literal["after", "before", "first", "last"]
Phrase = tuple[str, ...]
"""Stems of words that stand side by side."""

_LIGHT_WORDS = """
    dialogue dialog subtitle subtitles narrator
    timestamp timestamps count number occasion occasions places appear appears happen happens
    occur occurs show shows shown see seen come comes take takes place visible find found time
    times moment moments video film movie clip scene scenes footage part parts thing things
    event events first last next exactly many often turn exist exists list every all each tell
    give describe kind there say said says mention mentioned call called shout shouts shouted
    uttered quoted word words line lines talk talked speak spoken hear heard begin begins start
    starts end ends minute minutes second seconds hour hours get gets go on screen know want
    please finish finally eventually directly immediately right entire whole total altogether
    before after until since between colour color shape shapes object objects figure type sort
    way side someone somebody anyone anybody everyone everybody something anything everything
    nothing
"""
_LIGHT = frozenset(map(stem, _LIGHT_WORDS.split()))
"""Stems of words by which people ask; they do not name what is asked about."""

_WHEN = re.compile(
    r"\bwhen(?:ever)?\b(?!.*,)"
    r"|\b(?:at|around) (?:what|which) (?:time|times|moment|point|minute|second)\b"
    r"|\b(?:what|which) (?:time|times|moment|point|minute|timestamps?)\b"
    r"|\bhow (?:late|early|long into)\b"
    r"|\bwhere in the (?:film|video|movie)\b|\btimestamps?\b",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"\bhow (?:many|often|frequently)\b|\bnumber of times\b|\bcount (?:the|how|all|every)\b",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\blist\b"
    r"|\b(?:all|every|each) (?:of )?(?:the )?(?:times?|moments?|scenes?|places?|occasions?)\b"
    r"|\bevery time\b|\ball the times\b",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:say|says|said|saying|mention(?:s|ed)?|call(?:s|ed)? out|talk(?:s|ed|ing)?"
    r"|(?:is|are|was|were|name is|been) (?:\w+ )?called|shout(?:s|ed)?|uttered|quoted"
    r"|(?:first|last|final|opening|closing) (?:spoken )?(?:lines?|words?|sentence)"
    r"|speak(?:s|ing)?|spoken|spoke|tell(?:s)?|told|hear|heard|subtitles?|narrat\w+|quote[ds]?|voice|dialogue|speech|words)\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?P<after>(?:(?:right|just|directly|immediately|shortly|straight) )?"
    r"(?:after|following|once|as soon as|subsequent to)|follows?(?: when)?)\b"
    r"|\b(?P<before>(?:(?:right|just|directly|immediately|shortly) )?"
    r"(?:before|prior to(?: when)?|until|precedes?|preceding|ahead of|leads? up to))\b",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:first|beginning|begins?|opens?|opening|starts?|initially)\b", re.IGNORECASE
)
_LAST = re.compile(
    r"\b(?:last|end|ends|ending|finally|finish(?:es)?|closes?|closing|final)\b", re.IGNORECASE
)
_WHOLE = re.compile(
    r"\b(?:summar\w+|overview|plot|gist|synopsis|storyline)\b"
    r"|\b(?:what|tell me) (?:is|are|was|happens in|goes on in)? ?(?:the|this) "
    r"(?:whole |entire )?(?:film|video|movie|story)(?: about)?\s*\??$"
    r"|\bwhat (?:happens|goes on|is (?:shown|seen|going on))(?: here)?\s*\??$"
    r"|\bdescribe (?:the|this) (?:whole |entire )?(?:film|video|movie)\b"
    r"|\b(?:film|video|movie|story) (?:is )?about\b",
    re.IGNORECASE,
)
_FROM_TO = re.compile(r"\b(?:between|from)\b|\bto\b|\buntil\b|-|\u2013", re.IGNORECASE)
_LEAD = re.compile(r"\b(after|before)\s+(?:the\s+)?$", re.IGNORECASE)
_HAPPENS = re.compile(
    r"\b(?:what|describe|tell me what|list what)\b.*"
    r"\b(?:happens?|happened|happening|going on|goes on|shown|seen|see|takes? place|occurs?"
    r"|events?)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""(?<!\w)(?:"([^"]+)"|\u201c([^\u201d]+)\u201d|'([^']+)'(?!\w))""")
_COMMAND = re.compile(r"^\W*(?:please\W+)?(?:name|list|give|show)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|never|without)\b|n't\b", re.IGNORECASE)
_EDGE = re.compile(
    r"\b(?:the\s+)?(first|opening|last|final|closing)\s+(?:(\d+|[a-z]+)\s+)?"
    r"(seconds?|minutes?|hours?)\b",
    re.IGNORECASE,
)
_COUNTED = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: float(number) for number, word in enumerate(_COUNTED.split(), start=1)} | {
    "fifteen": 15.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "half": 0.5,
}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BREAK = re.compile(r"[,;:.?!()\"\u201c\u201d]")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read."""

    text: str
    route: Route
    phrases: tuple[Phrase, ...]
    """What it is about, or, of an order, what happens before or after: stems side by side."""
    names: tuple[str, ...] = ()
    """The same as it was written."""
    times: tuple[float, ...] = ()
    """One time, or start and end, in seconds from the film's start; a negative one counts from its
    end."""
    order: Order | None = None
    about_speech: bool = False
    """It asks for what is said."""
    about_events: bool = False
    """It asks for whatever happens, not for a property of something."""
    is_quote: bool = False
    """It names words as they are said, one after the other."""
    is_negated: bool = False
    """It asks for what is not: statements about what is do not answer that."""
    before_order: tuple[Phrase, ...] = ()
    """Of an order, what stands before ``after`` or ``before``."""
    without_times: str = ""
    """The question for a model that sees just that part."""


def read_question(text: str) -> Question:
    """Find out what a question asks for."""
    edge = _edge(text)
    spoken = [] if edge else list(times_in(text))
    rest = _EDGE.sub("", text) if edge else _without(text, spoken)
    said = _SAID.search(rest) is not None
    happens = _HAPPENS.search(rest) is not None
    order = None if edge else _order(rest)
    about, before = rest, ""
    if order and order.kind in ("after", "before"):
        about, before = rest[order.end :], rest[: order.begin]
        if not phrases_in(about):
            about, before = before, ""
    named = phrases_in(about)
    quoted = _quotes(about) or _quotes(rest)
    phrases = tuple(quoted or named)
    times = edge or _span(spoken, text)
    if spoken and order is None and (lead := _LEAD.search(text[: spoken[0].begin])):
        order = _Found("after" if lead[1].lower() == "after" else "before", 0, 0)
    route = _route(rest, phrases, times, order, about_speech=said)
    return Question(
        text,
        route,
        phrases,
        tuple((quoted or named).values()),
        times,
        order.kind if order and route in ("order", "when", "time", "fact") else None,
        said or bool(quoted),
        happens,
        bool(quoted),
        _NOT.search(rest) is not None,
        tuple(phrases_in(before)),
        rest.strip(),
    )


def _quotes(text: str) -> dict[Phrase, str]:
    """Words in quotation marks, all of them: ``"come on"`` is asked for as it stands."""
    found = (next(filter(None, match.groups())) for match in _QUOTED.finditer(text))
    return {phrase: one for one in found if (phrase := tuple(stems(one)))}


def _edge(text: str) -> tuple[float, float] | None:
    """The first or the last seconds, minutes or hours, if a question names them."""
    match = _EDGE.search(text)
    if match is None:
        return None
    which, number, unit = (part.lower() if part else "1" for part in match.groups())
    count = float(number) if number.isdigit() else _NUMBERS.get(number)
    if count is None:
        return None
    length = count * _UNITS[unit[0]]
    return (0.0, length) if which in ("first", "opening") else (-length, 0.0)


def _span(spoken: Sequence[Spoken], text: str) -> tuple[float, ...]:
    """The time that is asked about, or its start and end where two are named or a whole minute."""
    if len(spoken) > 1 and _FROM_TO.search(text):
        first, last = sorted((spoken[0].seconds, spoken[1].seconds))
        return first, last
    if spoken and spoken[0].precise_to > 1.0:
        return spoken[0].seconds, spoken[0].seconds + spoken[0].precise_to
    return tuple(one.seconds for one in spoken[:1])


def phrases_in(text: str) -> dict[Phrase, str]:
    """Find the words that name something, those side by side together: as stems, and as written."""
    found: dict[Phrase, str] = {}
    for part in _BREAK.split(_COMMAND.sub("", text)):
        run: list[str] = []
        for word in [*words(part), ""]:
            if word and word not in FUNCTION_WORDS and stem(word) not in _LIGHT:
                run.append(word)
            elif run:
                found.setdefault(tuple(map(stem, run)), " ".join(run))
                run = []
    return found


def _route(
    rest: str,
    phrases: tuple[Phrase, ...],
    times: tuple[float, ...],
    order: _Found | None,
    *,
    about_speech: bool,
) -> Route:
    if _COUNT.search(rest) and phrases:
        return "count"
    if times:
        return "time"
    if order and order.kind in ("after", "before") and phrases:
        return "order"
    if _WHEN.search(rest) and phrases and _asks_when(rest):
        return "when"
    if _LIST.search(rest) and phrases:
        return "list"
    if _WHOLE.search(rest):
        return "whole"
    if order and not phrases:
        return "order"
    if not phrases:
        return "list" if about_speech else "whole"
    return "fact"


def _asks_when(rest: str) -> bool:
    """Tell "When does it appear?" from "What is said when it appears?"."""
    match = _WHEN.search(rest)
    if match is None or not match[0].lower().startswith("when"):
        return match is not None
    before = [word for word in words(rest[: match.start()]) if word not in _POLITE]
    return not before


_POLITE_WORDS = "please tell me say and so can could you do know i want to wonder hi hello"
_POLITE = frozenset(_POLITE_WORDS.split())


@dataclass(frozen=True, slots=True)
class _Found:
    """An order in a text, and where its words stand."""

    kind: Order
    begin: int
    end: int


def _order(rest: str) -> _Found | None:
    match = _ORDER.search(rest)
    if match is not None:
        return _Found("after" if match["after"] else "before", match.start(), match.end())
    if _FIRST.search(rest):
        return _Found("first", 0, 0)
    if _LAST.search(rest):
        return _Found("last", 0, 0)
    return None


def _without(text: str, spoken: Iterable[Spoken]) -> str:
    """Leave the times out of a question, with the words that lead to them."""
    for one in reversed(list(spoken)):
        text = text[: one.begin] + "\x00" + text[one.end :]
    lead = (
        r"(?:\s*\b(?:at|around|about|between|from|to|and|until|till|in|during|by|after|before)\b)*"
    )
    return re.sub(rf"{lead}\s*(?:minutes?\s*)?\x00", "", text, flags=re.IGNORECASE).lstrip(" ,:")
