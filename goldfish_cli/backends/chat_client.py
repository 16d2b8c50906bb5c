"""Speak the streaming chat completions API of OpenAI over HTTP: a request in, its events out.

The standard library is enough for it; the openai package would add seconds and dependencies.
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from goldfish_cli.errors import ModelError

_MAX_BYTES = 2**20  # of one event
_MAX_WAIT_S = 30.0
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How patient to be with a server."""

    silence_s: float = 180.0
    """Longest time without a byte; a long prompt on a small machine takes minutes."""
    total_s: float = 900.0
    """Longest time for one answer."""
    attempts: int = 4
    """Tries until a server that is busy, or not up yet, is given up."""
    first_wait_s: float = 1.0
    """Before the second try; doubles with each."""


class ChatClient:
    """Sends chat requests to one URL.

    Args:
        url: Up to and without ``/chat/completions``; http or https.
        api_key: Sent as a bearer token, if any.
        limits: Of time and patience.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, limits: ServerLimits | None = None
    ) -> None:
        self._host = urlsplit(url).netloc
        self._url = url.rstrip("/") + "/chat/completions"
        self._limits = limits or ServerLimits()
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        # Without a handler for redirections: the frames and the key go to the named host only.
        self._opener = OpenerDirector()
        for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
            self._opener.add_handler(handler)

    def events(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request and yield the JSON objects of its answer.

        A server without streaming answers with a single one, whose choices hold a ``message``
        in place of a ``delta``.

        Raises:
            ModelError: If the server cannot be reached, refuses, reports an error or breaks off.
        """
        deadline = time.monotonic() + self._limits.total_s
        with self._open(request, deadline) as response:
            try:
                for data in self._data(response, deadline):
                    event = json.loads(data)
                    if error := event.get("error"):
                        raise self.failure(f"broke off: {_message(error)}")
                    yield event
            except (ValueError, AttributeError) as error:
                raise self.failure("sent what is no chat completion") from error
            except (OSError, HTTPException) as error:
                raise self.failure(f"broke off: {_reason(error)}") from error

    def failure(self, what: str) -> ModelError:
        """Make the error which says that the server did something, such as ``"broke off"``."""
        return ModelError(
            f"The model server {self._host} {what}.", hint="Try again; its log may say more"
        )

    def _data(self, response: HTTPResponse, deadline: float) -> Iterator[bytes]:
        """Yield what stands in each server-sent event, or the whole of an answer in one."""
        if "json" in response.headers.get("Content-Type", ""):
            yield response.read(_MAX_BYTES)
            return
        while line := response.readline(_MAX_BYTES):
            if time.monotonic() > deadline:
                raise self.failure(f"took more than {self._limits.total_s:g} s")
            field, _, value = line.partition(b":")
            if field == b"data" and value.strip() == b"[DONE]":
                return
            if field == b"data":
                yield value

    def _open(self, request: dict[str, Any], deadline: float) -> HTTPResponse:
        """Send the request, again while the server is busy or not up yet."""
        wait = self._limits.first_wait_s
        attempt = 1
        while True:
            last = attempt >= self._limits.attempts or time.monotonic() + wait > deadline
            try:
                response = self._post(request)
            except TimeoutError as error:
                raise self.failure(f"was silent for {self._limits.silence_s:g} s") from error
            except (OSError, HTTPException) as error:
                if last:
                    raise ModelError(
                        f"The model server {self._host} cannot be reached: {_reason(error)}.",
                        hint="Check that it runs, and the URL after the @ in the model's name",
                    ) from error
            else:
                if response.status < HTTPStatus.MULTIPLE_CHOICES:
                    return response
                with response:
                    complaint = _complaint(response)
                if "max_completion_tokens" in complaint and "max_tokens" in request:
                    request["max_completion_tokens"] = request.pop("max_tokens")  # its new name
                    continue
                if last or response.status not in _BUSY:
                    raise self._refusal(response.status, complaint)
                wait = max(wait, _retry_after(response))
            time.sleep(min(wait, _MAX_WAIT_S))
            wait *= 2
            attempt += 1

    def _post(self, request: dict[str, Any]) -> HTTPResponse:
        body = json.dumps(request).encode()
        post = Request(self._url, body, self._headers, method="POST")
        response: HTTPResponse = self._opener.open(post, timeout=self._limits.silence_s)
        return response

    def _refusal(self, status: int, complaint: str) -> ModelError:
        hints = {
            400: "If the prompt is too long for the model, use fewer --frames",
            401: "Put the server's key into OPENAI_API_KEY",
            403: "Put the server's key into OPENAI_API_KEY",
            404: "Check the model's name, and the URL after the @: most end in /v1",
            413: "Use fewer --frames",
        }
        return ModelError(
            f"The model server {self._host} refused with {status}: {complaint}",
            hint=hints.get(status, "Its log may say more"),
        )


def _complaint(response: HTTPResponse) -> str:
    """Read the server's own words, on one line."""
    text = response.read(_MAX_BYTES).decode("utf-8", errors="replace")
    with suppress(ValueError):  # not JSON: what a proxy in between wrote
        text = _message(json.loads(text))
    return " ".join(text.split())[:300] or response.reason


def _message(error: Any) -> str:
    """Find the message in ``{"error": {"message": ...}}`` and its relatives."""
    while isinstance(error, dict):
        error = error.get("error") or error.get("message") or error.get("detail") or str(error)
    return str(error)


def _retry_after(response: HTTPResponse) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
