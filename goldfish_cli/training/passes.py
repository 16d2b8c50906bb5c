"""Batches in pieces: what to do when one does not fit the memory. Exact but for rounding."""

import gc
from collections.abc import Iterator
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor

from goldfish_cli.model.prompts import IGNORED_LABEL

_BY_FRAME = ("pixel_values", "image_features")  # rows of all samples, one frame after the other


def pieces(
    batch: dict[str, Any], rows: int, *, image_token_id: int, tokens_per_frame: int
) -> Iterator[tuple[range, dict[str, Any]]]:
    """Cut a batch into pieces of few rows, and leave out those with nothing to learn.

    Args:
        batch: As the collator makes it; every tensor has a row a sample, or one a frame.
        rows: Samples in a piece.
        image_token_id: Stands for a visual token in ``input_ids``.
        tokens_per_frame: Visual tokens of one frame.

    Yields:
        The rows of the batch that a piece holds, and the piece.
    """
    ids = batch["input_ids"]
    if rows >= len(ids):
        yield range(len(ids)), batch
        return
    frames = (ids == image_token_id).sum(1) // tokens_per_frame
    ends = [0, *frames.cumsum(0).tolist()]
    for first in range(0, len(ids), rows):
        chosen = range(first, min(first + rows, len(ids)))
        if not (batch["labels"][first : chosen.stop] != IGNORED_LABEL).any():
            continue
        piece: dict[str, Any] = {}
        for name, value in batch.items():
            bounds = (first, chosen.stop)
            if name in _BY_FRAME:
                bounds = (ends[first], ends[chosen.stop])
            piece[name] = value[slice(*bounds)] if isinstance(value, Tensor) else value
        yield chosen, piece


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that a device or the machine ran out of memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, Exception) and should_reduce_batch_size(error)
    )


def free_memory() -> None:
    """Give back what a failed pass has left behind."""
    gc.collect()
    clear_device_cache()
