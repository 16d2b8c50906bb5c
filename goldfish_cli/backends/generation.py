"""Choose tokens and turn them into text, one at a time."""

from typing import Any, cast

import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from goldfish_cli.backends.base import GenerationSettings

_UNFINISHED = "\ufffd"  # what a tokenizer writes for the first bytes of a character


class TokenChooser:
    """Chooses the next token as the settings say, greedily or at random.

    The penalty counts the answer's own tokens only, as in MiniGPT4-Video. Transformers 5 would
    count wrongly if it were given the penalty as a number together with embeddings.
    """

    def __init__(self, settings: GenerationSettings, device: torch.device | str = "cpu") -> None:
        self._processors = processors(settings)
        self._generator: torch.Generator | None = None
        if settings.sampled:
            if settings.temperature != 1.0:
                self._processors.append(TemperatureLogitsWarper(settings.temperature))
            if settings.top_p < 1.0:
                self._processors.append(TopPLogitsWarper(settings.top_p))
            self._generator = torch.Generator(device)
            if settings.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(settings.seed)

    def choose(self, logits: Tensor, chosen: Tensor) -> int:
        """Choose from logits ``(1, vocabulary)``, given those chosen before ``(1, length)``."""
        scores = self._processors(
            cast(torch.LongTensor, chosen), cast(torch.FloatTensor, logits.float())
        )
        if self._generator is None:
            return int(scores.argmax(-1))
        return int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))


def processors(settings: GenerationSettings) -> LogitsProcessorList:
    """List the processors that apply to greedy and drawn answers alike."""
    if settings.repetition_penalty == 1.0:
        return LogitsProcessorList()
    return LogitsProcessorList([RepetitionPenaltyLogitsProcessor(settings.repetition_penalty)])


class TextPieces:
    """Turns tokens into text as they come; the pieces join to the stripped text of all tokens.

    A character whose bytes are spread over tokens waits for its last one, and white space for
    what follows it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.ids: list[int] = []
        self.text = ""
        """What has been given out so far."""
        self._tokenizer = tokenizer

    def add(self, token: int) -> str:
        """Take one more token and return what can be said now, often one word, at times nothing."""
        self.ids.append(token)
        text = self._decode()
        return "" if text.endswith(_UNFINISHED) else self._give(text)

    def finish(self) -> str:
        """Return the rest, unfinished characters included."""
        return self._give(self._decode())

    def _decode(self) -> str:
        text: str = self._tokenizer.decode(
            self.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.strip()

    def _give(self, text: str) -> str:
        if not text.startswith(self.text):  # a decoder that revises what it said: wait for more
            return ""
        piece = text[len(self.text) :]
        self.text = text
        return piece


def end_tokens(tokenizer: Any, *models: Any) -> frozenset[int]:
    """Collect the ids that end an answer: the tokenizer's, and those that the models name."""
    found: list[int | None] = [tokenizer.eos_token_id]
    for model in models:
        named = model.generation_config.eos_token_id if model.generation_config else None
        found += named if isinstance(named, list) else [named]
    return frozenset(token for token in found if token is not None)
