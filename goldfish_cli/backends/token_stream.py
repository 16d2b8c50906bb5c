"""Get the tokens of ``generate`` one by one, while it runs in a thread of its own."""

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import torch
from torch import Tensor
from transformers.generation.configuration_utils import GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from goldfish_cli.backends.generation import TokenChooser


def generated_tokens(
    model: Any,
    inputs: Any,
    chooser: TokenChooser,
    *,
    max_new_tokens: int,
    end_tokens: frozenset[int],
) -> Iterator[int]:
    """Yield new tokens as the model makes them, the closing one included.

    Closing the iterator stops the model after the token it is at.

    Args:
        model: Any generative model of Transformers.
        inputs: Of a single prompt; ``input_ids`` is ``(1, length)``.
        chooser: Chooses each token; the model's own sampling settings are not used.
        max_new_tokens: The most tokens.
        end_tokens: Those that end the answer.
    """
    tokens: SimpleQueue[int | BaseException | None] = SimpleQueue()
    stop = Event()
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(end_tokens),
        pad_token_id=min(end_tokens),
    )

    def run() -> None:
        try:
            model.generate(
                **inputs,
                generation_config=config,
                logits_processor=LogitsProcessorList(
                    [_Choice(chooser, inputs["input_ids"].shape[1])]
                ),
                stopping_criteria=StoppingCriteriaList([_Stop(stop)]),
                streamer=_Streamer(tokens),
            )
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            tokens.put(error)
        else:
            tokens.put(None)

    thread = Thread(target=run, name="generate", daemon=True)
    thread.start()
    try:
        while (item := tokens.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


class _Choice(LogitsProcessor):
    """Leaves ``generate`` only the token that was chosen."""

    def __init__(self, chooser: TokenChooser, prompt_length: int) -> None:
        self.chooser = chooser
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        token = self.chooser.choose(scores, input_ids[:, self.prompt_length :])
        only = torch.full_like(scores, -torch.inf)
        only[:, token] = 0
        return only


class _Stop(StoppingCriteria):
    """Ends generation when nobody listens any more."""

    def __init__(self, event: Event) -> None:
        self.event = event

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        return torch.full((len(input_ids),), self.event.is_set(), device=input_ids.device)


class _Streamer(BaseStreamer):
    """Passes tokens on; the first thing that ``generate`` gives is the prompt."""

    def __init__(self, tokens: "SimpleQueue[int | BaseException | None]") -> None:
        self.tokens = tokens
        self.prompt_seen = False

    def put(self, value: Tensor) -> None:
        if self.prompt_seen:
            self.tokens.put(int(value.flatten()[0]))
        self.prompt_seen = True

    def end(self) -> None:
        pass  # the thread says itself when it is done
