"""The loss over the tokens of answers, without the logits of all of them in memory at once."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

LOSS_ROWS = 128
"""Rows whose logits exist at one time; of 32,000 pieces they take 57 MB with their gradient."""


def answer_loss(
    hidden: Tensor, head: Callable[[Tensor], Tensor], targets: Tensor, *, rows: int = LOSS_ROWS
) -> Tensor:
    """Sum the cross-entropy of ``targets``, a few rows of logits at a time.

    The backward pass makes each group's logits again: that repeats one product with the head, and
    saves the float32 logits and their gradient of all other rows.

    Args:
        hidden: Last hidden states at the positions that predict a label, ``(labels, text_dim)``.
        head: Maps them to logits.
        targets: ``(labels,)`` token ids.
        rows: Rows of logits at one time.

    Returns:
        A float32 scalar.
    """

    def part(states: Tensor, wanted: Tensor) -> Tensor:
        return functional.cross_entropy(head(states).float(), wanted, reduction="sum")

    if len(targets) <= rows or not torch.is_grad_enabled():
        pairs = zip(hidden.split(rows), targets.split(rows), strict=True)
        return torch.stack([part(*pair) for pair in pairs]).sum()
    sums = [
        checkpoint(part, states, wanted, use_reentrant=False)
        for states, wanted in zip(hidden.split(rows), targets.split(rows), strict=True)
    ]
    return torch.stack(sums).sum()
