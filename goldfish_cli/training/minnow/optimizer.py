"""The optimizer of pre-training: Muon on hidden matrices, AdamW on the rest, one warm cosine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Span:
    """How long a pre-training lasts: so many steps, or less where the machine is lent for less."""

    steps: int
    seconds: float | None = None
    """No longer than this; the learning rate has fallen to its end by then. ``None``: no limit."""
    began: float = field(default_factory=time.monotonic)

    def share(self, step: int) -> float:
        """How much of it has gone by when ``step`` begins, from 0 to 1."""
        gone = step / self.steps
        if self.seconds is not None:
            gone = max(gone, (time.monotonic() - self.began) / self.seconds)
        return min(1.0, gone)

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began


class Optimizer:
    """Muon (https://kellerjordan.github.io/posts/muon) beside AdamW, by the share of time gone by.

    Args:
        named_parameters: All that trains. Matrices inside the blocks go to Muon; embeddings,
            heads, norms and biases to AdamW.
        learning_rate: The peak, in AdamW's scale for both.
        warmup: Steps of linear warm-up.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        learning_rate: float,
        weight_decay: float = 0.03,
        warmup: int = 200,
    ) -> None:
        matrices: list[nn.Parameter] = []
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in named_parameters:
            if parameter.ndim == 2 and "layers." in name:
                matrices.append(parameter)
            else:
                (decayed if parameter.ndim >= 2 else plain).append(parameter)
        self.parameters = [*matrices, *decayed, *plain]
        self.learning_rate, self.warmup, self.step_count = learning_rate, warmup, 0
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(
                [
                    {"params": decayed, "weight_decay": weight_decay},
                    {"params": plain, "weight_decay": 0.0},
                ],
                betas=(0.9, 0.98),
            ),
        ]

    def step(self, loss: torch.Tensor, share: float) -> None:
        """Update after ``loss``; ``share`` of the whole training (0 to 1) has gone by."""
        warm = min(1.0, (self.step_count + 1) / self.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        rate = self.learning_rate * warm * (0.02 + 0.98 * cosine)
        for optimizer in self._optimizers:
            for options in optimizer.param_groups:
                options["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self.step_count += 1
