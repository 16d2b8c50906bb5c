"""A model behind a server that speaks the OpenAI chat completions API: vLLM, SGLang, Ollama ..."""

import base64
import io
import re
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from PIL import Image as pillow

from goldfish_cli.backends.base import GenerationSettings, Reply, Request, Turn, drain
from goldfish_cli.backends.chat_client import ChatClient, ServerLimits
from goldfish_cli.backends.messages import chat_messages, frame_parts
from goldfish_cli.backends.pictures import shrink
from goldfish_cli.errors import ModelError
from goldfish_cli.media.video import Frame, Image
from goldfish_cli.profiles import Profile

NUM_FRAMES = 16  # many servers refuse more pictures in one request
JPEG_QUALITY = 85
AT_A_TIME = 8
"""Questions that wait for the server together."""
_NAME = re.compile(r"openai:(?P<model>.+?)@(?P<url>https?://[^\s?#]+)")
_MAX_ANSWER = 2**20  # characters


@dataclass(frozen=True, slots=True)
class SentVideo:
    """Frames as they are sent."""

    times: tuple[float, ...]
    """Seconds."""
    urls: tuple[str, ...]
    """A ``data:`` URL with a JPEG for each."""

    def select(self, indices: Sequence[int]) -> "SentVideo":
        """Keep only these frames, by position."""
        return SentVideo(
            tuple(self.times[index] for index in indices),
            tuple(self.urls[index] for index in indices),
        )


class ServerModel:
    """Asks a model that runs elsewhere.

    Args:
        name: ``openai:MODEL@URL``; a URL without a path gets ``/v1``.
        offline: Refuse servers that are not on this machine.
        api_key: For a server that wants one.
        limits: Of time and patience.

    Raises:
        ModelError: If the name has another form, or the server is elsewhere while offline.
    """

    def __init__(
        self,
        name: str,
        *,
        offline: bool = False,
        api_key: str | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        self.name = self.identity = name
        self.notes: tuple[str, ...] = ()
        self._model, url = split_name(name)
        host = urlsplit(url).hostname or ""
        if offline and not is_here(host):
            raise ModelError(
                f"The model server {host} is not on this machine.",
                hint="Leave out --offline, or use a server on localhost",
            )
        self._client = ChatClient(url, api_key=api_key, limits=limits)

    @property
    def follows_instructions(self) -> bool:
        """Yes: it was made for conversations."""
        return True

    def num_frames(self, profile: Profile) -> int:
        """Return the profile's number of frames, else 16."""
        return profile.max_frames or NUM_FRAMES

    def context_limit(self, profile: Profile, settings: GenerationSettings) -> int | None:
        """Return ``None``: only the server knows, and says so when a prompt is too long."""
        return None

    def shrink(self, picture: Image) -> Image:
        """Bring a picture to at most 768 pixels a side."""
        return shrink(picture)

    def encode(self, frames: Iterable[Frame]) -> SentVideo:
        """Compress frames to JPEG, at most 768 pixels wide and high."""
        pairs = [(frame.time, _data_url(frame)) for frame in frames]
        return SentVideo(tuple(time for time, _ in pairs), tuple(url for _, url in pairs))

    def count_tokens(
        self, video: SentVideo, captions: Sequence[str], turns: Sequence[Turn]
    ) -> int | None:
        """Return ``None``: the server counts while it answers."""
        return None

    def stream(
        self,
        video: SentVideo,
        captions: Sequence[str],
        turns: Sequence[Turn],
        settings: GenerationSettings,
    ) -> Generator[str, None, Reply]:
        """Answer in pieces as the server sends them.

        Raises:
            ModelError: If the server cannot be reached, refuses, or breaks off.
        """
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in video.urls]
        messages = chat_messages(frame_parts(video.times, pictures, captions), turns)
        request = {"model": self._model, "messages": messages}
        heard = given = ""
        reason: str | None = None
        usage: dict[str, Any] = {}
        for event in self._client.events(request | _parameters(settings)):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                part = choice.get("delta") or choice.get("message") or {}
                heard += part.get("content") or ""
                reason = choice.get("finish_reason") or reason
            if len(heard) > _MAX_ANSWER:
                raise self._client.failure(f"sent more than {_MAX_ANSWER} characters")
            text = heard.strip()  # so that white space waits for what follows it
            if len(text) > len(given):
                yield text[len(given) :]
                given = text
        if reason is None:
            raise self._client.failure("broke off in the middle of an answer")
        return Reply(
            given,
            prompt_tokens=usage.get("prompt_tokens"),
            visual_tokens=None,
            answer_tokens=usage.get("completion_tokens"),
            finished=reason != "length",
        )

    def reply_all(
        self,
        video: SentVideo,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        """Send several questions at the same time; a server joins them to batches of its own.

        Raises:
            ModelError: If one of them gets no answer.
        """
        requests = [Request(video, tuple(captions), tuple(turns)) for turns in conversations]
        return self.reply_each(requests, settings)

    def reply_each(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Reply]:
        """Send several requests at the same time, as ``reply_all`` does.

        Raises:
            ModelError: If one of them gets no answer.
        """

        def ask(one: Request) -> Reply:
            return drain(self.stream(one.video, one.captions, one.turns, settings))

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return list(pool.map(ask, requests))


def split_name(name: str) -> tuple[str, str]:
    """Split ``openai:MODEL@URL`` into the model and the URL, to which ``/v1`` is added if bare.

    Raises:
        ModelError: If the name has another form, or holds a password.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise ModelError(
            f"{name} does not name a model on a server.",
            hint="The form is openai:MODEL@URL, such as openai:qwen3-vl@http://localhost:8000/v1",
        )
    model, url = match.groups()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ModelError(
            f"{url} is no address: {error}.", hint="Such as: http://localhost:8000/v1"
        ) from error
    if not host:
        raise ModelError(f"{url} names no server.", hint="Such as: http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise ModelError(
            "The name of a model must not hold a password: answers record it.",
            hint="Give the key in the environment variable OPENAI_API_KEY",
        )
    return model, url if parts.path.strip("/") else f"{url.rstrip('/')}/v1"


def _parameters(settings: GenerationSettings) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "max_tokens": settings.max_new_tokens,
        "temperature": settings.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if settings.sampled and settings.top_p < 1:
        parameters["top_p"] = settings.top_p
    if settings.sampled and settings.seed is not None:
        parameters["seed"] = settings.seed
    if settings.repetition_penalty != 1:
        parameters["repetition_penalty"] = settings.repetition_penalty  # vLLM and SGLang know it
    return parameters


def _data_url(frame: Frame) -> str:
    buffer = io.BytesIO()
    pillow.fromarray(shrink(frame.image)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def is_here(host: str) -> bool:
    """Tell whether a server runs on this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
