"""What a video language model is to the rest of Goldfish: frames and questions in, text out.

Knows no torch, so that a model behind a server needs none.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.media.video import Frame, Image
from goldfish_cli.profiles import Profile


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, and its answer if it has one already."""

    question: str
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How an answer is chosen token by token; the defaults are greedy, so the same every time."""

    max_new_tokens: int = 256
    """Longest answer in tokens."""
    temperature: float = 0.0
    """0: always the likeliest token; above: tokens are drawn, the wilder the higher."""
    top_p: float = 1.0
    """When drawing: only among the likeliest tokens which together have this probability."""
    seed: int | None = None
    """When drawing: the same seed gives the same answer; None leaves it to chance."""
    repetition_penalty: float = 1.0
    """Divides the scores of tokens that the answer already holds (arXiv:1909.05858); 1: none."""

    @property
    def sampled(self) -> bool:
        """Whether tokens are drawn at random."""
        return self.temperature > 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of an answer, and what it cost in tokens; None where a server does not say."""

    text: str
    prompt_tokens: int | None
    """The whole prompt, visual tokens included."""
    visual_tokens: int | None
    """Tokens of the prompt that stand for pictures."""
    answer_tokens: int | None
    """Tokens that were generated, the closing one included."""
    finished: bool
    """Whether the model ended its answer itself, before ``max_new_tokens``."""


@dataclass(frozen=True, slots=True)
class Request:
    """What ``stream`` takes, as a value: one of several that are answered side by side."""

    video: Any
    """What ``encode`` returned."""
    captions: tuple[str, ...]
    turns: tuple[Turn, ...]


EncodedT = TypeVar("EncodedT", bound="EncodedVideo")
T = TypeVar("T")


def drain(stream: Generator[Any, None, T]) -> T:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(stream)
        except StopIteration as stop:
            return stop.value


class EncodedVideo(Protocol):
    """Frames in the form in which one backend keeps them; only that backend looks inside."""

    @property
    def times(self) -> tuple[float, ...]:
        """Presentation time of each frame in seconds."""

    def select(self: EncodedT, indices: Sequence[int]) -> EncodedT:
        """Keep only these frames, by position, without encoding anything again."""


class VideoLanguageModel(Protocol):
    """A model that answers questions about frames."""

    @property
    def name(self) -> str:
        """The name that it was asked for by, as answers and indexes record it."""

    @property
    def identity(self) -> str:
        """Tell models apart by their weights, whatever their name; of a server only the name."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about this model, one sentence each."""

    @property
    def follows_instructions(self) -> bool:
        """Whether it can be expected to do what any text asks, without pictures as well."""

    def num_frames(self, profile: Profile) -> int:
        """Say how many frames the model sees of one clip when nobody asks for a number."""

    def context_limit(self, profile: Profile, settings: GenerationSettings) -> int | None:
        """Give the longest prompt in tokens that leaves room for an answer; None: not known."""

    def shrink(self, picture: Image) -> Image:
        """Reduce a decoded picture to what ``encode`` needs of it, so that only that is held."""

    def encode(self, frames: Iterable[Frame]) -> Any:
        """Do everything that depends on the pictures alone, once for all questions.

        Returns:
            An ``EncodedVideo`` of this backend's own kind.
        """

    def count_tokens(
        self, video: Any, captions: Sequence[str], turns: Sequence[Turn]
    ) -> int | None:
        """Count the tokens of a prompt, visual ones included; None where only a server knows."""

    def stream(
        self,
        video: Any,
        captions: Sequence[str],
        turns: Sequence[Turn],
        settings: GenerationSettings,
    ) -> Generator[str, None, Reply]:
        """Answer the last turn in pieces of text as they are made; they join to the reply's text.

        Args:
            video: What ``encode`` returned.
            captions: What is said up to each frame and since the one before; "" for nothing.
            turns: The conversation so far; the last turn has no answer yet.
            settings: How to choose the tokens.
        """

    def reply_all(
        self,
        video: Any,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        """Answer several questions about the same frames, side by side where that is quicker.

        Args:
            video: What ``encode`` returned.
            captions: As ``stream`` takes them; the same for all.
            conversations: The turns of each; no conversation knows of the others.
            settings: How to choose the tokens.

        Returns:
            A reply for each conversation, as ``stream`` would give it but for rounding.
        """

    def reply_each(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Reply]:
        """Answer questions about different videos, side by side where that is quicker.

        Returns:
            A reply for each request, as ``stream`` would give it but for rounding.
        """


@runtime_checkable
class KeepsFeatures(Protocol):
    """A video language model whose frozen encoder's output can be had, kept and given back."""

    @property
    def frames_at_once(self) -> int:
        """How many frames its encoder takes in one go."""

    def encoder_identity(self) -> str:
        """Name all that the features of a frame depend on, whatever comes after the encoder."""

    def encode_clips(self, clips: Sequence[Sequence[Frame]]) -> list[Any]:
        """Do what ``encode`` does to several clips at once: an ``EncodedVideo`` for each."""

    def features_of(self, video: Any) -> Any:
        """Give the encoder's output, a tensor ``(frames, tokens, dim)``."""

    def restore(self, times: Sequence[float], features: Any) -> Any:
        """Make an ``EncodedVideo`` of features that were kept.

        Args:
            times: Of the frames, in seconds.
            features: ``(frames, tokens, dim)``, in any number format.
        """

    def mean_feature(self, video: Any) -> NDArray[np.float32]:
        """Give the mean of the encoder's output over all patches of all frames, ``(dim,)``."""
