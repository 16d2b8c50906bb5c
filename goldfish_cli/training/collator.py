"""Turn examples into one batch of tensors, by the same prompts and pixels as answering does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from goldfish_cli.data.dataset import Example, Rejected
from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.prompt_styles import STYLES
from goldfish_cli.model.prompts import IGNORED_LABEL, EncodedPrompt, encode_prompt
from goldfish_cli.training.packing import share_rows

MASKED_ATTENTION = ("sdpa", "eager")
"""Implementations that obey a mask of their own for each pair of tokens."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence of a batch: the frames, then one dialogue or several side by side."""

    ids: list[int]
    labels: list[int]
    positions: list[int]
    blocks: list[int]  # 0: what all dialogues see; else the number of the dialogue
    frames: tuple[int, ...]


Line = list[Row]
"""Samples that share one row of a batch, one after the other; a single one if nothing is packed."""


class Collator:
    """Makes batches that are as long as their own longest sample.

    Args:
        tokenizer: Of the language model.
        config: Of the model.
        max_context_tokens: Longest prompt, visual tokens included; frames and captions are thinned
            out to fit, the question stays whole.
        max_text_tokens: Longest answer; longer ones are cut.
        packing: Lay several short samples into one row, none of which sees another. The samples of
            a batch stay the same, and so does what is learnt from them.
        length_multiple: Batches are padded further, to a multiple of so many tokens.
        dtype: Of stored features in the batch.
    """

    def __init__(
        self,
        tokenizer: Any,
        config: GoldfishConfig,
        *,
        max_context_tokens: int | None = None,
        max_text_tokens: int | None = None,
        packing: bool = False,
        length_multiple: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._max_context = max_context_tokens
        self._max_text = max_text_tokens
        self._packing = packing
        self._multiple = length_multiple
        self._dtype = dtype

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Collate examples, all with pixels or all with features.

        Returns:
            ``input_ids``, ``labels``, ``attention_mask`` and, with several dialogues or samples in
            a row, ``position_ids``; ``pixel_values`` or ``image_features``; and for the trainer
            ``num_tokens``, ``sample_ids`` (the names of a row's samples, a row) and ``rejected``.

        Raises:
            AnnotationError: If no example of the batch fits the context.
        """
        rejected = [item for example in examples for item in example.rejected]
        fitting: list[tuple[Example, Row]] = []
        for example in examples:
            try:
                fitting.append((example, self.row(example)))
            except UsageError as error:
                rejected.append(Rejected(example.id, str(error)))
        if not fitting:
            raise AnnotationError(
                f"No sample of a batch fits the context: {rejected[-1].reason}",
                hint="Raise max_context_tokens in the profile.",
            )
        lines = self._lay_out(fitting)
        in_order = [pair for line in lines for pair in line]
        batch: dict[str, Any] = pad_lines(
            [[row for _, row in line] for line in lines], multiple=self._multiple
        )
        batch |= self._visual(in_order)
        batch["num_tokens"] = sum(len(row.ids) for _, row in in_order)
        batch["sample_ids"] = tuple(", ".join(example.id for example, _ in line) for line in lines)
        batch["rejected"] = tuple(rejected)
        return batch

    def _lay_out(self, fitting: list[tuple[Example, Row]]) -> list[list[tuple[Example, Row]]]:
        """Give each sample a row, or with packing a share of one."""
        if not self._packing:
            return [[pair] for pair in fitting]
        lengths = [len(row.ids) for _, row in fitting]
        limit = max(lengths)  # where no limits are set
        if self._max_context is not None and self._max_text is not None:
            limit = self._max_context + self._max_text
        width = self._config.text_config.hidden_size
        shares = share_rows(lengths, limit, width=width)
        return [[fitting[number] for number in numbers] for numbers in shares]

    def row(self, example: Example) -> Row:
        """Write one example out as token ids.

        Raises:
            UsageError: If its question alone is longer than the context.
        """
        first, *others = (self._encode(example, dialogue) for dialogue in example.dialogues)
        if not others:
            length = len(first.ids)
            return Row(first.ids, first.labels, [*range(length)], [0] * length, first.frames)
        return _side_by_side([first, *others])

    def _encode(self, example: Example, dialogue: tuple[tuple[str, str], ...]) -> EncodedPrompt:
        return encode_prompt(
            self._tokenizer,
            example.captions,
            dialogue,
            tokens_per_frame=self._config.tokens_per_frame,
            image_token_id=self._config.image_token_id,
            style=STYLES[self._config.prompt_style],
            max_tokens=self._max_context,
            max_answer_tokens=self._max_text,
        )

    def _visual(self, fitting: Sequence[tuple[Example, Row]]) -> dict[str, Tensor]:
        if all(example.clip.features is not None for example, _ in fitting):
            return {"image_features": self._stack_features(fitting)}
        frames = [example.clip.frames[i] for example, row in fitting for i in row.frames]
        config = self._config
        return {
            "pixel_values": preprocess_frames(
                frames, config.image_size, config.image_mean, config.image_std
            )
        }

    def _stack_features(self, fitting: Sequence[tuple[Example, Row]]) -> Tensor:
        """Join mapped features into ``(frames, tokens, dim)``: one copy, converted on the way."""
        total = sum(len(row.frames) for _, row in fitting)
        shape = (total, self._config.tokens_per_frame, self._config.pooled_dim)
        joined = torch.empty(shape, dtype=self._dtype)
        filled = 0
        for example, row in fitting:
            features = example.clip.features
            assert features is not None  # _visual saw to it
            if len(row.frames) < len(features):
                features = features[list(row.frames)]
            joined[filled : filled + len(features)].copy_(features)
            filled += len(features)
        return joined


def fit_mask(mask: Tensor, attention: str, dtype: torch.dtype) -> Tensor:
    """Put a mask into the form that an implementation of attention takes.

    ``eager`` adds the mask to the scores, so one of true and false would hide nothing, silently.

    Args:
        mask: ``(batch, length)``, or ``(batch, 1, length, length)`` bool of several dialogues.
        attention: Name of the implementation, as Transformers calls it.
        dtype: Of the scores.
    """
    if mask.dim() == 2 or attention != "eager":
        return mask
    hidden = torch.finfo(dtype).min
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, hidden)


def _side_by_side(prompts: Sequence[EncodedPrompt]) -> Row:
    """Put dialogues about the same frames behind one copy of the frames.

    They share what they begin with, and go on from the same position, as if each stood alone; the
    mask keeps them from seeing each other.
    """
    fewest = min((prompt.frames for prompt in prompts), key=len)
    shared = _shared_length(prompts)
    if any(prompt.frames != fewest for prompt in prompts):
        raise UsageError("Questions about one clip leave room for different frames of it.")
    row = Row([], [], [], [], fewest)
    row.ids.extend(prompts[0].ids[:shared])
    row.labels.extend([IGNORED_LABEL] * shared)
    row.positions.extend(range(shared))
    row.blocks.extend([0] * shared)
    for number, prompt in enumerate(prompts, start=1):
        row.ids.extend(prompt.ids[shared:])
        row.labels.extend(prompt.labels[shared:])
        row.positions.extend(range(shared, len(prompt.ids)))
        row.blocks.extend([number] * (len(prompt.ids) - shared))
    return row


def _shared_length(prompts: Sequence[EncodedPrompt]) -> int:
    """Count the ids that all prompts begin with, short of the one that predicts an answer.

    A token predicts the one behind it in its row: the last of a question has to stand in each
    dialogue, even where all ask the same.
    """
    shared = 0
    for ids, labels in zip(
        zip(*(prompt.ids for prompt in prompts), strict=False),
        zip(*(prompt.labels for prompt in prompts), strict=False),
        strict=False,
    ):
        if len(set(ids)) > 1 or any(label != IGNORED_LABEL for label in labels):
            break
        shared += 1
    answered = any(prompt.labels[shared] != IGNORED_LABEL for prompt in prompts)
    return shared - 1 if answered else shared


def length_multiple(device: str) -> int:
    """Return what the length of batches should be a multiple of on a device.

    On a processor oneDNN makes a kernel for each length it meets and keeps it: with lengths as they
    come a process grows by tens of MB a step (docs/performance.md).
    """
    return 32 if device == "cpu" else 1


def pad_lines(lines: Sequence[Line], *, multiple: int = 1) -> dict[str, Tensor]:
    """Pad on the right to the longest line, or a multiple above; padding is never a label."""
    longest = max(sum(len(row.ids) for row in line) for line in lines)
    longest += -longest % multiple
    shape = (len(lines), longest)
    ids = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED_LABEL)
    positions = torch.zeros(shape, dtype=torch.long)
    mask = torch.zeros(shape, dtype=torch.long)
    for number, line in enumerate(lines):
        begin = 0
        for row in line:
            end = begin + len(row.ids)
            ids[number, begin:end] = torch.tensor(row.ids)
            labels[number, begin:end] = torch.tensor(row.labels)
            positions[number, begin:end] = torch.tensor(row.positions)
            mask[number, begin:end] = 1
            begin = end
    batch = {"input_ids": ids, "labels": labels}
    if not any(len(line) > 1 or line[0].blocks[-1] for line in lines):
        return batch | {"attention_mask": mask}
    return batch | {"attention_mask": _block_mask(lines, longest), "position_ids": positions}


def _block_mask(lines: Sequence[Line], longest: int) -> Tensor:
    """Let each token see what is before it in its own sample: in its block and the shared one.

    Returns:
        ``(batch, 1, longest, longest)`` bool, true where a token may look.
    """
    blocks = torch.full((len(lines), longest), -1)
    samples = torch.full((len(lines), longest), -1)
    for number, line in enumerate(lines):
        begin = 0
        for place, row in enumerate(line):
            end = begin + len(row.blocks)
            blocks[number, begin:end] = torch.tensor(row.blocks)
            samples[number, begin:end] = place
            begin = end
    together = samples[:, :, None] == samples[:, None, :]
    own = blocks[:, :, None] == blocks[:, None, :]
    shared = (blocks == 0)[:, None, :]
    causal = torch.ones(longest, longest, dtype=torch.bool).tril()
    itself = torch.eye(longest, dtype=torch.bool)  # padding looks at itself: no row may be empty
    return ((together & (own | shared) & causal) | itself)[:, None]
