"""Keep judges' replies in a file, so that a run that was stopped asks nothing twice.

A reply is one JSON line that is written in one piece and starts with a line break of its own: what
a killed run left half written costs that reply alone, whoever writes next.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from goldfish_cli.errors import InputError
from goldfish_cli.evaluation.judges.chat import ChatReply, Message

_START = '{"key": "'


def cache_key(name: str, messages: Sequence[Message], settings: Mapping[str, Any]) -> str:
    """Hash all that decides on a reply: who is asked, with which words and settings."""
    content = json.dumps([name, list(messages), dict(settings)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class ReplyCache:
    """Replies by key; safe for threads, and for several processes that append to one file.

    Args:
        path: A file of JSON lines, made with the first reply as is its folder; ``None`` keeps
            replies in memory.

    Raises:
        InputError: If the file cannot be read, or is something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._replies = {} if path is None else _read(path)

    def __len__(self) -> int:
        """Count the replies."""
        return len(self._replies)

    def get(self, key: str) -> ChatReply | None:
        """Return the reply that was kept, if any; the last one, if there are several."""
        return self._replies.get(key)

    def put(self, key: str, reply: ChatReply) -> None:
        """Keep a reply; when this returns, it is safe from whatever happens to this process.

        Raises:
            InputError: If the file cannot be written.
        """
        with self._lock:
            if self.path is not None:
                self._append(self.path, _line(key, reply))
            self._replies[key] = reply

    def _append(self, path: Path, line: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                while line:
                    line = line[os.write(handle, line) :]
            finally:
                os.close(handle)
        except OSError as error:
            raise InputError(
                f"The judge's replies cannot be kept in {path}: {error.strerror}.",
                hint="Check the folder and the space on the disk; what was kept before is safe",
            ) from error


def _line(key: str, reply: ChatReply) -> bytes:
    record = {
        "key": key,
        "text": reply.text,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "version": reply.version,
    }
    return f"\n{json.dumps(record)}\n".encode()


def _read(path: Path) -> dict[str, ChatReply]:
    try:
        content = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    lines = [line for line in content.split("\n") if line.strip("\0 \r")]
    if lines and not (lines[0].startswith(_START) or _START.startswith(lines[0])):
        raise InputError(
            f"{path.name} holds something else than a judge's replies.",
            hint="Name a file that does not exist yet, or one that an earlier run made",
        )
    replies: dict[str, ChatReply] = {}
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, RecursionError):  # half a line: asked again
            record = json.loads(line)
            replies[record["key"]] = ChatReply(
                _text(record["text"]),
                record["prompt_tokens"],
                record["completion_tokens"],
                _text(record["version"]),
            )
    return replies


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
