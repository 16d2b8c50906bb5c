"""What a judging language model is to the rest: messages in, a reply out, and how asking fails.

Knows no server and no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict


class Message(TypedDict):
    """One turn of a chat, as the OpenAI API writes it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The text of a reply, what it cost, and who says that it wrote it."""

    text: str
    prompt_tokens: int | None = None
    """``None`` where the server does not tell."""
    completion_tokens: int | None = None
    version: str = ""
    """Model and fingerprint as the server reports them."""


class Chat(Protocol):
    """Answers messages; may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Name the model and, where they are known, its weights."""

    @property
    def settings(self) -> dict[str, float | int | str]:
        """Everything that decides on a reply besides the messages."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about this model, one sentence each."""

    def ask(self, messages: Sequence[Message]) -> ChatReply:
        """Ask once.

        Raises:
            TemporaryError: If asking again may help.
            NoReplyError: If these messages will get no reply, though others may.
            ModelError: If no messages will get a reply.
        """


class NoReplyError(Exception):
    """There is no reply to these messages, and asking them again would not bring one."""


class TemporaryError(Exception):
    """There is no reply this time.

    Args:
        reason: What happened, for a sentence's end.
        wait_s: How long the server wants to be left alone, if it says.
        is_free: Nothing is wrong with server or messages: ask again at once, without counting it
            as a failure.
    """

    def __init__(self, reason: str, *, wait_s: float | None = None, is_free: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.is_free = is_free
