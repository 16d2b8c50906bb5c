"""Ask a text model on this machine, through Transformers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jinja2.exceptions import TemplateError
from transformers.generation.configuration_utils import GenerationConfig
from transformers.models.auto.tokenization_auto import AutoTokenizer

from goldfish_cli.backends.generation import end_tokens
from goldfish_cli.errors import ModelError, OutOfMemoryError
from goldfish_cli.evaluation.judges.chat import ChatReply, Message, NoReplyError
from goldfish_cli.model.bases import Placement, find_base, is_goldfish, load_language_model
from goldfish_cli.model.devices import choose_device, choose_dtype
from goldfish_cli.model.fingerprints import fingerprint_of, weight_files
from goldfish_cli.profiles import Profile

MAX_NEW_TOKENS = 256


class LocalChat:
    """A causal language model with its tokenizer; greedy, so the same reply every time.

    Requests from several threads wait for each other: one model computes one reply at a time.

    Args:
        name: As it was asked for.
        model: In evaluation mode.
        tokenizer: With a chat template, else the texts are put one after another.
        max_new_tokens: Longest reply.
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self, name: str, model: Any, tokenizer: Any, *, max_new_tokens: int = MAX_NEW_TOKENS
    ) -> None:
        self.name = f"{name} {fingerprint_of(model)[:12]}"
        self.settings: dict[str, float | int | str] = {
            "temperature": 0,
            "max_new_tokens": max_new_tokens,
            "dtype": str(model.dtype),
        }
        self._model = model
        self._tokenizer = tokenizer
        self._max_new_tokens = max_new_tokens
        self._end_tokens = end_tokens(tokenizer, model)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str, profile: Profile, *, offline: bool = False) -> LocalChat:
        """Load a folder, or a model of the Hugging Face hub; its code is never run.

        Raises:
            ModelError: If it is not here and cannot be fetched, or is no text model.
            CheckpointError: If weights are missing.
            ProfileError: If the machine does not have what the profile asks for.
        """
        folder = find_base(name, "language_model", offline=offline)
        if not folder.is_dir() or is_goldfish(folder):
            raise ModelError(
                f"{name} is no text model of Transformers.",
                hint="A judge is 'offline', openai:MODEL@URL, or a causal language model",
            )
        device = choose_device(profile)
        size = sum(file.stat().st_size for file in weight_files(folder))
        placement = Placement(device, choose_dtype(profile, device, size), profile.quantization)
        tokenizer = _load_tokenizer(name, folder)
        return cls(name, load_language_model(folder, placement).eval(), tokenizer)

    def ask(self, messages: Sequence[Message]) -> ChatReply:
        """Generate a reply.

        Raises:
            NoReplyError: If the prompt is too long for the model.
            OutOfMemoryError: If the machine has too little memory for it.
        """
        with self._lock:
            inputs = self._inputs(messages)
            num_prompt = inputs["input_ids"].shape[1]
            room = getattr(self._model.config, "max_position_embeddings", None)
            if room and num_prompt + self._max_new_tokens > room:
                raise NoReplyError(
                    f"The prompt of {num_prompt} tokens and a reply do not fit the judge's {room}."
                )
            reply = self._generate(inputs)[num_prompt:]
        text = self._tokenizer.decode(reply, skip_special_tokens=True)
        return ChatReply(text, num_prompt, len(reply))

    def _generate(self, inputs: Any) -> list[int]:
        config = GenerationConfig(
            max_new_tokens=self._max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(self._end_tokens) or None,
            pad_token_id=min(self._end_tokens, default=0),
        )
        try:
            with torch.inference_mode():
                return self._model.generate(**inputs, generation_config=config)[0].tolist()
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(
                f"There is too little memory for the judge {self.name}.",
                hint="Use a smaller judge, or a profile with --quantization nf4",
            ) from error

    def _inputs(self, messages: Sequence[Message]) -> Any:
        turns = [{"role": turn["role"], "content": _whole(turn["content"])} for turn in messages]
        if not self._tokenizer.chat_template:
            plain = "\n\n".join(turn["content"] for turn in turns) + "\n\n"
            inputs = self._tokenizer(plain, return_tensors="pt", split_special_tokens=True)
            return inputs.to(self._model.device)
        try:
            inputs = self._with_template(turns)
        except TemplateError:  # some templates know no system turn
            inputs = self._with_template(_without_system(turns))
        return inputs.to(self._model.device)

    def _with_template(self, turns: list[dict[str, str]]) -> Any:
        return self._tokenizer.apply_chat_template(
            turns,
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            sanitize_control_tokens=True,  # an answer cannot pose as a turn
            enable_thinking=False,  # of models that can; greedy thoughts run in circles
        )


def _load_tokenizer(name: str, folder: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"The tokenizer of {name} cannot be loaded: {reason}",
            hint="A judge is a whole folder: weights, config and tokenizer",
        ) from error


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Put what the system is told before what the user says."""
    told = [turn["content"] for turn in turns if turn["role"] == "system"]
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    rest[0]["content"] = "\n\n".join([*told, rest[0]["content"]])
    return rest


def _whole(text: str) -> str:
    """Replace halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
