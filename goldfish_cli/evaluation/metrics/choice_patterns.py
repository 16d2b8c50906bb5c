"""How answers name the letter of an option, as regular expressions. No option is known here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

BOXED = re.compile(r"\\boxed\s*\{+\s*(?:\\text\s*\{)?\s*([^{}]*?)\s*\}+")
THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
DECORATION = re.compile(r"[*_`$~]+|</?\w+>")
ANSWER_WORD = (
    r"(?:answers?|solution|antwort|r[ée]ponse|respuesta|risposta|resposta|"
    r"ответ|答案|答え|选择|選擇)"
)
_LINK = (
    r"(?:\s+(?:to (?:the|this) question|here))?\s*(?:(?:is|was|would be|should be|must be|will be|"
    r"has to be|ist|est|es|è|é)(?![a-z])|是|为|為|は)?"
    r"(?:\s+(?:most\s+)?(?:likely|probably|clearly|therefore|thus|definitely))?\s*[:=>\-\u2013\u2014]*\s*"
)
_NAMED = r"(?:option|choice|letter|answer)"
_OPEN, _CLOSE = r"[(\[\"'\u201c\u2018]*", r"[)\]\"'\u201d\u2019]*"
_BEFORE, _AFTER = r"(?<![A-Za-z0-9'\u2019])", r"(?![A-Za-z0-9]|['\u2019][A-Za-z])"
_SURE = r"(?:correct|right|best|most (?:likely|accurate|appropriate|suitable)|answer|true)"
_CHOOSE = (
    r"(?:choose|choosing|chose|pick|select|selecting|go with|going with|vote for|opt for|"
    r"settle on|conclude)"
)
_LEADS = (
    r"(?:^|[.!?:\n]\s*|\b(?i:is|be|it['\u2019]s|think|thinking|believe|say|guess|so|therefore|thus|hence|"
    r"with|maybe|probably|perhaps|yes|sure|okay|ok),?\s+|[>→]\s*)"
)

NEGATED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|cannot be|rather than|instead of|except|excludes?|excluding|"
    r"rul(?:e|es|ed) out|eliminates?|unlike|without)|n['\u2019]t(?: be)?)\s+(?:the\s+)?"
    rf"(?:{_NAMED}s?\s*)?{_OPEN}$",
    re.IGNORECASE,
)
NEGATED_AFTER = re.compile(
    rf"^{_CLOSE}[.:]?{_CLOSE}\s*(?:(?:is|are|was|would be|seems|looks)\s+(?:clearly\s+|also\s+)?"
    r"(?:not|incorrect|wrong|false|out|excluded|ruled out|impossible|unlikely)\b|"
    r"(?:is|are|was|do|does)n['\u2019]?t\b|cannot\b|can['\u2019]t\b|does not\b)",
    re.IGNORECASE,
)
ARTICLE_AFTER = re.compile(r"\s+(?!(?:and|or)\s+[(\[]?[A-Za-z](?!\w))[^\W\d_]")
"""After a bare A or I: a word follows, so that it is an article or a pronoun."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """For some number of options; each has the letter as the group ``letter``."""

    final: re.Pattern[str]
    """After ``final answer``."""
    called: tuple[re.Pattern[str], ...]
    """Said to be the answer, or to be chosen."""
    opening: re.Pattern[str]
    """What an answer begins with."""
    marked: tuple[re.Pattern[str], ...]
    """In brackets, or after ``option``."""
    numbered: re.Pattern[str]
    """``option 2``, with the group ``number``."""
    counted: re.Pattern[str]
    """``the second option``, with the group ``ordinal``."""
    alone: re.Pattern[str]
    """A capital that stands where a sentence names a thing."""
    company: re.Pattern[str]
    """A further letter right after one: ``A or B``."""
    marker: re.Pattern[str]
    """Any letter with the sign of a list, as where options are repeated."""


@lru_cache(maxsize=32)
def patterns_for(count: int) -> Patterns:
    """Compile the patterns for so many options."""
    capitals = LETTERS[:count]
    capital = f"(?P<letter>[{capitals}])"
    letter = f"(?P<letter>[{capitals}{capitals.lower()}])"
    start = rf"(?:the\s+)?(?:(?P<named>option|choice|letter)\s*[:#]?\s*)?{_OPEN}"

    def ignoring_case(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE)

    return Patterns(
        final=ignoring_case(rf"final\s+{ANSWER_WORD}{_LINK}{start}{letter}{_AFTER}"),
        called=(
            ignoring_case(rf"{ANSWER_WORD}{_LINK}{start}{letter}{_AFTER}"),
            ignoring_case(
                rf"\b(?:correct|right|best)\s+(?:option|choice|one|letter){_LINK}{start}"
                rf"{letter}{_AFTER}"
            ),
            ignoring_case(rf"\b{_CHOOSE}\s+{start}{letter}{_AFTER}"),
            ignoring_case(
                rf"{_BEFORE}{letter}{_AFTER}{_CLOSE}[.:]?{_CLOSE}\s+"
                rf"(?:is|would be|seems|must be)\s+(?P<named>(?:the\s+)?{_SURE})"
            ),
        ),
        opening=re.compile(
            rf"\s*{_OPEN}(?:{letter}(?:{_CLOSE}(?:[).:,;\]!?]|\s*[-\u2013\u2014=>]+(?!\w)|\s*$|\s*\n)"
            rf"|[)\"'\u201d\u2019])|(?P<bare>[{capitals}])(?=\s+\S))"
        ),
        marked=(
            ignoring_case(rf"(?<![A-Za-z0-9])[(\[]\s*{letter}\s*[)\]]"),
            ignoring_case(
                rf"\b(?P<named>option|choice|letter)s?\s*[:#]?\s*{_OPEN}{letter}{_AFTER}"
            ),
        ),
        numbered=ignoring_case(
            r"\b(?:option|choice)\s*(?:number|no\.)?\s*[:#]?\s*(?P<number>\d+)\b"
        ),
        counted=ignoring_case(rf"\b(?P<ordinal>{'|'.join(ORDINALS)})\s+(?:option|choice)\b"),
        alone=re.compile(
            rf"{_LEADS}{_OPEN}{capital}{_AFTER}(?={_CLOSE}\s*(?:[.,!?;]|$|\n|because|since|as\b))",
        ),
        company=re.compile(
            rf"{_CLOSE}[.]?{_CLOSE}\s*(?:,\s*(?:and|or)\b|,|/|&|\+|\band\b|\bor\b)\s*(?:also\s+)?"
            rf"(?:option\s+)?{_OPEN}{letter}{_AFTER}"
        ),
        marker=re.compile(rf"{_BEFORE}[(\[]?{letter}[)\].:]\s*"),
    )
