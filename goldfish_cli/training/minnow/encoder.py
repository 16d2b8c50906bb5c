"""Pre-train minnow's vision encoder, the stand-in for EVA-CLIP, on single frames of Shapes World.

It learns what lies under each patch, and that the tokens of a frame together tell its objects with
place and size by a linear map, which is all that a projector can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # the name torch's own documentation uses
from torch.utils.data import DataLoader, IterableDataset

from goldfish_cli.data.shapes.render import Painter, compress, sample_look
from goldfish_cli.data.shapes.world import COLOURS, SHAPES, sample_clip
from goldfish_cli.training.minnow.contents import (
    FRAME_NUMBERS,
    IGNORED,
    KINDS,
    TRAITS,
    frame_numbers,
    kind_of,
    split_objects,
    visible,
)
from goldfish_cli.training.minnow.optimizer import Optimizer, Span
from goldfish_cli.training.minnow.storyboards import worker_number

FRAMES_PER_CLIP = 4
CELLS = 4
"""A patch's silhouette is asked for in ``CELLS`` by ``CELLS`` cells."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A batch of frames and what they show.

    ``pixels`` is ``(batch, 3, size, size)`` uint8; ``kinds (batch, patches)`` holds 0 for nothing,
    k + 1 for kind k, ``IGNORED`` for a sliver; ``numbers (batch, FRAME_NUMBERS)``; ``cells
    (batch, patches, CELLS * CELLS)`` is how far anything covers each cell, from 0 to 1.
    """

    pixels: Tensor
    kinds: Tensor
    numbers: Tensor
    cells: Tensor

    def to(self, device: torch.device) -> Frames:
        """The same batch on ``device``."""
        parts = (self.pixels, self.kinds, self.numbers, self.cells)
        return Frames(*(part.to(device, non_blocking=True) for part in parts))


class FrameStream(IterableDataset[Frames]):
    """Endless batches of frames, a few moments of each clip."""

    def __init__(self, seed: int, *, size: int, patch: int, batch_size: int) -> None:
        self.seed, self.size, self.patch, self.batch_size = seed, size, patch, batch_size

    def __iter__(self) -> Iterator[Frames]:
        """Draw batch after batch."""
        rng = np.random.default_rng([self.seed, 1, worker_number()])
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
            objects = [(kind_of(e.colour, e.shape), s) for e, s in visible(clip.events, moment)]
            numbers = frame_numbers(objects).numpy()
            yield picture.transpose(2, 0, 1), labels.astype(np.int64), numbers, cells.sum(0)

    def _cells(self, masks: np.ndarray) -> np.ndarray:
        """Mean coverage ``(events, size, size)`` to ``(events, patches, CELLS * CELLS)``."""
        grid, cell = self.size // self.patch, self.patch // CELLS
        parts = masks.reshape(len(masks), grid, CELLS, cell, grid, CELLS, cell).mean((3, 6))
        return parts.transpose(0, 1, 3, 2, 4).reshape(len(masks), grid * grid, CELLS * CELLS)


class Heads(nn.Module):
    """The linear questions put to the encoder's tokens during pre-training, thrown away after."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.kind = nn.Linear(width, KINDS + 1)
        self.colour = nn.Linear(width, len(COLOURS) + 1)
        self.shape = nn.Linear(width, len(SHAPES) + 1)
        self.cells = nn.Linear(width, CELLS * CELLS)
        self.numbers = nn.Linear(width * patches, FRAME_NUMBERS)

    def loss(self, tokens: Tensor, frames: Frames) -> tuple[Tensor, dict[str, float]]:
        """How wrong ``tokens (batch, patches, width)`` are, and how often they are right.

        Colour and shape are also asked for apart: what a star is need not be learnt six times.
        """
        kinds = frames.kinds
        some = kinds > 0
        colours = torch.where(some, (kinds - 1) // len(SHAPES) + 1, kinds)
        shapes = torch.where(some, (kinds - 1) % len(SHAPES) + 1, kinds)
        kind_logits = self.kind(tokens).float()
        numbers = self.numbers(tokens.flatten(1)).float()
        loss = (
            _patch_loss(kind_logits, kinds)
            + _patch_loss(self.colour(tokens), colours)
            + _patch_loss(self.shape(tokens), shapes)
            + 4 * F.binary_cross_entropy_with_logits(self.cells(tokens).float(), frames.cells)
            + _numbers_loss(numbers, frames.numbers)
        )
        return loss, _accuracy(kind_logits, numbers, frames)


def _patch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy under each patch; nine in ten show nothing and weigh little."""
    weights = torch.ones(logits.shape[-1], device=logits.device)
    weights[0] = 0.1
    return F.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), weights, ignore_index=IGNORED
    )


def _numbers_loss(guess: Tensor, truth: Tensor) -> Tensor:
    """Squared error of flags and traits; of places, where there is an object, nearer to absolute.

    An eighth of an object's way is still motion to the language model, so places weigh much.
    """
    some = truth[:, 0] > 0
    flags = (guess[:, :2] - truth[:, :2]).square().sum(1).mean()
    ours, theirs = split_objects(guess), split_objects(truth)
    traits = (ours[..., :TRAITS] - theirs[..., :TRAITS]).square().sum((1, 2)).mean()
    places = F.smooth_l1_loss(ours[some][..., TRAITS:], theirs[some][..., TRAITS:], beta=0.05)
    return flags + traits + 6 * places


@torch.no_grad()
def _accuracy(kind_logits: Tensor, numbers: Tensor, frames: Frames) -> dict[str, float]:
    """How often object patches and whole frames' objects are right; mean error of place, size."""
    objects = frames.kinds > 0
    patches = (kind_logits.argmax(-1) == frames.kinds)[objects].float().mean().item()
    some = frames.numbers[:, 0] > 0
    guess, truth = split_objects(numbers[some]), split_objects(frames.numbers[some])
    colours, shapes = slice(0, len(COLOURS)), slice(len(COLOURS), TRAITS)
    same = [
        (guess[..., part].argmax(-1) == truth[..., part].argmax(-1)).all(1)
        for part in (colours, shapes)
    ]
    error = (guess - truth)[..., TRAITS:].abs().mean((0, 1)).cpu() / torch.tensor([2.0, 2.0, 4.0])
    return {
        "patches": patches,
        "frames": (same[0] & same[1]).float().mean().item(),
        "place_error": error[:2].mean().item(),
        "size_error": error[2].item(),
    }


def pretrain_encoder(
    encoder: nn.Module,
    *,
    seed: int,
    span: Span,
    size: int,
    patch: int,
    width: int,
    mean: Tensor,
    std: Tensor,
    device: torch.device,
    workers: int = 1,
    learning_rate: float,
    batch_size: int = 32,
    report: Callable[[dict[str, float]], None],
) -> None:
    """Train ``encoder`` (pixels to tokens) in place, on ``device``."""
    heads = Heads(width, (size // patch) ** 2)
    joint = nn.ModuleDict({"encoder": encoder, "heads": heads}).to(device)
    mean, std = mean.to(device), std.to(device)
    optimizer = Optimizer(joint.named_parameters(), learning_rate=learning_rate)
    stream = FrameStream(seed, size=size, patch=patch, batch_size=batch_size)
    loader = iter(DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4))
    recent: list[dict[str, float]] = []
    step, share = 0, 0.0
    while share < 1.0:
        step, share = step + 1, span.share(step + 1)
        frames = next(loader).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            loss, right = heads.loss(encoder((frames.pixels / 255 - mean) / std), frames)
        optimizer.step(loss, share)
        recent.append({"loss": loss.item(), **right})
        if step % 50 == 0 or share == 1.0:
            means = {key: float(np.nanmean([r[key] for r in recent])) for key in recent[0]}
            report({"step": step, "seconds": span.elapsed(), **means})
            recent.clear()
