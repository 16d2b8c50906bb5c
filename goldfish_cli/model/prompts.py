"""Conversations about frames in, token ids out: the same way in training and in use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from goldfish_cli.errors import UsageError
from goldfish_cli.model.prompt_styles import (
    GOLDFISH,
    MARKERS,
    Chunk,
    Media,
    PromptStyle,
    guard,
    lay_out,
)

IGNORED_LABEL = -100


@dataclass(frozen=True, slots=True)
class EncodedAnswer:
    """The token ids of an answer."""

    ids: list[int]
    """With the end token, unless the answer was cut."""
    truncated: bool
    """Whether the answer was longer than allowed; a cut answer has no end token."""


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """The token ids of a prompt, or of a whole training sample if its last turn has an answer."""

    ids: list[int]
    """Each kept frame stands as ``tokens_per_frame`` times the image token's id."""
    labels: list[int]
    """The ids of the answers and their end tokens, -100 everywhere else."""
    frames: tuple[int, ...]
    """Which frames are in the prompt: only their visual tokens may be given to the model."""
    truncated_answers: int
    """How many answers were cut."""
    note: str
    """What was left out to fit the context, one sentence; ``""`` if nothing."""


def encode_answer(tokenizer: Any, text: str, *, max_tokens: int | None = None) -> EncodedAnswer:
    """Tokenise an answer alone and close it with the end token.

    Args:
        tokenizer: Of the language model.
        text: The answer.
        max_tokens: The most ids, end token included; ``None`` for no limit.
    """
    ids = [*_tokenise(tokenizer, guard(text, _markers(tokenizer))), tokenizer.eos_token_id]
    if max_tokens is None or len(ids) <= max_tokens:
        return EncodedAnswer(ids, truncated=False)
    return EncodedAnswer(ids[:max_tokens], truncated=True)


def encode_prompt(
    tokenizer: Any,
    captions: Sequence[str],
    turns: str | Sequence[tuple[str, str | None]],
    *,
    tokens_per_frame: int,
    image_token_id: int,
    style: PromptStyle = GOLDFISH,
    media: Media = "video",
    preface: str = "",
    max_tokens: int | None = None,
    max_answer_tokens: int | None = None,
) -> EncodedPrompt:
    """Tokenise a conversation about frames.

    If it is longer than ``max_tokens``, captions are left out first, spread evenly, until they take
    at most half of the room beside the questions; then frames, spread evenly too. Questions stay
    whole.

    Args:
        tokenizer: Of the language model.
        captions: One text for each frame, ``""`` where nothing is said.
        turns: A question, or questions with their answers; the last answer may be ``None``.
        tokens_per_frame: Visual tokens that stand for a frame.
        image_token_id: The id that marks them.
        style: The template.
        media: Whether the frames are a video's or one image.
        preface: A text before the frames.
        max_tokens: The longest prompt, visual tokens included, the last answer not; ``None`` for
            no limit.
        max_answer_tokens: The longest answer; longer ones are cut and counted.

    Raises:
        UsageError: If the questions alone are longer than ``max_tokens``.
    """
    markers = _markers(tokenizer)
    clean = [guard(" ".join(caption.split()), markers) for caption in captions]
    pairs: Sequence[tuple[str, str | None]] = [(turns, None)] if isinstance(turns, str) else turns
    pairs = [(guard(question, markers), answer) for question, answer in pairs]
    encoder = _Encoder(tokenizer, tokens_per_frame, image_token_id, max_answer_tokens)

    def encode(kept: Sequence[int], spoken: Sequence[int]) -> EncodedPrompt:
        texts = [clean[frame] if frame in spoken else "" for frame in kept]
        chunks = lay_out(texts, pairs, style=style, media=media, preface=guard(preface, markers))
        return encoder.encode(chunks, frames=tuple(kept))

    return _fit(encode, clean, max_tokens, answered=pairs[-1][1] is not None)


def spread(count: int, total: int) -> list[int]:
    """Choose ``count`` of ``total`` positions evenly, each in the middle of its share."""
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


class _Encoder:
    """Turns chunks into ids; remembers texts, as fitting tries many prompts of the same pieces."""

    def __init__(
        self,
        tokenizer: Any,
        tokens_per_frame: int,
        image_token_id: int,
        max_answer_tokens: int | None,
    ) -> None:
        self.tokenizer = tokenizer
        self.image_ids = [image_token_id] * tokens_per_frame
        self.max_answer_tokens = max_answer_tokens
        self.known: dict[str, list[int]] = {}

    def encode(self, chunks: Sequence[Chunk], *, frames: tuple[int, ...]) -> EncodedPrompt:
        bos = self.tokenizer.bos_token_id
        ids: list[int] = [] if bos is None else [bos]
        labels = [IGNORED_LABEL] * len(ids)
        truncated = 0
        for chunk in chunks:
            if chunk.kind == "answer":
                answer = encode_answer(
                    self.tokenizer, chunk.text, max_tokens=self.max_answer_tokens
                )
                ids += answer.ids
                labels += answer.ids
                truncated += answer.truncated
                continue
            new = self.image_ids if chunk.kind == "image" else self._text_ids(chunk.text)
            ids += new
            labels += [IGNORED_LABEL] * len(new)
        return EncodedPrompt(ids, labels, frames, truncated, note="")

    def _text_ids(self, text: str) -> list[int]:
        if text not in self.known:
            self.known[text] = _tokenise(self.tokenizer, text)
        return self.known[text]


def _fit(
    encode: Callable[[Sequence[int], Sequence[int]], EncodedPrompt],
    captions: Sequence[str],
    max_tokens: int | None,
    *,
    answered: bool,
) -> EncodedPrompt:
    """Leave out captions, then frames, until the prompt is short enough."""

    def length(prompt: EncodedPrompt) -> int:
        return _prompt_length(prompt) if answered else len(prompt.ids)

    every = range(len(captions))
    spoken = [frame for frame in every if captions[frame]]
    whole = encode(every, spoken)
    if max_tokens is None or length(whole) <= max_tokens:
        return whole
    bare, silent = length(encode([], [])), length(encode(every, []))
    kept_spoken = spoken
    for count in range(len(spoken), -1, -1):
        kept_spoken = [spoken[i] for i in spread(count, len(spoken))]
        total = length(encode(every, kept_spoken))
        if total <= max_tokens or total - silent <= (max_tokens - bare) // 2:
            break
    for count in range(len(captions), 0, -1):
        kept = spread(count, len(captions))
        for voices in (kept_spoken, []):
            prompt = encode(kept, voices)
            if length(prompt) <= max_tokens:
                left = len(set(voices) & set(kept))
                return replace(
                    prompt, note=_note(len(captions), count, len(spoken), left, max_tokens)
                )
    raise UsageError(
        f"The question takes {bare} tokens and one frame more, the context has {max_tokens}.",
        hint="Ask a shorter question, or set max_context_tokens higher in the profile.",
    )


def _prompt_length(prompt: EncodedPrompt) -> int:
    """Count the ids before the last answer."""
    end = len(prompt.labels)
    while end and prompt.labels[end - 1] != IGNORED_LABEL:
        end -= 1
    return end


def _note(frames: int, kept_frames: int, spoken: int, kept_spoken: int, max_tokens: int) -> str:
    parts = []
    if kept_frames < frames:
        parts.append(f"{frames - kept_frames} of {frames} frames")
    if kept_spoken < spoken:
        parts.append(f"the subtitles of {spoken - kept_spoken} of {spoken} frames")
    return f"Left out to fit a context of {max_tokens} tokens: {' and '.join(parts)}."


def _tokenise(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _markers(tokenizer: Any) -> list[str]:
    return [*MARKERS, *(token for token in tokenizer.all_special_tokens if token not in MARKERS)]
