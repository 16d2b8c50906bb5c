"""Read one subtitle file: SRT, VTT or ASS/SSA in, cues in the file's own time out.

ASS goes through pysubs2. SRT and VTT do not: pysubs2 1.8 reads times without milliseconds as text,
appends NOTE, STYLE and cue names to the caption before them, takes a line with two karaoke times
for a new cue, drops a caption's last line when it is a number, and cuts hours to two digits.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path

import pysubs2

from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.subtitle_text import decode_text, is_text, strip_ass_markup, strip_markup

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")  # in order of preference
MAX_BYTES = 16 * 2**20  # a three-hour film is a fifth of a MiB; a hundred thousand cues are eight
MAX_CUE_CHARACTERS = 10_000  # more is a file without cue boundaries, not a caption

_OTHER_FILE = "Name an SRT, VTT or ASS file, or go on without: --subtitles none"
_TIME = r"(-?)(?:(\d{1,6}):)?(\d{1,3}):(\d{1,3})(?:[.,:](\d{1,9}))?"
_TIMING_LINE = re.compile(rf"\s*{_TIME}\s*-{{1,3}}>\s*{_TIME}(?:\s|$)")
_BROKEN_TIMING_LINE = re.compile(r"(?:[-+\d:.,\s]|nan|inf)*-->", re.IGNORECASE)
_CUE_NUMBER = re.compile(r"\s*\d+\s*")
_ASS_TIME = r"[ \t]*-?\d{1,2}:\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?[ \t]*"
_ASS_DIALOGUE = re.compile(rf"^[ \t]*Dialogue:[^,\n]*,{_ASS_TIME},{_ASS_TIME},", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SubtitleFile:
    """What a subtitle file holds, by start time; times count from the start of the video."""

    cues: tuple[Cue, ...]
    format: str
    encoding: str
    notes: tuple[str, ...]


def read_subtitle_file(path: Path, *, language: str | None = None) -> SubtitleFile:
    """Read, mend and sort the cues of a file; its content, not its name, tells its format.

    Empty captions and exact copies are dropped, overlapping ones kept. A cue that begins before
    0 is cut to begin there; one that ends before it begins ends where it begins.

    Args:
        path: The file.
        language: Tag of its language if known; it helps with files that are not Unicode.

    Raises:
        SubtitleError: If the file is missing, larger than ``MAX_BYTES``, not text, in none of the
            formats, or without a single caption.
    """
    text, encoding = _read_text(path, language)
    if not text.strip():
        raise SubtitleError(f"{path.name} is empty.", hint=_OTHER_FILE)
    if text.lstrip().startswith("WEBVTT"):
        name, parsed = "vtt", _parse_timed_text(text, is_vtt=True)
    elif _ASS_DIALOGUE.search(text):
        name, parsed = "ass", _parse_ass(text)
    elif "->" in text:
        name, parsed = "srt", _parse_timed_text(text, is_vtt=False)
    else:
        raise SubtitleError(
            f"{path.name} is not a subtitle file that can be read.",
            hint="SRT, VTT, ASS and SSA can; convert it to one of them.",
        )
    cues, notes = mend_cues(parsed.cues)
    if parsed.broken:
        notes.append(f"{_count(parsed.broken, 'caption')} without a readable time left out")
    if parsed.timestamp_map:
        notes.append("X-TIMESTAMP-MAP ignored: times count from the start of the video")
    if not cues:
        raise SubtitleError(
            f"{path.name} holds no captions{_because(notes)}.",
            hint=_OTHER_FILE,
        )
    return SubtitleFile(tuple(cues), name, encoding, tuple(f"{path.name}: {n}" for n in notes))


def mend_cues(cues: list[Cue], *, earliest: float = 0.0) -> tuple[list[Cue], list[str]]:
    """Sort cues; cut, mend or drop those that cannot be as they are, and say so.

    Args:
        cues: What a file or a stream holds.
        earliest: The time at which the video starts, in seconds of the same clock.

    Returns:
        The cues by start time (equal starts keep their order) and one note for each kind of
        repair. Dropping empty captions and exact copies is no repair.
    """
    kept: dict[Cue, None] = {}
    early = inverted = long = 0
    for cue in cues:
        text = cue.text
        if not text:
            continue
        if max(cue.start, cue.end) < earliest:
            early += 1
            continue
        if cue.end < cue.start:
            inverted += 1
        if len(text) > MAX_CUE_CHARACTERS:
            long += 1
            text = text[:MAX_CUE_CHARACTERS].rsplit(maxsplit=1)[0]
        start = max(cue.start, earliest)
        kept[Cue(start, max(start, cue.end), text)] = None
    notes = []
    if early:
        notes.append(f"{_count(early, 'caption')} before the start of the video left out")
    if inverted:
        notes.append(f"{_count(inverted, 'caption')} that ended before the beginning made instant")
    if long:
        notes.append(f"{_count(long, 'caption')} cut to {MAX_CUE_CHARACTERS} characters")
    return sorted(kept, key=lambda cue: cue.start), notes


def shift_cues(cues: tuple[Cue, ...], seconds: float) -> tuple[Cue, ...]:
    """Move cues in time: from a file's own time to a presentation clock that starts elsewhere."""
    return tuple(
        # Rounded to microseconds, so that 0.1 + 5.0 is the time of a frame at 5.1.
        replace(cue, start=round(cue.start + seconds, 6), end=round(cue.end + seconds, 6))
        for cue in cues
    )


@dataclass(slots=True)
class _Parsed:
    cues: list[Cue]
    broken: int = 0
    timestamp_map: bool = False


def _read_text(path: Path, language: str | None) -> tuple[str, str]:
    try:
        if path.is_dir():
            raise SubtitleError(f"{path} is a folder, not a subtitle file.", hint=_OTHER_FILE)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise SubtitleError(f"{path} does not exist.", hint=_OTHER_FILE) from error
    except OSError as error:
        raise SubtitleError(
            f"{path} cannot be read: {error.strerror}.", hint=_OTHER_FILE
        ) from error
    if len(data) > MAX_BYTES:
        raise SubtitleError(
            f"{path.name} is larger than {MAX_BYTES // 2**20} MiB, which no subtitle file needs.",
            hint="Cut it to the captions of this video.",
        )
    try:
        text, encoding = decode_text(data, language=language)
    except UnicodeDecodeError as error:
        text, encoding = "", str(error.encoding)
    if data and (not text or not is_text(text)):
        raise SubtitleError(f"{path.name} is not a text file.", hint=_OTHER_FILE)
    return text.replace("\0", ""), encoding


def _parse_timed_text(text: str, *, is_vtt: bool) -> _Parsed:
    """Read SRT or VTT: a caption is what stands between a timing line and the next."""
    parsed = _Parsed([], timestamp_map=is_vtt and "X-TIMESTAMP-MAP" in text[:1000])
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    timings = [i for i, line in enumerate(lines) if _is_timing(line)]
    for number, (here, following) in enumerate(pairwise([*timings, len(lines)]), start=1):
        timing = _TIMING_LINE.match(lines[here])
        if timing is None:
            parsed.broken += 1
            continue
        said = lines[here + 1 : following]
        said = _until_blank(said) if is_vtt else _without_cue_number(said, number)
        fields = timing.groups()
        cue = Cue(_seconds(*fields[:5]), _seconds(*fields[5:]), strip_markup("\n".join(said)))
        parsed.cues.append(cue)
    return parsed


def _is_timing(line: str) -> bool:
    if "->" not in line:
        return False
    return bool(_TIMING_LINE.match(line) or _BROKEN_TIMING_LINE.match(line))


def _until_blank(lines: list[str]) -> list[str]:
    """A blank line ends a VTT caption; notes, styles and cue names may follow."""
    return list(takewhile(str.strip, lines))


def _without_cue_number(lines: list[str], number: int) -> list[str]:
    """Take the next cue's number off an SRT caption, but not a last line that is said.

    SRT captions with blank lines in them exist, so those do not end one.
    """
    if lines and _CUE_NUMBER.fullmatch(lines[-1]):
        stands_alone = len(lines) == 1 or not lines[-2].strip()
        if stands_alone or lines[-1].strip() in (str(number), str(number + 1)):
            return lines[:-1]
    return lines


def _seconds(sign: str, hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    time = float(f"{whole}.{fraction or 0}")
    return -time if sign else time


def _parse_ass(text: str) -> _Parsed:
    """Read the dialogue lines of ASS or SSA; styles and comments say nothing and may be broken."""
    dialogue = [line for line in text.splitlines() if line.lstrip().startswith("Dialogue:")]
    readable = [line for line in dialogue if _ASS_DIALOGUE.match(line)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of margins that are not numbers
        events = pysubs2.SSAFile.from_string("\n".join(["[Events]", *readable]), format_="ass")
    cues = [Cue(e.start / 1000, e.end / 1000, strip_ass_markup(e.text)) for e in events]
    return _Parsed(cues, broken=len(dialogue) - len(readable))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _because(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""
