"""Decide which packets must be decoded in full to show given moments. Pure arithmetic on ticks."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

PacketT = TypeVar("PacketT")

# Pictures that may wait for their order to be known; H.264 and HEVC reorder at most 16.
MAX_WAITING = 40


class Decision(NamedTuple, Generic[PacketT]):
    """A packet that may now go to the decoder."""

    packet: PacketT
    wanted: bool
    """Whether its picture is on screen at some target, or might be."""
    until: int | None
    """Time of the picture after it in presentation order; ``None`` where that is not yet sure."""


@dataclass(slots=True)
class PacketWindow(Generic[PacketT]):
    """Packets in decode order wait here until it is known which moments they cover.

    A packet covers the targets from its own presentation time to that of the next picture. Which
    one is next is only sure once the decode times have passed it, a few packets later, because
    packets come in decode order. A packet that covers no target need not be decoded for its own
    sake, and the decoder may drop it where no other picture refers to it.

    Args:
        targets: Ascending moments asked for, in ticks of the stream.
    """

    targets: Sequence[int]
    _waiting: deque[tuple[PacketT, int]] = field(default_factory=deque)
    _times: list[int] = field(default_factory=list)  # of all packets waiting or just before
    _passed: int | None = None  # every packet shown up to this time has been seen

    def push(self, packet: PacketT, shown: int, decoded: int | None) -> Iterator[Decision[PacketT]]:
        """Take the next packet with its presentation and decode times; give those now settled.

        Without a decode time nothing more is settled by it, but it counts as a neighbour.
        """
        insort(self._times, shown)
        self._waiting.append((packet, shown))
        self._passed = self._passed if decoded is None else decoded
        while self._waiting:
            decision = self._decide(force=len(self._waiting) > MAX_WAITING)
            if decision is None:
                return
            yield decision

    def drain(self) -> Iterator[Decision[PacketT]]:
        """Give all that still wait, in order: nothing follows."""
        while self._waiting:
            decision = self._decide(force=True)
            if decision is not None:
                yield decision

    def clear(self) -> None:
        """Forget everything, as after a seek."""
        self._waiting.clear()
        self._times.clear()
        self._passed = None

    def _decide(self, *, force: bool) -> Decision[PacketT] | None:
        packet, shown = self._waiting[0]
        after = bisect_left(self._times, shown + 1)
        following = self._times[after] if after < len(self._times) else None
        settled = following is not None and self._passed is not None and self._passed >= following
        wanted = following is None or self._covers(shown, following)
        if wanted and not settled and not force:
            return None
        self._waiting.popleft()
        self._forget_before(shown)
        return Decision(packet, wanted, following if settled else None)

    def _covers(self, start: int, end: int) -> bool:
        return bisect_left(self.targets, start) < bisect_left(self.targets, end)

    def _forget_before(self, shown: int) -> None:
        # Times of packets long decoded cannot be the "next" of any that waits.
        if len(self._times) > 4 * MAX_WAITING:
            oldest = min([time for _, time in self._waiting], default=shown)
            del self._times[: bisect_left(self._times, oldest)]
