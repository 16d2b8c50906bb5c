"""Pre-train minnow's language model, the stand-in for Llama-2-Chat, on storyboards.

A storyboard is a clip without pixels: what the encoder would say each frame holds, put among the
words by a linear map that is thrown away afterwards. So the language model
has met long sequences of picture-like tokens before any projector is trained, as large models have
met everything; and no two storyboards are the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # the name torch's own documentation uses
from torch.utils.data import DataLoader

from goldfish_cli.data.shapes.world import ACTIONS
from goldfish_cli.training.minnow.contents import FRAME_NUMBERS, IGNORED
from goldfish_cli.training.minnow.optimizer import Optimizer, Span
from goldfish_cli.training.minnow.storyboards import Storyboards, StoryboardStream

CHANGE_SCALE = 4.0
"""From frame to frame places change by a twentieth of their range."""
LOOK_EVERY, REPORT_EVERY = 5, 50
"""Steps between two looks at the answers, and between two reports of them."""


class Board(nn.Module):
    """Puts what frames hold among the words as visual tokens; thrown away after pre-training.

    It also asks what a film teaches whoever watches: low in the language model, how each frame
    differs from the one before; half way up, what its objects are doing. Told so directly, the
    model learns to compare frames many times sooner.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokens = nn.Linear(FRAME_NUMBERS, width, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.3)
        self.changes = nn.Linear(width, FRAME_NUMBERS)
        self.norm = nn.RMSNorm(width)
        self.actions = nn.Linear(width, 2 * len(ACTIONS))

    def forward(self, numbers: Tensor) -> Tensor:
        """Map ``(frames, FRAME_NUMBERS)`` to ``(frames, width)``, linearly, as a projector does."""
        return self.tokens(numbers)

    def change_loss(self, hidden: Tensor, numbers: Tensor, follows: Tensor) -> Tensor:
        """Squared error of each frame's difference to the one before, from ``(frames, width)``.

        ``follows (frames,)`` is false for the first frame of a clip.
        """
        changes = CHANGE_SCALE * (numbers[1:] - numbers[:-1])
        error = (self.changes(hidden)[1:].float() - changes).square().mean(-1)
        return error[follows[1:]].mean()

    def action_loss(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """Cross-entropy of each frame's two actions, from ``(frames, width)``."""
        logits = self.actions(self.norm(hidden)).unflatten(-1, (2, -1))
        return F.cross_entropy(logits.flatten(0, 1).float(), actions.flatten())


def storyboard_logits(
    language_model: Any, board: Board, batch: Storyboards, image_token_id: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits ``(labels, vocabulary)`` that predict answers, their ids, the action loss."""
    is_image = batch.ids == image_token_id
    embeddings = language_model.get_input_embeddings()(batch.ids.masked_fill(is_image, 0))
    visual = board(batch.numbers).to(embeddings.dtype)
    embeddings = embeddings.masked_scatter(is_image[..., None], visual)
    states = language_model.model(
        inputs_embeds=embeddings,
        attention_mask=batch.attention(embeddings.dtype),
        position_ids=batch.positions,
        use_cache=False,
        output_hidden_states=True,
    ).hidden_states
    low, half_way = states[2][is_image], states[len(states) // 2][is_image]
    follows = is_image.cumsum(1)[is_image] > 1
    change_loss = board.change_loss(low, batch.numbers, follows)
    action_loss = change_loss + board.action_loss(half_way, batch.actions)
    targets = batch.labels[:, 1:]
    wanted = targets != IGNORED
    return language_model.lm_head(states[-1][:, :-1][wanted]), targets[wanted], action_loss


def pretrain_language_model(
    language_model: Any,
    tokenizer: Any,
    *,
    seed: int,
    span: Span,
    num_frames: int,
    device: torch.device,
    workers: int = 1,
    learning_rate: float,
    batch_size: int = 8,
    questions: int = 7,
    report: Callable[[dict[str, float]], None],
) -> None:
    """Train ``language_model`` in place, on ``device``; the storyboards' map is thrown away."""
    board = Board(language_model.config.hidden_size)
    joint = nn.ModuleDict({"language_model": language_model, "board": board}).to(device)
    if device.type == "cpu" and shutil.which("c++"):  # a fifth faster, with the compiler it needs
        for layer in language_model.model.layers:
            layer.compile(dynamic=True)
    optimizer = Optimizer(joint.named_parameters(), learning_rate=learning_rate)
    stream = StoryboardStream(
        tokenizer,
        seed,
        num_frames=num_frames,
        batch_size=batch_size,
        questions=questions,
    )
    loader = iter(DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=8))
    losses: list[tuple[float, float]] = []
    right: dict[str, list[bool]] = {}
    step, share = 0, 0.0
    while share < 1.0:
        step, share = step + 1, span.share(step + 1)
        batch = next(loader).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            logits, targets, action_loss = storyboard_logits(
                language_model, board, batch, stream.image_token_id
            )
        loss = F.cross_entropy(logits.float(), targets)
        optimizer.step(loss + action_loss, share)
        if step % LOOK_EVERY == 0 or share == 1.0:
            losses.append((loss.item(), action_loss.item()))
            for family, answers in answers_right(logits, batch).items():
                right.setdefault(family, []).extend(answers)
        if step % REPORT_EVERY == 0 or share == 1.0:
            report(
                {
                    "step": step,
                    "seconds": span.elapsed(),
                    "loss": float(np.mean([one for one, _ in losses])),
                    "action_loss": float(np.mean([one for _, one in losses])),
                    "answers_right": float(np.mean([one for row in right.values() for one in row])),
                    **{family: float(np.mean(answers)) for family, answers in right.items()},
                }
            )
            losses.clear()
            right.clear()


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
