"""Frames at given times with PyAV: seek to the keyframe before, decode no more than is needed.

Until the packet that covers a target, pictures that no other refers to are not decoded (FFmpeg's
``skip_frame`` NONREF), which is bit-equal to reading in order. Where packets have no times, or a
codec is not known to allow it, everything from the keyframe on is decoded.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from goldfish_cli.media.av_open import (
    Threading,
    can_seek,
    choose_stream,
    no_picture,
    open_container,
    set_threads,
)
from goldfish_cli.media.packet_window import Decision, PacketWindow
from goldfish_cli.media.time_limit import TimeLimit

# Skipping was checked against reading in order; on AV1 it is one frame off.
SKIPS_EXACTLY = frozenset({"h264", "hevc"})
# How much earlier than the target to seek, in seconds, until the first picture lies before it.
STEPS_BACK = (0.0, 0.5, 2.0, 8.0, 32.0, 128.0)
MAX_PACKETS_TO_KEYFRAME = 1000
FIRST_GUESS_OF_GAP = 2.0  # seconds between keyframes, where the file has no index


class FrameReader:
    """Walks forward through the film of one file, from target to target.

    Args:
        path: The file.
        limit: Time that may pass.
        threading: How pictures are shared among cores.
        notes: Receives a sentence for each thing that went wrong and was worked around.
        loosely: A picture just before the one that is on screen will do, where that is cheaper.
    """

    def __init__(
        self,
        path: Path,
        limit: TimeLimit,
        threading: Threading,
        notes: list[str],
        *,
        loosely: bool = False,
    ) -> None:
        self.path = path
        self.limit = limit
        self.threading = threading
        self.notes = notes
        self._loosely = loosely
        self._files = ExitStack()
        self._damaged = 0
        self._usual_gap: int | None = None
        self._targets: list[int] = []
        self._open()
        codec = self._stream.codec_context.codec.canonical_name
        self._may_skip = codec in SKIPS_EXACTLY
        self._progressive: bool | None = None  # not known before the first picture
        self._may_seek = can_seek(self._container)
        self._knows_order = True  # packets have times that can be trusted

    def close(self) -> None:
        """Close the file."""
        self._files.close()
        if self._damaged:
            self.notes.append(f"{self._damaged} damaged packets were skipped.")

    def seconds(self, picture: VideoFrame) -> float:
        """The presentation time of a picture."""
        return float((picture.pts or 0) * self._time_base)

    def pictures_at(self, times: Sequence[float]) -> Iterator[VideoFrame]:
        """The picture on screen at each of some ascending times.

        The first picture stands for times before it, the last for those after it.

        Raises:
            VideoError: If not one picture can be decoded, or the time is used up.
        """
        # A time that was a picture's own, made a float, must find that picture again.
        self._targets[:] = [int(time / self._time_base + 1e-4) for time in times]
        for target in self._targets:
            if not self._is_on_screen(target):
                if self._worth_seeking(target):
                    self._approach(target)
                self._walk(target)
            if self._current is None:
                raise no_picture(self.path)
            yield self._current

    def keyframes_at(self, times: Sequence[float]) -> Iterator[VideoFrame]:
        """The last keyframe at or before each of some ascending times, decoding nothing else."""
        if not self._may_seek:
            yield from self.pictures_at(times)
            return
        shown: VideoFrame | None = None
        waiting = 0  # times before the first keyframe that decodes
        for time in times:
            packet = self._keyframe_packet(int(time / self._time_base + 1e-4))
            if packet is not None and (shown is None or (packet.pts or 0) > (shown.pts or 0)):
                pictures = [*self._decode(packet), *self._decode(None)]
                shown = pictures[0] if pictures else shown
            waiting += 1
            if shown is not None:
                yield from [shown] * waiting
                waiting = 0
        if shown is None:
            raise no_picture(self.path)

    # Opening and seeking ---------------------------------------------------------------------

    def _open(self) -> None:
        """Open the file, or open it anew where going back to its start is wanted."""
        self._files.close()
        self._container = self._files.enter_context(open_container(self.path, self.limit))
        self._stream = choose_stream(self._container, self.path)
        set_threads(self._stream, self.threading)
        self._time_base = self._stream.time_base or Fraction(1, 1000)
        if self._usual_gap is None:
            self._usual_gap = int(FIRST_GUESS_OF_GAP / self._time_base)
        self._read_up_to = self._stream.start_time or 0
        self._begin()

    def _begin(self, sought: int | None = None) -> None:
        self._finished = False  # no picture follows those that came out
        self._current: VideoFrame | None = None  # the last picture at or before the target
        self._ahead: list[VideoFrame] = []  # pictures that came out after it
        self._until: dict[int, int] = {}  # pts: when the next picture is shown, if that is sure
        self._last_pts: int | None = None
        self._window: PacketWindow[Packet[VideoStream]] = PacketWindow(self._targets)
        self._packets = self._demux(sought)
        self._pictures = self._decode_on()

    def _worth_seeking(self, target: int) -> bool:
        """Whether a keyframe lies between what was read last and the target, as far as is known."""
        if not self._may_seek:
            return False
        index = self._stream.index_entries
        found = index.search_timestamp(target) if len(index) else -1
        if found >= 0:
            if index[found].timestamp > self._read_up_to:
                return True
            if index[len(index) - 1].timestamp > target:
                return False  # the index reaches further and knows no later keyframe
        return target - self._read_up_to > (self._usual_gap or 0)

    def _approach(self, target: int) -> None:
        """Go to a keyframe at or before the target, the start of the file at worst."""
        for step in STEPS_BACK:
            if not self._seek(target - int(step / self._time_base)):
                break
            first = next(self._pictures, None)
            if first is not None and (first.pts or 0) <= target:
                self._current = first
                return
        self._open()
        self._may_seek = False  # or every target would begin at the start again

    def _seek(self, target: int) -> bool:
        try:
            self._container.seek(target, stream=self._stream)
        except av.error.FFmpegError:
            return False
        self._begin(sought=target)
        return True

    def _keyframe_packet(self, target: int) -> "Packet[VideoStream] | None":
        for step in STEPS_BACK:
            if not self._seek(target - int(step / self._time_base)):
                break
            packet = next(self._packets, None)
            if packet is not None and (packet.pts or 0) <= target:
                return packet
        self._open()
        return next(self._packets, None)

    # Reading and decoding --------------------------------------------------------------------

    def _demux(self, sought: int | None) -> "Iterator[Packet[VideoStream]]":
        """Packets of the film in decode order; after a seek, from the first keyframe."""
        came_from = self._read_up_to
        waited = 0
        try:
            for packet in self._container.demux(self._stream):
                self.limit.check()
                if packet.size == 0:
                    continue
                if sought is not None:
                    if not packet.is_keyframe:
                        waited += 1
                        if waited > MAX_PACKETS_TO_KEYFRAME:
                            return
                        continue
                    if packet.dts is not None and packet.dts <= came_from <= sought:
                        # Back at what was read already: keyframes are further apart than thought.
                        self._usual_gap = max(self._usual_gap or 0, 2 * (sought - packet.dts))
                    sought = None
                if packet.dts is not None:
                    self._read_up_to = packet.dts
                yield packet
        except av.error.FFmpegError as error:
            self.limit.check()
            self.notes.append(f"The file cannot be read to its end ({error.strerror}).")

    def _decode_on(self) -> Iterator[VideoFrame]:
        """Pictures in the order they come out, without those that no target needs."""
        for packet in self._packets:
            shown, decoded = packet.pts, packet.dts
            if shown is None or (decoded is not None and shown < decoded):
                # It cannot be told which packets are needed: take them all from here on.
                self._may_skip = self._knows_order = False
            if shown is None or packet.is_discard:
                yield from self._decode_all(self._window.drain())
                yield from self._decode(packet)
            else:
                yield from self._decode_all(self._window.push(packet, shown, decoded))
        yield from self._decode_all(self._window.drain())
        yield from self._decode(None)

    def _decode_all(
        self, decisions: "Iterator[Decision[Packet[VideoStream]]]"
    ) -> Iterator[VideoFrame]:
        for packet, wanted, until in decisions:
            if until is not None and packet.pts is not None and self._knows_order:
                self._until[packet.pts] = until
            yield from self._decode(packet, wanted=wanted)

    def _decode(
        self, packet: "Packet[VideoStream] | None", *, wanted: bool = True
    ) -> Iterator[VideoFrame]:
        context = self._stream.codec_context
        # Of an interlaced film a packet may be half a picture, and both halves are needed.
        wanted = wanted and not self._loosely
        skip = "NONREF" if self._may_skip and self._progressive and not wanted else "DEFAULT"
        if context.skip_frame != skip:
            context.skip_frame = skip  # type: ignore[assignment]
        try:
            pictures = context.decode(packet)
        except av.error.FFmpegError:
            self._damaged += 1
            return
        for picture in pictures:
            if self._progressive is not False:
                self._progressive = not picture.interlaced_frame
            self._give_time(picture)
            yield picture

    def _give_time(self, picture: VideoFrame) -> None:
        """Where a file has no presentation time for a picture, count on at its frame rate."""
        if picture.pts is None:
            picture.pts = picture.dts
        if picture.pts is None:
            rate = self._stream.average_rate or self._stream.guessed_rate or Fraction(25)
            step = max(1, round(1 / rate / self._time_base))
            picture.pts = 0 if self._last_pts is None else self._last_pts + step
            self._may_seek = False
        self._last_pts = picture.pts

    # Walking ---------------------------------------------------------------------------------

    def _is_on_screen(self, target: int) -> bool:
        """Whether ``_current`` is known to be the picture shown at ``target``."""
        while self._ahead and (self._ahead[0].pts or 0) <= target:
            self._current = self._ahead.pop(0)
        if self._current is None:
            return False
        if self._ahead or self._finished:
            return True
        shown = self._current.pts or 0
        return target < self._until.get(shown, shown)

    def _walk(self, target: int) -> None:
        while not self._is_on_screen(target):
            picture = next(self._pictures, None)
            if picture is None:
                self._finished = True
                return
            if self._current is None:
                self._current = picture
            elif (picture.pts or 0) > (self._current.pts or 0):
                insort(self._ahead, picture, key=lambda each: each.pts or 0)
