"""Bytes of a subtitle file in, readable text out: encodings are detected, markup is stripped."""

from __future__ import annotations

import codecs
import html
import re

import charset_normalizer

_BYTE_ORDER_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What subtitle editors wrote before UTF-8, likeliest first; guessing among all goes wrong.
_LATIN_ENCODINGS = ["cp1252", "cp1250", "cp1254", "cp1257"]
_OTHER_ENCODINGS = [
    "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874",
    "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
_ENCODING_OF_LANGUAGE = {
    encoding: languages.split()
    for encoding, languages in {
        "cp1250": "pl pol cs ces cze sk slk slo hu hun sl slv hr hrv ro ron rum bs bos sq",
        "cp1251": "ru rus uk ukr bg bul be bel mk mkd sr srp",
        "cp1253": "el ell gre",
        "cp1254": "tr tur",
        "cp1255": "he heb",
        "cp1256": "ar ara fa fas per ur urd",
        "cp874": "th tha",
        "cp949": "ko kor",
        "cp1257": "lt lit lv lav et est",
    }.items()
}
_SAMPLE_BYTES = 32_768  # of caption text; more makes the guess slower, not better
_TIE = 0.05  # charset-normalizer's figures go from 0 to 1; smaller differences mean nothing

_INLINE_TIME = re.compile(r"<\d{1,5}:\d\d[\d:.,]*>")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_RUBY_READING = re.compile(r"<rt[^<>]*>[^<]*(?:</rt>)?", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}|\{[A-Za-z]:[^{}]*\}")
_ASS_BLOCK = re.compile(r"(\{[^{}]*\})")
_ASS_DRAWING = re.compile(r"\\p(\d+)")
_INVISIBLE = re.compile(  # control characters, direction marks and byte order marks; joiners stay
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)


def decode_text(data: bytes, *, language: str | None = None) -> tuple[str, str]:
    """Decode a subtitle file.

    A byte order mark decides; else UTF-16 is known by its zero bytes; else valid UTF-8 is UTF-8;
    else the encodings that subtitles have been written in are compared by charset-normalizer.

    Args:
        data: The whole file.
        language: The tag in the file's name, such as ``pl``: it settles what letters look alike
            in the code pages of several languages.

    Returns:
        The text, and the name of its encoding.

    Raises:
        UnicodeDecodeError: If the bytes are not text in any of these encodings.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), encoding
    wide = _utf16_without_mark(data)
    if wide:
        return data.decode(wide, errors="replace"), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        guess = _guess_encoding(data, language)
        if guess is None:
            raise error
        return data.decode(guess, errors="replace"), guess


def is_text(text: str) -> bool:
    """Tell text from binary junk: at most one character in twenty is a control character."""
    sample = text[:_SAMPLE_BYTES]
    return len(_INVISIBLE.findall(sample)) * 20 <= len(sample)


def strip_markup(text: str) -> str:
    """Strip what SRT and VTT files carry beside words: tags, overrides, karaoke times, entities.

    Line breaks stay; spaces are tidied; no script is touched.
    """
    text = _INLINE_TIME.sub("", text)
    text = _LINE_BREAK.sub("\n", text)
    text = _RUBY_READING.sub("", text)
    text = _OVERRIDE.sub("", _TAG.sub("", text))
    return tidy_lines(html.unescape(text))


def strip_ass_markup(text: str) -> str:
    """Strip override blocks, drawings and escapes from the text field of an ASS dialogue line."""
    spoken: list[str] = []
    drawing = False
    for piece in _ASS_BLOCK.split(text):
        if piece.startswith("{") and piece.endswith("}"):
            scales = _ASS_DRAWING.findall(piece)
            drawing = int(scales[-1][:4]) > 0 if scales else drawing
        elif not drawing:
            spoken.append(piece)
    plain = "".join(spoken).replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    return strip_markup(plain)


def tidy_lines(text: str) -> str:
    """Drop invisible characters, empty lines and spaces at the ends or doubled within lines."""
    lines = (" ".join(line.split()) for line in _INVISIBLE.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


def _utf16_without_mark(data: bytes) -> str | None:
    """Recognise UTF-16 by the arrow of a timing line; its zero bytes lie on one side only."""
    if b"-\0-\0>" not in data[: 2 * _SAMPLE_BYTES]:
        return None
    zeros_first, zeros_second = data[0::2].count(0), data[1::2].count(0)
    return "utf-16-be" if zeros_first > zeros_second else "utf-16-le"


def _guess_encoding(data: bytes, language: str | None) -> str | None:
    """Guess a legacy encoding from the lines that hold letters beyond ASCII."""
    lines = [line for line in data.splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:_SAMPLE_BYTES]
    accents = sum(byte > 127 for byte in sample)
    letters = sum(byte < 128 and chr(byte).isalpha() for byte in sample)
    latin = 2 * accents < letters
    candidates = _LATIN_ENCODINGS if latin else _OTHER_ENCODINGS
    matches = list(charset_normalizer.from_bytes(sample, cp_isolation=candidates))
    if not matches:
        return None
    likely = [m for m in matches if m.chaos <= matches[0].chaos + _TIE]
    likely = [m for m in likely if m.coherence >= max(m.coherence for m in likely) - _TIE]
    names = [name for match in likely for name in match.could_be_from_charset]
    wanted = [
        encoding
        for encoding, languages in _ENCODING_OF_LANGUAGE.items()
        if language and language.lower().split("-")[0] in languages
    ]
    by_preference = sorted(names, key=candidates.index) if latin else names
    return next(name for name in [*wanted, *by_preference] if name in names)
