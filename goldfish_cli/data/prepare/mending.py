"""Mend texts without guessing: a text in, the text that was surely meant out."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

_INVISIBLE = "\ufeff\u200b\u2060" + "".join(map(chr, range(32)))  # marks, zero-width, controls

# What each character was as a byte before UTF-8 was read as Windows-1252 or as Latin-1.
_AS_BYTE = {
    ord(bytes([byte]).decode("cp1252")): byte
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # undefined there, taken as Latin-1's controls
}
_SEQUENCE = re.compile(r"[\xc2-\xf4][\x80-\xbf]{1,3}")
_LATIN1_CONTROLS = re.compile(r"[\x80-\x9f]")
# An accented capital before one of these may be meant: a quotation mark, a dash, an ellipsis, the
# space that French sets before an exclamation mark.
_MARKS = frozenset("\x82\x84\x85\x8b\x91\x92\x93\x94\x95\x96\x97\x9b\xa0\xab\xbb")


def trim(text: str) -> str:
    """Take white space, and characters that cannot be seen, from both ends."""
    before = None
    while text != before:
        before, text = text, text.strip().strip(_INVISIBLE)
    return text


def repair_encoding(text: str) -> str:
    """Restore UTF-8 that was read as Windows-1252 or Latin-1 (``cafÃ©``), however often.

    A text is changed only where all of it can be such a misreading and some of it can be nothing
    else; whatever mixes both is left as it is.
    """
    while (repaired := _repair_once(text)) != text:
        text = repaired
    return text


def mend_all(value: Any, mend: Callable[[str], str]) -> Any:
    """Mend every text inside lists and mappings; the keys of mappings stay."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [mend_all(part, mend) for part in value]
    if isinstance(value, dict):
        return {key: mend_all(part, mend) for key, part in value.items()}
    return value


def _repair_once(text: str) -> str:
    if text.isascii():
        return text
    narrow = text.translate(_AS_BYTE)
    try:
        repaired = narrow.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
    if not (_LATIN1_CONTROLS.search(text) or any(map(_is_telling, _SEQUENCE.finditer(narrow)))):
        return text
    return text if any(map(_is_improbable, repaired)) else repaired


def _is_telling(sequence: "re.Match[str]") -> bool:
    """Whether a sequence can only be a misreading: no quotation mark stands before a letter."""
    after = sequence.string[sequence.end() : sequence.end() + 1]
    return after.isalpha() or not _MARKS.issuperset(sequence.group()[1:])


def _is_improbable(char: str) -> bool:
    """Whether a character is more likely the accident of two: phonetic signs, the unassigned."""
    if char.isascii() or ord(char) in _AS_BYTE:  # the latter come of reading wrongly twice
        return False
    return "\u0180" <= char <= "\u036f" or unicodedata.category(char) in {"Cn", "Co"}
