"""Read a question about a film: what it asks for, about what, and which times it names.

The rules know English. A question in another language is taken as one about a fact, which needs no
rules: retrieval finds where to look, and the model looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from goldfish_cli.longvideo.clock import times_in
from goldfish_cli.longvideo.numerals import RANK, WHOLE, amount, rank
from goldfish_cli.longvideo.question_times import (
    edge_of,
    offset_of,
    share_of,
    span_of,
    without_edge,
    without_times,
)
from goldfish_cli.longvideo.words import FUNCTION_WORDS, stem, stems, words

Route = Literal["time", "when", "order", "count", "list", "whole", "fact"]
"""``time``: a named part of the timeline. ``when``: at what times something is. ``order``: what
comes after, before, first or last. ``count`` and ``list``: every place where something is.
``whole``: the film as such. ``fact``: anything else."""
Order = Literal["after", "before", "between", "first", "last"]
Counted = Literal["", "things", "events", "other"]
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
    nothing together simultaneously simultaneous same moment different distinct half middle
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
_LENGTH = re.compile(r"\bhow (?:many (?:seconds|minutes|hours|frames)|much time)\b", re.IGNORECASE)
_IN_ORDER = ("order", "when", "time", "fact", "list")
_THINGS = re.compile(
    r"\bhow many (?:different |distinct |other )?"
    r"(?:(things|objects|shapes|figures)|(events|actions))\b",
    re.IGNORECASE,
)
_OCCURS = (
    r"(?:happen\w*|shown?|seen?|said|says?|heard|hear|going on|goes on|takes? place|occur\w*"
    r"|comes?|events?|appears?|there)"
)
_BETWEEN = re.compile(
    rf"\b{_OCCURS}\s+(?:in\s+)?between\b(?P<first>.+?)\band\b(?P<second>.+)"
    r"|\bafter\b(?P<after>.+?)\b(?:and|but)\s+before\b(?P<before>.+)",
    re.IGNORECASE | re.DOTALL,
)
_TOGETHER = re.compile(
    r"\btogether\b|\bat the same (?:time|moment)\b|\bsimultaneously\b|\bat once\b"
    r"|\bin the same (?:scene|clip|moment|shot|frame)s?\b",
    re.IGNORECASE,
)
_GENERIC = (
    r"(?:things?|events?|moments?|scenes?|shapes?|objects?|clips?|cues?|lines?|sentences?"
    r"|occasions?|appearances?)"
)
_RANKED = re.compile(
    rf"\b(?P<rank>{RANK})(?P<last>[-\s](?:to[-\s])?last)?\s+(?:{_GENERIC}|time)\b"
    rf"|\b(?:happens|comes|appears)\s+(?P<alone>{RANK})(?=[\s?.!]*$)"
    rf"|\b(?P<end>penultimate)\s+(?:{_GENERIC}|time)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    rf"\b(?P<side>first|last)\s+(?P<many>{WHOLE})\s+(?:{_GENERIC}|times)", re.IGNORECASE
)
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
    rank: int = 1
    """Of an order ``first`` or ``last``: which one, counted from there."""
    many: int = 1
    """How many are asked for, from there on."""
    offset: float = 0.0
    """Of an order ``after`` or ``before``: so many seconds from it; 0: what comes next."""
    share: tuple[float, float] | None = None
    """Which part of the film, from 0 to 1, as a share of its length."""
    counted: Counted = ""
    """What is counted if nothing is named: whatever is there, or happens; ``other``: not known."""
    is_together: bool = False
    """It asks whether, or when, two things are there at the same time."""
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


def read_question(text: str, *, longest: float | None = None) -> Question:
    """Find out what a question asks for.

    Args:
        text: The question.
        longest: Seconds that the longest film lasts: a time on a clock's face may lie in it.
    """
    edge = edge_of(text)
    share, rest = share_of(text)
    spoken = [] if edge or share else list(times_in(text, longest=longest))
    offset = offset_of(spoken, text)
    rest = without_edge(text) if edge else rest if share else without_times(text, spoken)
    said = _SAID.search(rest) is not None
    happens = _HAPPENS.search(rest) is not None
    together, rest = _together(rest)
    which, rest = _which(rest, is_named=bool(edge or share))
    order = None if edge or share else which.found or _order(rest)
    about, before = rest, ""
    if order and order.kind in ("after", "before"):
        about, before = rest[order.end :], rest[: order.begin]
        if not phrases_in(about):
            about, before = before, ""
    if spoken and order and order.kind == "between":
        order = None
    if order and order.kind == "between":
        about = rest[order.begin :]
    named = phrases_in(about)
    quoted = _quotes(about) or _quotes(rest)
    phrases = tuple(quoted or named)
    is_apart = offset and order and order.kind in ("after", "before") and phrases
    times = () if is_apart else edge or span_of(spoken, text)
    if spoken and order is None and (lead := _LEAD.search(text[: spoken[0].begin])):
        order = _Found("after" if lead[1].lower() == "after" else "before", 0, 0)
    counted = _counted(rest, phrases)
    is_together = together and not (edge or spoken or order)
    route = _route(rest, phrases, times or share or (), order, counted, about_speech=said)
    if is_together and len(phrases) == 1 and route == "fact":
        route = "order"
    is_unclear = order is not None and order.kind == "between" and route != "order"
    return Question(
        text,
        route,
        phrases,
        tuple((quoted or named).values()),
        times,
        order.kind if order and not is_unclear and route in _IN_ORDER else None,
        which.rank,
        which.many,
        offset if is_apart else 0.0,
        share,
        counted,
        is_together,
        said or bool(quoted),
        happens and not is_unclear,
        bool(quoted),
        _NOT.search(rest) is not None,
        tuple(phrases_in(before)),
        rest.strip(),
    )


@dataclass(frozen=True, slots=True)
class _Which:
    """Which of several are asked for, and the order that they are counted in."""

    found: _Found | None = None
    rank: int = 1
    many: int = 1


def _which(rest: str, *, is_named: bool) -> tuple[_Which, str]:
    """Read ``the second time`` and ``the first three things``; the rest without them."""
    if is_named:
        return _Which(), rest
    if match := _SEVERAL.search(rest):
        kind: Order = "first" if match["side"].lower() == "first" else "last"
        many = int(amount(match["many"]) or 1)
        return _Which(_side(rest, match, kind), many=max(1, many)), _cut(rest, match)
    if match := _RANKED.search(rest):
        kind = "last" if match["last"] or match["end"] else "first"
        number = 2 if match["end"] else rank(match["rank"] or match["alone"]) or 1
        if number > 1 or kind == "last":
            return _Which(_side(rest, match, kind), rank=number), _cut(rest, match)
    return _Which(), rest


def _side(rest: str, match: re.Match[str], kind: Order) -> _Found | None:
    """The end that is counted from, unless the question asks for what is beside the one meant."""
    beside = _order(_cut(rest, match))
    return None if beside and beside.kind in ("after", "before", "between") else _Found(kind, 0, 0)


def _cut(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + text[match.end() :]


def _together(rest: str) -> tuple[bool, str]:
    """Whether two things at one time are asked for; the rest without the words for it."""
    match = _TOGETHER.search(rest)
    if match is None or len(phrases_in(_cut(rest, match))) not in (1, 2):
        return False, rest
    return True, _cut(rest, match)


def _counted(rest: str, phrases: tuple[Phrase, ...]) -> Counted:
    if _LENGTH.search(rest):
        return "other"
    if phrases or not _COUNT.search(rest):
        return ""
    match = _THINGS.search(rest)
    if match is None:
        return "other"
    return "things" if match[1] else "events"


def _quotes(text: str) -> dict[Phrase, str]:
    """Words in quotation marks, all of them: ``"come on"`` is asked for as it stands."""
    found = (next(filter(None, match.groups())) for match in _QUOTED.finditer(text))
    return {phrase: one for one in found if (phrase := tuple(stems(one)))}


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
    counted: Counted,
    *,
    about_speech: bool,
) -> Route:
    if counted == "other":
        return "time" if times else "fact"
    if _COUNT.search(rest) and (phrases or counted in ("things", "events")):
        return "count"
    if times:
        return "time"
    if order and order.kind in ("after", "before") and phrases:
        return "order"
    if order and order.kind == "between" and len(phrases) == 2:
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
    if (match := _BETWEEN.search(rest)) is not None:
        return _Found("between", match.start(), match.end())
    match = _ORDER.search(rest)
    if match is not None:
        return _Found("after" if match["after"] else "before", match.start(), match.end())
    if _FIRST.search(rest):
        return _Found("first", 0, 0)
    if _LAST.search(rest):
        return _Found("last", 0, 0)
    return None
