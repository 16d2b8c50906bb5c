"""Pre-train minnow's language model, the stand-in for Llama-2-Chat, on storyboards.

A storyboard is a clip without pixels: what the encoder would say lies under each patch of each
frame, put among the words by a linear map that is thrown away afterwards. So the language model
has met long sequences of picture-like tokens before any projector is trained, as large models have
met everything; and no two storyboards are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # the name torch's own documentation uses
from torch.utils.data import DataLoader

from goldfish_cli.data.shapes.world import ACTIONS, COLOURS, SHAPES
from goldfish_cli.training.minnow.encoder import IGNORED, KINDS
from goldfish_cli.training.minnow.optimizer import Optimizer
from goldfish_cli.training.minnow.storyboards import Storyboards, StoryboardStream


class Board(nn.Module):
    """Puts a frame's maps among the words as its visual tokens; thrown away after pre-training.

    Half way up the language model it also asks each frame's last token what each object is doing:
    told so directly, the model learns to compare frames many times sooner.
    """

    def __init__(self, tokens_per_frame: int, width: int, grid: int) -> None:
        super().__init__()
        self.tokens_per_frame = tokens_per_frame
        # a kind is its colour and its shape: what holds for one circle holds for all
        traits = torch.zeros(KINDS, len(COLOURS) + len(SHAPES))
        numbers = torch.arange(KINDS)
        traits[numbers, numbers // len(SHAPES)] = 1
        traits[numbers, len(COLOURS) + numbers % len(SHAPES)] = 1
        scale = 0.35
        self.what = nn.Parameter(traits @ (scale * torch.randn(traits.shape[1], width)))
        self.where = nn.Parameter(_places(grid, scale * torch.randn(2, width)))
        # each kind's places along axes of its own, so that two objects in a frame do not blend
        axes = traits @ (scale * torch.randn(traits.shape[1], 2 * width))
        own = [_places(grid, pair.unflatten(0, (2, -1))) for pair in axes]
        self.both = nn.Parameter(torch.stack(own, 1))
        self.norm = nn.RMSNorm(width)
        self.by_kind = nn.Embedding(KINDS, width)
        self.actions = nn.Linear(width, len(ACTIONS))
        self.by_action = nn.Embedding(len(ACTIONS), width)
        self.kinds = nn.Linear(width, KINDS)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(frames, patches, KINDS)`` to ``(frames * tokens_per_frame, width)``.

        Linear in each patch, as a projector is: what there is, where something is, and the
        two together.
        """
        groups = maps.unflatten(1, (self.tokens_per_frame, -1))
        where = self.where.unflatten(0, (self.tokens_per_frame, -1))
        both = self.both.unflatten(0, (self.tokens_per_frame, -1))
        tokens = groups.sum(2) @ self.what + torch.einsum("fgsk,gskw->fgw", groups, both)
        tokens = tokens + torch.einsum("fgs,gsw->fgw", groups.sum(3), where)
        return 0.5 * tokens.flatten(0, 1)

    def action_loss(self, visual_hidden: Tensor, actions: Tensor) -> Tensor:
        """Cross-entropy of actions given kinds and back, ``(frames * tokens_per_frame, width)``."""
        last = self.norm(visual_hidden.unflatten(0, (-1, self.tokens_per_frame))[:, -1])
        frame, place = (actions[..., 0] != IGNORED).nonzero(as_tuple=True)
        kinds, doing = actions[frame, place].unbind(1)
        of_kind = self.actions(last[frame] * (1 + self.by_kind(kinds)))
        of_action = self.kinds(last[frame] * (1 + self.by_action(doing)))
        return F.cross_entropy(of_kind.float(), doing) + F.cross_entropy(of_action.float(), kinds)


def _places(grid: int, axes: Tensor) -> Tensor:
    """An embedding for each patch, ``(grid * grid, width)``: its column and row along two axes."""
    steps = torch.linspace(-1, 1, grid)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    return columns.flatten()[:, None] * axes[0] + rows.flatten()[:, None] * axes[1]


def storyboard_logits(
    language_model: Any, board: Board, batch: Storyboards, image_token_id: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits ``(labels, vocabulary)`` that predict answers, their ids, the action loss."""
    is_image = batch.ids == image_token_id
    embeddings = language_model.get_input_embeddings()(batch.ids.masked_fill(is_image, 0))
    visual = board(batch.maps).to(embeddings.dtype)
    embeddings = embeddings.masked_scatter(is_image[..., None], visual)
    states = language_model.model(
        inputs_embeds=embeddings,
        attention_mask=batch.attention(embeddings.dtype),
        position_ids=batch.positions,
        use_cache=False,
        output_hidden_states=True,
    ).hidden_states
    half_way = states[len(states) // 2]
    action_loss = board.action_loss(half_way[is_image], batch.actions)
    targets = batch.labels[:, 1:]
    wanted = targets != IGNORED
    return language_model.lm_head(states[-1][:, :-1][wanted]), targets[wanted], action_loss


def pretrain_language_model(
    language_model: Any,
    tokenizer: Any,
    *,
    seed: int,
    steps: int,
    num_frames: int,
    tokens_per_frame: int,
    grid: int = 8,
    learning_rate: float = 2e-3,
    batch_size: int = 8,
    questions: int = 8,
    board: Board | None = None,
    report: Callable[[dict[str, float]], None],
) -> Board:
    """Train ``language_model`` in place; return the storyboards' map."""
    width = language_model.config.hidden_size
    board = board or Board(tokens_per_frame, width, grid)
    joint = nn.ModuleDict({"language_model": language_model, "board": board})
    optimizer = Optimizer(joint.named_parameters(), learning_rate=learning_rate)
    stream = StoryboardStream(
        tokenizer,
        seed,
        num_frames=num_frames,
        tokens_per_frame=tokens_per_frame,
        batch_size=batch_size,
        questions=questions,
        grid=grid,
    )
    loader = iter(DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=8))
    began = time.monotonic()
    losses: list[tuple[float, float]] = []
    right: dict[str, list[bool]] = {}
    for step in range(1, steps + 1):
        batch = next(loader)
        with torch.autocast("cpu", torch.bfloat16):
            logits, targets, action_loss = storyboard_logits(
                language_model, board, batch, stream.image_token_id
            )
        loss = F.cross_entropy(logits.float(), targets)
        optimizer.step(loss + action_loss, step / steps)
        losses.append((loss.item(), action_loss.item()))
        for family, answers in answers_right(logits, batch).items():
            right.setdefault(family, []).extend(answers)
        if step % 50 == 0:
            report(
                {
                    "step": step,
                    "seconds": time.monotonic() - began,
                    "loss": float(np.mean([one for one, _ in losses])),
                    "action_loss": float(np.mean([one for _, one in losses])),
                    "answers_right": float(np.mean([one for row in right.values() for one in row])),
                    **{family: float(np.mean(answers)) for family, answers in right.items()},
                }
            )
            losses.clear()
            right.clear()
    return board


@torch.no_grad()
def answers_right(logits: Tensor, batch: Storyboards) -> dict[str, list[bool]]:
    """By family, whether all of an answer's tokens are the likeliest, as greedy decoding takes."""
    wanted = batch.labels[:, 1:] != IGNORED
    wrong = logits.argmax(-1) != batch.labels[:, 1:][wanted]
    rows, _ = wanted.nonzero(as_tuple=True)
    answers = torch.stack([rows, batch.segments[:, 1:][wanted]], 1)
    mistaken = {tuple(pair) for pair in answers[wrong].tolist()}
    right: dict[str, list[bool]] = {}
    for row, families in enumerate(batch.families):
        for number, family in enumerate(families, start=1):
            right.setdefault(family, []).append((row, number) not in mistaken)
    return right
