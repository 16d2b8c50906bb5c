"""Count what judging costs: requests, tokens and money, from several threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from goldfish_cli.errors import UsageError

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """What a server charges, in one currency, per million tokens."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        """Refuse what is no price."""
        if not (self.prompt >= 0 and self.completion >= 0):
            raise UsageError(
                f"Prices of {self.prompt:g} and {self.completion:g} per million tokens make no "
                "sense.",
                hint="Give two numbers from 0 up: for a million prompt and completion tokens",
            )


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked and what it took so far."""

    requests: int = 0
    """Begun, those that failed or were asked again included."""
    cached: int = 0
    """Judgements that needed no request, because the same was asked before."""
    prompt_tokens: int = 0
    """Of all replies, those that were malformed included: they are paid for as well."""
    completion_tokens: int = 0
    uncounted: int = 0
    """Replies for which no tokens were reported, so that the sums are too low."""

    def cost(self, prices: Prices) -> float:
        """Return what the tokens cost, in the currency of the prices."""
        prompt = self.prompt_tokens * prices.prompt
        return (prompt + self.completion_tokens * prices.completion) / _MILLION


class Meter:
    """Adds up usage; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """The sums so far."""
        return self._usage

    def add_request(self) -> None:
        """Count a request that is about to be sent."""
        with self._lock:
            self._usage = replace(self._usage, requests=self._usage.requests + 1)

    def add_cached(self) -> None:
        """Count a judgement that needed no request."""
        with self._lock:
            self._usage = replace(self._usage, cached=self._usage.cached + 1)

    def add_tokens(self, prompt: int | None, completion: int | None) -> None:
        """Count the tokens of one reply; ``None`` where they were not reported."""
        with self._lock:
            self._usage = replace(
                self._usage,
                prompt_tokens=self._usage.prompt_tokens + (prompt or 0),
                completion_tokens=self._usage.completion_tokens + (completion or 0),
                uncounted=self._usage.uncounted + (prompt is None or completion is None),
            )
