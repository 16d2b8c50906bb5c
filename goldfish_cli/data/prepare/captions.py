"""Bring captions from the web into one form. Knows nothing of pictures."""

import html
import re
import unicodedata
from typing import Literal

CaptionStyle = Literal["clean", "reference", "raw"]
_REFERENCE_MARKS = re.compile(r'[.!"()*#:;~]')  # what BLIP's caption processor removes


def normalise_caption(text: str, style: CaptionStyle = "clean", *, max_words: int = 50) -> str:
    """Return a caption as it is to be learnt; ``""`` if nothing is left of it.

    Doing it again changes nothing.

    Args:
        text: As it was found.
        style: ``clean`` resolves HTML entities, composes characters, drops control characters and
            joins the lines; ``reference`` is also lower case and without ``.!"()*#:;~``, as the
            captions of MiniGPT4-Video's first stage; ``raw`` only trims.
        max_words: Longer captions are cut, as that stage does; raw ones are not.
    """
    if style == "raw":
        return text.strip()
    while (cleaned := _clean(text)) != text:  # "&amp;lt;" takes two rounds
        text = cleaned
    if style == "reference":
        text = " ".join(_REFERENCE_MARKS.sub(" ", text.lower()).split())
    return " ".join(text.split()[:max_words])


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(text))
    return " ".join("".join(char for char in text if _is_shown(char)).split())


def _is_shown(char: str) -> bool:
    """Tell characters and spaces from controls, half surrogate pairs and private codes."""
    return char.isspace() or unicodedata.category(char) not in {"Cc", "Cs", "Co"}
