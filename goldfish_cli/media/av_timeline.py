"""When the pictures of a film are shown: its start, end and rate, checked against its packets.

Headers lie: of truncated files, of files whose writer never came back to fill in the duration, of
variable rates. So the end is looked up in the index or the last packets, which is cheap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import av.container
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from goldfish_cli.media.av_open import can_seek, choose_stream, no_picture, open_container
from goldfish_cli.media.time_limit import TimeLimit

HEAD_PACKETS = 60  # read to see the frame rate and whether it varies
PACKETS_TO_FIRST_PICTURE = 400
MAX_INDEX_ENTRIES = 20_000  # looked through to see whether the rate varies
TAIL_SECONDS = (1.0, 4.0, 30.0, 240.0)  # how far before the supposed end to look for the last
AGREEMENT = 0.5  # seconds by which header and packets may differ


@dataclass(frozen=True, slots=True)
class Timeline:
    """Start, end and rate of a film, and what to remark on them."""

    first_picture: VideoFrame
    start: float
    duration: float
    duration_source: str
    stated_duration: float | None
    num_frames: int | None
    frame_rate: Fraction | None
    variable_rate: bool | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Packets:
    """What was seen of the packets of a film; times in ticks, in presentation order."""

    times: tuple[int, ...]
    end: int
    whole: bool
    """Whether these are all packets, not only the first or last."""
    broken: bool = False
    """Whether some that the index names are not in the file."""
    timed: bool = True
    """Whether the file gives them times; else they were counted."""


def read_timeline(
    container: av.container.InputContainer, stream: VideoStream, path: Path, limit: TimeLimit
) -> Timeline:
    """Decode the first picture, then look at the index or the last packets.

    Args:
        container: Open and unread; afterwards its position is anywhere.
        stream: The film.
        path: The file, for its size and for messages.
        limit: Time that may pass.

    Raises:
        VideoError: If not one picture can be decoded, or the time is used up.
    """
    unit = stream.time_base or Fraction(1, 1000)
    first, head = _read_head(container, stream, path, limit)
    begin = first.pts if first.pts is not None else (first.dts or 0)
    step = _usual_step(head.times) or _stated_step(stream, unit) or 1
    stated_end = _stated_end(container, stream, begin, unit)
    seen = (
        _from_index(stream, path, first_shown=begin)
        or (head if head.whole else None)
        or _from_tail(container, stream, stated_end, unit, limit)
        or _from_all(path, limit)
    )
    duration, source, notes = _judge(seen, begin, step, stated_end, unit)
    if not seen.timed:
        notes.append("The file gives its frames no times; they are counted at its frame rate.")
    irregular = _is_irregular(head.times) or (seen.whole and _is_irregular(seen.times))
    if begin and abs(begin * unit) > AGREEMENT:
        notes.append(f"Times begin at {float(begin * unit):.2f} s.")
    if irregular:
        notes.append("The frame rate varies.")
    return Timeline(
        first_picture=first,
        start=float(begin * unit),
        duration=duration,
        duration_source=source,
        stated_duration=None if stated_end is None else float((stated_end - begin) * unit),
        num_frames=len(seen.times) if seen.whole else (stream.frames or None),
        frame_rate=_frame_rate(stream, head.times, unit, irregular),
        variable_rate=True if irregular else (False if seen.whole else None),
        notes=tuple(notes),
    )


def _read_head(
    container: av.container.InputContainer, stream: VideoStream, path: Path, limit: TimeLimit
) -> tuple[VideoFrame, _Packets]:
    """The first picture that decodes, and the first packets."""
    first: VideoFrame | None = None
    times: list[int] = []
    end = 0
    whole = True
    passed: int | None = None
    try:
        for count, packet in enumerate(container.demux(stream)):
            limit.check()
            if first is None:
                first = _decode_first(stream, packet)
            if packet.size and not packet.is_discard and packet.pts is not None:
                times.append(packet.pts)
                end = max(end, packet.pts + (packet.duration or 0))
                passed = packet.dts
            enough = count >= HEAD_PACKETS if first else count >= PACKETS_TO_FIRST_PICTURE
            if enough:
                whole = False
                break
    except av.error.FFmpegError:
        limit.check()  # a file cut off so early shows what it shows
    if first is None:
        raise no_picture(path)
    if not whole and passed is not None:
        # Pictures shown later than this may still have others before them.
        times = [time for time in times if time <= passed]
    return first, _Packets(tuple(sorted(times)), end, whole=whole and bool(times))


def _decode_first(stream: VideoStream, packet: object) -> VideoFrame | None:
    try:
        return next(iter(stream.codec_context.decode(packet)), None)  # type: ignore[arg-type]
    except av.error.FFmpegError:
        return None


def _from_index(stream: VideoStream, path: Path, *, first_shown: int) -> _Packets | None:
    """Read an MP4's packet table, which is complete, and compare it with the size of the file."""
    index = stream.index_entries
    if stream.frames < 2 or len(index) < stream.frames - 2 or len(index) > MAX_INDEX_ENTRIES * 50:
        return None
    size = path.stat().st_size
    last = len(index) - 1
    if index[last].size == 0:
        return None  # not such a table: Matroska's index names keyframes only
    while last > 0 and index[last].pos + index[last].size > size:
        last -= 1
    whole = last + 1 <= MAX_INDEX_ENTRIES
    entries = index[: last + 1] if whole else [index[0], index[last]]
    times = [entry.timestamp for entry in entries if not entry.is_discard]
    if not times:
        return None
    # The table holds decode times; presentation is later by what the first picture shows.
    shift = first_shown - times[0]
    shown = tuple(time + shift for time in times)
    return _Packets(shown, end=shown[-1], whole=whole, broken=last + 1 < len(index))


def _from_tail(
    container: av.container.InputContainer,
    stream: VideoStream,
    stated_end: int | None,
    unit: Fraction,
    limit: TimeLimit,
) -> _Packets | None:
    """Seek close to the end and read what is left."""
    if stated_end is None or not can_seek(container):
        return None
    for seconds in TAIL_SECONDS:
        times: list[int] = []
        end = 0
        try:
            container.seek(max(0, stated_end - int(seconds / unit)), stream=stream)
            for packet in container.demux(stream):
                limit.check()
                if packet.size and packet.pts is not None:
                    times.append(packet.pts)
                    end = max(end, packet.pts + (packet.duration or 0))
        except av.error.FFmpegError:
            limit.check()
        if times:
            return _Packets(tuple(sorted(times)), end, whole=False)
    return None


def _from_all(path: Path, limit: TimeLimit) -> _Packets:
    """Read every packet from the start, opening the file anew: where seeking does not help."""
    times: list[int] = []
    end = 0
    timed = True
    with open_container(path, limit) as container:
        stream = choose_stream(container, path)
        step = _stated_step(stream, stream.time_base or Fraction(1, 1000)) or 1
        try:
            for packet in container.demux(stream):
                limit.check()
                if packet.size and not packet.is_discard:
                    time = packet.pts if packet.pts is not None else packet.dts
                    timed = timed and time is not None
                    times.append(end if time is None else time)
                    end = max(end, times[-1] + (packet.duration or step))
        except av.error.FFmpegError:
            limit.check()
    return _Packets(tuple(sorted(times)), end, whole=True, timed=timed)


def _judge(
    seen: _Packets, begin: int, step: int, stated_end: int | None, unit: Fraction
) -> tuple[float, str, list[str]]:
    """Weigh what the header states against what was seen: duration, its source, remarks."""
    end = max(seen.end, (seen.times[-1] if seen.times else begin) + step, begin + 1)
    measured = float((end - begin) * unit)
    if stated_end is None:
        return measured, "packets", []
    stated = float((stated_end - begin) * unit)
    if seen.broken:
        note = f"The file is cut off: of {stated:.1f} s its first {measured:.1f} s are there."
        return measured, "packets", [note]
    if abs(stated - measured) <= max(AGREEMENT, 0.01 * measured):
        return measured, "header", []
    note = f"The header states {stated:.1f} s, but the pictures last {measured:.1f} s."
    return measured, "packets", [note]


def _stated_end(
    container: av.container.InputContainer, stream: VideoStream, begin: int, unit: Fraction
) -> int | None:
    """The end of the film in ticks, as the header has it."""
    if stream.duration:
        return (stream.start_time or begin) + stream.duration
    if container.duration and container.duration > 0:
        return begin + int(Fraction(container.duration, av.time_base) / unit)
    return None


def _usual_step(times: Sequence[int]) -> int | None:
    steps = [later - earlier for earlier, later in pairwise(times)]
    return round(median(steps)) if steps else None


def _stated_step(stream: VideoStream, unit: Fraction) -> int | None:
    rate = stream.average_rate or stream.guessed_rate
    return max(1, round(1 / rate / unit)) if rate else None


def _is_irregular(times: Sequence[int]) -> bool:
    """Whether steps differ by more than rounding to ticks explains."""
    steps = [later - earlier for earlier, later in pairwise(times)]
    if len(steps) < 2:
        return False
    usual = median(steps)
    return any(abs(step - usual) > max(1.5, 0.2 * usual) for step in steps)


def _frame_rate(
    stream: VideoStream, head: Sequence[int], unit: Fraction, irregular: bool
) -> Fraction | None:
    """The average rate stated, unless the first packets show it to be nonsense (some read 1000)."""
    stated = stream.average_rate or stream.guessed_rate
    step = _usual_step(head)
    if not step or irregular:
        return stated
    seen = 1 / (step * unit)
    if stated is None or not Fraction(1, 2) < stated / seen < 2:
        return Fraction(round(seen)) if abs(seen - round(seen)) < Fraction(1, 20) * seen else seen
    return stated
