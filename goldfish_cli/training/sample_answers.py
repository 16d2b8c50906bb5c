"""Let a model that is learning answer a few held back samples, so that people see how it goes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from goldfish_cli.backends.generation import end_tokens
from goldfish_cli.data.dataset import Example, Mixture
from goldfish_cli.errors import UsageError
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.prompt_styles import STYLES
from goldfish_cli.model.prompts import EncodedPrompt, encode_prompt

MAX_NEW_TOKENS = 64  # enough to see how it goes, and a moment's work beside an evaluation


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """What the model says to a sample that it does not learn from."""

    id: str
    question: str
    reference: str
    answer: str


class SampleAnswerer:
    """Asks a model the same few samples, again and again.

    Args:
        model: That learns.
        tokenizer: Of its language model.
        samples: Held back ones.
        count: How many of them are asked; they lie spread over all of them.
        max_context_tokens: The longest prompt, visual tokens included.
        max_new_tokens: The longest answer.
        encoder_chunk: Frames that go through the vision encoder at once.
    """

    def __init__(
        self,
        model: GoldfishForConditionalGeneration,
        tokenizer: Any,
        samples: Mixture,
        count: int,
        *,
        max_context_tokens: int | None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        encoder_chunk: int = 8,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._samples = samples
        count = min(count, len(samples))
        self._places = [len(samples) * i // count for i in range(count)]
        self._max_context = max_context_tokens
        self._max_new = max_new_tokens
        self._chunk = encoder_chunk
        self._end_ids = sorted(end_tokens(tokenizer, model, model.language_model))

    def __call__(self) -> list[SampleAnswer]:
        """Answer greedily; a sample whose question is longer than the context is passed over.

        The model's mode is left as it was found, and nothing random is drawn.
        """
        was_training = self._model.training
        self._model.train(False)  # its own way of it: 4-bit layers stay able to learn
        try:
            answers = [self._answer(self._samples[place]) for place in self._places]
        finally:
            self._model.train(was_training)
        return [answer for answer in answers if answer is not None]

    def _answer(self, example: Example) -> SampleAnswer | None:
        question, reference = example.dialogues[0][0]
        try:
            prompt = self._prompt(example, question)
        except UsageError:  # the collator has told of this sample, with the reason
            return None
        device = self._model.get_input_embeddings().weight.device
        with torch.no_grad():
            tokens = self._model.generate(
                torch.tensor([prompt.ids], device=device),
                image_features=self._features(example, prompt),
                max_new_tokens=self._max_new,
                do_sample=False,
                eos_token_id=self._end_ids,
                pad_token_id=self._end_ids[0],
            )
        text = self._tokenizer.decode(tokens[0], skip_special_tokens=True)
        return SampleAnswer(example.id, question, reference, text.strip())

    def _prompt(self, example: Example, question: str) -> EncodedPrompt:
        config = self._model.config
        return encode_prompt(
            self._tokenizer,
            example.captions,
            question,
            tokens_per_frame=config.tokens_per_frame,
            image_token_id=config.image_token_id,
            style=STYLES[config.prompt_style],
            max_tokens=self._max_context,
        )

    def _features(self, example: Example, prompt: EncodedPrompt) -> Tensor:
        """Return ``(frames, tokens_per_frame, pooled_dim)`` of the frames in the prompt."""
        clip, config = example.clip, self._model.config
        if clip.features is not None:
            return clip.features[list(prompt.frames)].float()
        frames = [clip.frames[i] for i in prompt.frames]
        pixels = preprocess_frames(frames, config.image_size, config.image_mean, config.image_std)
        return self._model.encode_frames(pixels, chunk=self._chunk)
