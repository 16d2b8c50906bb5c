"""Open text files of unknown encoding: bytes in, lines out, never more than a line in memory."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.subtitle_text import decode_text

MAX_LINE = 16 * 2**20  # characters; the longest annotations seen are some thousand
_BLOCK = 2**20
_SAMPLE = 64 * 2**10  # bytes of text from which a legacy encoding is guessed
_MIXED = 0.05  # share of the non-ASCII lines that are UTF-8 in a file that is not
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_AS_UTF8 = "Save it as UTF-8 in a text editor or spreadsheet."


def find_encoding(path: Path) -> str:
    """Return the encoding of a whole text file: by its mark, else UTF-8 or UTF-16, else a guess.

    Raises:
        AnnotationError: If the file is missing, is not text, or mixes encodings.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise AnnotationError(
            f"{path} cannot be read: {error.strerror}.", hint="Check the name of the file."
        ) from error
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if wide := _unmarked_utf16(start):
        return wide
    if _is_utf8(path):
        return "utf-8"
    return _legacy_encoding(path)


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends, as the csv module wants them.

    Raises:
        AnnotationError: If a line is longer than ``MAX_LINE`` or not in ``encoding``.
    """
    number = 0
    with open_text(path, encoding) as file:
        while True:
            try:
                line = file.readline(MAX_LINE + 1)
            except UnicodeError as error:
                raise AnnotationError(
                    f"{path.name} is not {encoding} after line {number}: {error}.", hint=_AS_UTF8
                ) from error
            if not line:
                return
            number += 1
            if len(line) > MAX_LINE:
                raise AnnotationError(
                    f"Line {number} of {path.name} is longer than {MAX_LINE:,} characters.",
                    hint="It is no table and no list of annotations, or its line ends are lost.",
                )
            yield line


def count_lines(path: Path) -> int:
    """Count the line ends of a file, quickly: about how much there is to do."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def open_text(path: Path, encoding: str) -> TextIO:
    """Open a file to read as it is: line ends stay."""
    return path.open(encoding=encoding, newline="")


def _unmarked_utf16(start: bytes) -> str | None:
    """Tell UTF-16 without a mark by its zeros: every second byte of Latin text."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    enough = max(len(start) // 5, 4)
    if odd > enough and not even:
        return "utf-16-le"
    if even > enough and not odd:
        return "utf-16-be"
    return None


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if b"\0" in block:
                raise AnnotationError(
                    f"{path.name} is not text: it holds zero bytes.",
                    hint="Annotations are CSV, JSON or JSON lines.",
                )
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return False
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:  # cut in the middle of a character
        return False
    return True


def _legacy_encoding(path: Path) -> str:
    """Guess the encoding of a file that is not UTF-8 from the lines that are not ASCII."""
    sample, in_utf8, in_other, first_other = bytearray(), 0, 0, 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_BLOCK), b""), start=1):
            if b"\0" in line:
                raise AnnotationError(
                    f"{path.name} is not text: line {number} holds zero bytes.",
                    hint="Annotations are CSV, JSON or JSON lines.",
                )
            if line.isascii():
                continue
            try:
                line.decode()
                in_utf8 += 1
            except UnicodeDecodeError:
                in_other += 1
                first_other = first_other or number
                if len(sample) < _SAMPLE:
                    sample += line[:_SAMPLE]
    if in_utf8 > _MIXED * (in_utf8 + in_other):
        raise AnnotationError(
            f"{path.name} mixes encodings: line {first_other} is not UTF-8, other lines are.",
            hint=_AS_UTF8,
        )
    try:
        if not _is_binary(sample):
            return decode_text(bytes(sample))[1]
    except UnicodeDecodeError:
        pass
    raise AnnotationError(
        f"{path.name} is not text: line {first_other} is in no known encoding.", hint=_AS_UTF8
    )


def _is_binary(sample: bytearray) -> bool:
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1a\x1b" for byte in sample)
    return controls > len(sample) // 100
