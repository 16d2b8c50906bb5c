"""Pre-train minnow's vision encoder, the stand-in for EVA-CLIP, on single frames of Shapes World.

It learns what lies under each patch, and that any quarter of a frame's tokens tells the whole
frame's objects with place and size by a linear map, which is all that a projector can read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # the name torch's own documentation uses
from torch.utils.data import DataLoader, IterableDataset

from goldfish_cli.data.shapes.render import Painter, compress, sample_look
from goldfish_cli.data.shapes.world import COLOURS, SHAPES, sample_clip
from goldfish_cli.training.minnow.optimizer import Optimizer

KINDS = len(COLOURS) * len(SHAPES)
"""Every colour with every shape: 30 things that a frame may hold."""
CODE_SIZE = 4 * KINDS
"""For each kind: presence, then x, y and height where it is present, else zeros."""
FRAMES_PER_CLIP = 4
CELLS = 4
"""A patch's silhouette is asked for in ``CELLS`` by ``CELLS`` cells."""
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Frames:
    """A batch of frames and what they show.

    ``pixels`` is ``(batch, 3, size, size)`` uint8; ``kinds (batch, patches)`` holds 0 for nothing,
    k + 1 for kind k, ``IGNORED`` for a sliver; ``codes (batch, CODE_SIZE)``; ``cells (batch,
    patches, CELLS * CELLS)`` is how far anything covers each cell, from 0 to 1.
    """

    pixels: Tensor
    kinds: Tensor
    codes: Tensor
    cells: Tensor


class FrameStream(IterableDataset[Frames]):
    """Endless batches of frames, a few moments of each clip."""

    def __init__(self, seed: int, *, size: int, patch: int, batch_size: int) -> None:
        self.seed, self.size, self.patch, self.batch_size = seed, size, patch, batch_size

    def __iter__(self) -> Iterator[Frames]:
        """Draw batch after batch."""
        rng = np.random.default_rng([self.seed, 1])
        while True:
            rows = [
                row for _ in range(self.batch_size // FRAMES_PER_CLIP) for row in self._clip(rng)
            ]
            yield Frames(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))

    def _clip(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
        clip = sample_clip(rng, narration=0.0)
        painter = Painter(clip, sample_look(rng, clip), self.size, self.size, rng)
        quality = int(rng.integers(25, 95)) if rng.random() < 0.4 else None
        kinds = np.array([kind_of(event.colour, event.shape) + 1 for event in clip.events])
        for moment in rng.uniform(0, clip.duration, FRAMES_PER_CLIP):
            picture = painter.frame(moment)
            if quality is not None:
                picture = compress(picture, quality)
            cells = self._cells(painter.coverage(moment))  # (events, patches, cells of a patch)
            shares = cells.mean(2)
            share = shares.max(0)
            under = kinds[shares.argmax(0)]
            labels = np.where(share >= 0.15, under, np.where(share > 0.01, IGNORED, 0))
            code = frame_code(clip.events, moment).numpy()
            yield picture.transpose(2, 0, 1), labels.astype(np.int64), code, cells.sum(0)

    def _cells(self, masks: np.ndarray) -> np.ndarray:
        """Mean coverage ``(events, size, size)`` to ``(events, patches, CELLS * CELLS)``."""
        grid, cell = self.size // self.patch, self.patch // CELLS
        parts = masks.reshape(len(masks), grid, CELLS, cell, grid, CELLS, cell).mean((3, 6))
        return parts.transpose(0, 1, 3, 2, 4).reshape(len(masks), grid * grid, CELLS * CELLS)


def kind_of(colour: str, shape: str) -> int:
    """The number of a colour and shape among the 30 kinds."""
    return COLOURS.index(colour) * len(SHAPES) + SHAPES.index(shape)


def frame_code(events: tuple, moment: float) -> Tensor:  # type: ignore[type-arg]
    """The frame's ground truth as one vector ``(CODE_SIZE,)``."""
    code = torch.zeros(KINDS, 4)
    for event in events:
        state = event.state(moment)
        if state is not None:
            kind = kind_of(event.colour, event.shape)
            code[kind] = torch.tensor([1.0, 2 * state.x - 1, 2 * state.y - 1, 4 * state.size - 1])
    return code.flatten()


class Heads(nn.Module):
    """The linear questions put to the encoder's tokens during pre-training, thrown away after."""

    def __init__(self, width: int, group: int) -> None:
        super().__init__()
        self.group = group
        self.kind = nn.Linear(width, KINDS + 1)
        self.colour = nn.Linear(width, len(COLOURS) + 1)
        self.shape = nn.Linear(width, len(SHAPES) + 1)
        self.cells = nn.Linear(width, CELLS * CELLS)
        self.code = nn.Linear(width * group, CODE_SIZE)

    def codes(self, tokens: Tensor) -> Tensor:
        """Map ``(batch, patches, width)`` to codes ``(batch, groups, CODE_SIZE)``."""
        return self.code(tokens.unflatten(1, (-1, self.group)).flatten(2))

    def loss(self, tokens: Tensor, frames: Frames) -> tuple[Tensor, dict[str, float]]:
        """How wrong ``tokens (batch, patches, width)`` are, and how often they are right.

        Colour and shape are also asked for apart: what a star is need not be learnt six times.
        """
        kinds = frames.kinds
        some = kinds > 0
        colours = torch.where(some, (kinds - 1) // len(SHAPES) + 1, kinds)
        shapes = torch.where(some, (kinds - 1) % len(SHAPES) + 1, kinds)
        kind_logits = self.kind(tokens).float()
        codes = self.codes(tokens).float()
        loss = (
            _patch_loss(kind_logits, kinds)
            + _patch_loss(self.colour(tokens), colours)
            + _patch_loss(self.shape(tokens), shapes)
            + 4 * F.binary_cross_entropy_with_logits(self.cells(tokens).float(), frames.cells)
            + (codes - frames.codes[:, None]).square().sum(-1).mean()
        )
        return loss, _accuracy(kind_logits, codes, frames)


def _patch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy under each patch; nine in ten show nothing and weigh little."""
    weights = torch.ones(logits.shape[-1])
    weights[0] = 0.1
    return F.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), weights, ignore_index=IGNORED
    )


@torch.no_grad()
def _accuracy(kind_logits: Tensor, codes: Tensor, frames: Frames) -> dict[str, float]:
    """How often object patches, and whole frames' lists of objects, are right; error of place."""
    objects = frames.kinds > 0
    patches = (kind_logits.argmax(-1) == frames.kinds)[objects].float().mean().item()
    truth = frames.codes.unflatten(1, (KINDS, 4))
    guess = codes.mean(1).unflatten(1, (KINDS, 4))
    seen = truth[..., 0] > 0.5
    lists = ((guess[..., 0] > 0.5) == seen).all(1)[seen.any(1)].float().mean().item()
    place = (guess - truth)[..., 1:3][seen].abs().mean().item() / 2
    return {"patches": patches, "frames": lists, "place_error": place}


def pretrain_encoder(
    encoder: nn.Module,
    *,
    seed: int,
    steps: int,
    size: int,
    patch: int,
    width: int,
    group: int,
    mean: Tensor,
    std: Tensor,
    learning_rate: float = 2e-3,
    batch_size: int = 32,
    report: Callable[[dict[str, float]], None],
) -> None:
    """Train ``encoder`` (pixels to tokens) in place."""
    heads = Heads(width, group)
    joint = nn.ModuleDict({"encoder": encoder, "heads": heads})
    optimizer = Optimizer(joint.named_parameters(), learning_rate=learning_rate)
    stream = FrameStream(seed, size=size, patch=patch, batch_size=batch_size)
    loader = iter(DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=8))
    began = time.monotonic()
    recent: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        frames = next(loader)
        with torch.autocast("cpu", torch.bfloat16):
            loss, right = heads.loss(encoder((frames.pixels / 255 - mean) / std), frames)
        optimizer.step(loss, step / steps)
        recent.append({"loss": loss.item(), **right})
        if step % 50 == 0:
            means = {key: float(np.nanmean([r[key] for r in recent])) for key in recent[0]}
            report({"step": step, "seconds": time.monotonic() - began, **means})
            recent.clear()
