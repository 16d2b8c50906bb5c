"""Ask a language model behind a server that speaks OpenAI's chat completions API, without streams.

Not ``backends.chat_client``: that one streams one answer to a person, and ends with an error where
a judge must know what happened: whether to wait, to ask without a parameter, or to go on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from goldfish_cli.backends.server import is_here, split_name
from goldfish_cli.errors import ModelError
from goldfish_cli.evaluation.judges.chat import ChatReply, Message, NoReplyError, TemporaryError

_MAX_BYTES = 2**22  # of one reply
_BUSY = frozenset({408, 409, 425, 429})  # and all from 500 up
_FOR_ALL = frozenset({401, 402, 403, 404, 405})  # hold for every request, not for one
_REDIRECTED = range(300, 400)
_OPTIONAL = {  # what servers may refuse, how they call it, and what that means for verdicts
    "response_format": (
        ("response_format", "json_object", "json mode"),
        "",
    ),
    "seed": (("seed",), "The judge's server takes no seed: verdicts may vary between runs."),
    "temperature": (
        ("temperature",),
        "The judge's server refuses temperature 0: verdicts may vary between runs.",
    ),
}


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """How long to wait for one reply."""

    silence_s: float = 120.0
    """Longest time without a byte."""
    total_s: float = 300.0
    """Longest time for the whole."""
    max_tokens: int = 2048
    """Longest reply; a judgement needs twenty, thinking before it the rest."""


class ChatEndpoint:
    """A model on a server; safe for threads.

    Temperature is 0, the seed fixed, and a JSON object is asked for; what of these a server refuses
    is left out from then on.

    Args:
        name: ``openai:MODEL@URL``; a URL without a path gets ``/v1``.
        offline: Refuse servers that are not on this machine.
        api_key: For a server that wants one.
        limits: Of time and length.
        seed: Of servers that draw tokens all the same.

    Raises:
        ModelError: If the name has another form, or the server is elsewhere while offline.
    """

    def __init__(
        self,
        name: str,
        *,
        offline: bool = False,
        api_key: str | None = None,
        limits: EndpointLimits | None = None,
        seed: int = 0,
    ) -> None:
        model, url = split_name(name)
        self._host = urlsplit(url).hostname or ""
        if offline and not is_here(self._host):
            raise ModelError(
                f"The judge's server {self._host} is not on this machine.",
                hint="Leave out --offline, or use the judge 'offline' or a server on localhost",
            )
        self.name = name
        self._limits = limits or EndpointLimits()
        self.settings: dict[str, float | int | str] = {
            "temperature": 0,
            "seed": seed,
            "max_tokens": self._limits.max_tokens,
            "response_format": "json_object",
        }
        self._url = url.rstrip("/") + "/chat/completions"
        self._lock = threading.Lock()
        self._parameters: dict[str, Any] = self.settings | {
            "model": model,
            "stream": False,
            "response_format": {"type": "json_object"},
        }
        self._notes: list[str] = []
        self._has_answered = False
        self._client = httpx.Client(
            headers=_headers(api_key),
            timeout=self._limits.silence_s,
            limits=httpx.Limits(max_connections=None),
            follow_redirects=False,  # answers and the key go to the named host only
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the server refused that makes verdicts less sure."""
        return tuple(self._notes)

    def ask(self, messages: Sequence[Message]) -> ChatReply:
        """Send one request.

        Raises:
            TemporaryError: If the server is busy, silent, broken or out of reach.
            NoReplyError: If it refuses these messages.
            ModelError: If it has never answered and refuses us, or does not know the model.
        """
        with self._lock:
            sent = dict(self._parameters)
        # ASCII: half a surrogate pair in an answer cannot be written as UTF-8
        body = json.dumps(sent | {"messages": list(messages)}).encode("ascii")
        status, headers, content = self._post(body)
        if not httpx.codes.is_success(status):
            raise self._refusal(status, headers, _complaint(content), sent)
        reply = _read_reply(content)
        self._has_answered = True
        return reply

    def _post(self, body: bytes) -> tuple[int, httpx.Headers, bytes]:
        deadline = time.monotonic() + self._limits.total_s
        content = bytearray()
        try:
            with self._client.stream("POST", self._url, content=body) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > deadline:
                        raise TemporaryError(f"took more than {self._limits.total_s:g} s")
                    if len(content) > _MAX_BYTES:
                        raise TemporaryError(f"sent more than {_MAX_BYTES} bytes")
                return response.status_code, response.headers, bytes(content)
        except httpx.TimeoutException as error:
            raise TemporaryError(f"was silent for {self._limits.silence_s:g} s") from error
        except httpx.ConnectError as error:
            raise TemporaryError(f"could not be reached at {self._host}: {error}") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise TemporaryError(f"broke off: {error or type(error).__name__}") from error

    def _refusal(
        self, status: int, headers: httpx.Headers, complaint: str, sent: dict[str, Any]
    ) -> Exception:
        said = f"refused with {status}: {complaint}" if complaint else f"refused with {status}"
        if status in _FOR_ALL or status in _REDIRECTED or "insufficient_quota" in complaint:
            return self._refusal_for_all(status, said)
        if status != 429 and self._do_without(complaint.casefold(), sent):
            return TemporaryError(said, is_free=True)
        if status in _BUSY or status >= 500:
            return TemporaryError(said, wait_s=_retry_after(headers))
        return NoReplyError(f"The judge {said}.")

    def _refusal_for_all(self, status: int, said: str) -> Exception:
        if self._has_answered:  # it takes us and knows the model: the next request may succeed
            return NoReplyError(f"The judge {said}.")
        hints = {
            401: "Put the server's key into OPENAI_API_KEY",
            403: "Put the server's key into OPENAI_API_KEY",
            404: "Check the model's name, and the URL after the @: most end in /v1",
            405: "Check the URL after the @: most end in /v1",
        }
        return ModelError(
            f"The judge's server {self._host} {said}",
            hint=hints.get(status, "Its words may tell more; verdicts so far are kept"),
        )

    def _do_without(self, complaint: str, sent: dict[str, Any]) -> bool:
        """Leave out, from now on, a parameter that a complaint names; say whether one was."""
        if "max_completion_tokens" in complaint and "max_tokens" in sent:
            with self._lock:
                if "max_tokens" in self._parameters:  # else another thread did it
                    limit = self._parameters.pop("max_tokens")
                    self._parameters["max_completion_tokens"] = limit
            return True
        for parameter, (words, note) in _OPTIONAL.items():
            if parameter in sent and any(word in complaint for word in words):
                with self._lock:
                    if self._parameters.pop(parameter, None) is not None and note:
                        self._notes.append(note)
                return True
        return False


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if not api_key:
        return headers
    if not (api_key.isascii() and api_key.isprintable()):
        raise ModelError(
            "The key for the judge's server holds characters that no key has.",
            hint="Check OPENAI_API_KEY for line breaks and typographic dashes",
        )
    return headers | {"Authorization": f"Bearer {api_key}"}


def _read_reply(content: bytes) -> ChatReply:
    try:
        completion = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TemporaryError("sent what is no JSON") from error
    if not isinstance(completion, dict):
        raise TemporaryError("sent what is no chat completion")
    if completion.get("error"):
        raise TemporaryError(f"reported an error: {_message(completion['error'])[:300]}")
    try:
        text = _text_of(completion["choices"][0]["message"]["content"])
    except (LookupError, TypeError) as error:
        raise TemporaryError("sent what is no chat completion") from error
    usage = completion.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    version = [completion.get(field) for field in ("model", "system_fingerprint")]
    return ChatReply(
        text,
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
        " ".join(part for part in version if isinstance(part, str) and part),
    )


def _text_of(content: Any) -> str:
    """Join what was said, which some servers send in parts; a refusal says nothing."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_text_of(part["text"]) for part in content if part["type"] == "text")
    if not isinstance(content, str):
        raise TypeError
    return content


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _complaint(content: bytes) -> str:
    """Read the server's own words, on one line."""
    text = content[:10_000].decode("utf-8", errors="replace")
    with suppress(ValueError, RecursionError):  # not JSON: what a proxy in between wrote
        found = json.loads(content)
        text = _message(found)
        error = found.get("error") if isinstance(found, dict) else None
        if isinstance(error, dict):
            named = [error.get(field) for field in ("code", "param") if error.get(field)]
            text += f" ({', '.join(map(str, named))})" if named else ""
    return " ".join(text.split())[:300]


def _message(error: Any) -> str:
    """Find the message in ``{"error": {"message": ...}}`` and its relatives."""
    while isinstance(error, dict):
        error = error.get("error") or error.get("message") or error.get("detail") or str(error)
    return str(error)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Read how long to wait, which comes in seconds or as a date."""
    value = headers.get("Retry-After", "").strip()
    with suppress(ValueError):
        seconds = float(value)
        return seconds if 0 <= seconds < float("inf") else None
    with suppress(ValueError, TypeError):
        until = parsedate_to_datetime(value)
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())
    return None
