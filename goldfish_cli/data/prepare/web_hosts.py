"""Be a good guest: few requests to one host at a time, and none while it asks to wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


@dataclass(slots=True)
class _Door:
    seats: asyncio.Semaphore
    visitors: int = 0  # inside or waiting; an open door without any is forgotten
    opens: float = 0.0  # on the loop's clock


class HostGate:
    """Limits how often each host is visited.

    Args:
        per_host: Requests to one host at once.
    """

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._doors: dict[str, _Door] = {}

    @asynccontextmanager
    async def visit(self, host: str) -> AsyncIterator[None]:
        """Wait for a seat at ``host``, and hold it."""
        door = self._door(host)
        door.visitors += 1
        try:
            async with door.seats:
                while (rest := door.opens - _now()) > 0:
                    await asyncio.sleep(rest)
                yield
        finally:
            door.visitors -= 1
            if not door.visitors and door.opens <= _now():
                self._doors.pop(host, None)

    def close(self, host: str, seconds: float) -> None:
        """Let nobody in for ``seconds``; who is inside may finish."""
        door = self._door(host)
        door.opens = max(door.opens, _now() + seconds)

    def _door(self, host: str) -> _Door:
        return self._doors.setdefault(host, _Door(asyncio.Semaphore(self._per_host)))


def _now() -> float:
    return asyncio.get_running_loop().time()


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header, seconds or a date (RFC 9110).

    Returns:
        Seconds from now, or ``None`` if there is no such header or it cannot be read.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - (now or datetime.now(timezone.utc))).total_seconds())
