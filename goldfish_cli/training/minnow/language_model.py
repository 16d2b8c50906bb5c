"""Pre-train minnow's language model, the stand-in for Llama-2-Chat, on storyboards.

A storyboard is a clip without pixels: what the encoder would say lies under each patch of each
frame, put among the words by a linear map that is thrown away afterwards. So the language model
has met long sequences of picture-like tokens before any projector is trained, as large models have
met everything; and no two storyboards are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # the name torch's own documentation uses
from torch.utils.data import DataLoader, IterableDataset

from goldfish_cli.data.shapes.language import sample_questions
from goldfish_cli.data.shapes.world import (
    ACTIONS,
    COLOURS,
    SHAPES,
    Clip,
    Narration,
    narrate,
    sample_clip,
)
from goldfish_cli.media.alignment import align_cues
from goldfish_cli.media.cues import Cue
from goldfish_cli.model.prompts import encode_answer, encode_prompt
from goldfish_cli.training.minnow.encoder import KINDS, kind_of
from goldfish_cli.training.minnow.optimizer import Optimizer
from goldfish_cli.training.minnow.tokenizer import random_name

IGNORED = -100
PREFIX, PADDING = 0, -1


@dataclass(frozen=True, slots=True)
class Storyboards:
    """A batch of clips, each with several questions that share its frames.

    ``ids``, ``labels``, ``positions`` and ``segments`` are ``(batch, length)``; a segment is 0 for
    the frames, 1, 2, ... for the questions, -1 for padding. ``maps`` is
    ``(frames, patches, KINDS)``.
    """

    ids: Tensor
    labels: Tensor
    positions: Tensor
    segments: Tensor
    maps: Tensor
    actions: Tensor
    """``(frames, 2, 2)``: kind and action of each object in a frame, see ``frame_actions``."""
    families: tuple[tuple[str, ...], ...]
    """For each clip the families of its questions, in their order."""

    def attention(self, dtype: torch.dtype) -> Tensor:
        """Additive mask ``(batch, 1, length, length)``: a question sees the frames and itself."""
        segments = self.segments
        length = segments.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        own = segments[:, :, None] == segments[:, None, :]
        frames = (segments == PREFIX)[:, None, :] & (segments != PADDING)[:, :, None]
        allowed = ((own | frames) & causal)[:, None]
        return torch.zeros(allowed.shape, dtype=dtype).masked_fill(~allowed, -1e4)


class StoryboardStream(IterableDataset[Storyboards]):
    """Endless batches of storyboards."""

    def __init__(
        self,
        tokenizer: Any,
        seed: int,
        *,
        num_frames: int,
        tokens_per_frame: int,
        batch_size: int,
        questions: int,
        grid: int,
    ) -> None:
        self.tokenizer, self.seed, self.num_frames = tokenizer, seed, num_frames
        self.tokens_per_frame, self.batch_size = tokens_per_frame, batch_size
        self.questions, self.grid = questions, grid
        self.image_token_id: int = tokenizer.convert_tokens_to_ids("<ImageHere>")

    def __iter__(self) -> Iterator[Storyboards]:
        """Draw batch after batch."""
        rng = np.random.default_rng([self.seed, 2])
        while True:
            yield self.batch(rng)

    def batch(self, rng: np.random.Generator) -> Storyboards:
        """Draw one batch."""
        rows, maps, actions, families = [], [], [], []
        for _ in range(self.batch_size):
            row, clip, times, asked = self._row(rng)
            families.append(asked)
            rows.append(row)
            maps.append(patch_maps(clip, times, self.grid, rng))
            actions.append(frame_actions(clip, times))
        length = max(len(row) for row in rows)
        padded = [row + [(0, IGNORED, 0, PADDING)] * (length - len(row)) for row in rows]
        ids, labels, positions, segments = torch.tensor(padded).permute(2, 0, 1)
        return Storyboards(
            ids,
            labels,
            positions,
            segments,
            torch.cat(maps),
            torch.cat(actions),
            tuple(families),
        )

    def _row(
        self, rng: np.random.Generator
    ) -> tuple[list[tuple[int, int, int, int]], Clip, list[float], tuple[str, ...]]:
        """One clip: tokens as (id, label, position, segment), itself, its times and families."""
        clip = sample_clip(rng, narration=0.5)
        narration = tuple(rename(cue, rng) for cue in clip.narration)
        clip = Clip(clip.events, clip.relation, clip.duration, clip.aspect, narration)
        count = self.num_frames
        if rng.random() < 0.2:
            count = int(rng.integers(max(4, count // 3), count + 1))
        times = [(2 * i + 1) * clip.duration / (2 * count) for i in range(count)]
        cues = [Cue(cue.start, cue.end, cue.text) for cue in narration]
        captions = align_cues(cues, times, max_words=100)
        prefix = self._prefix(captions)
        row = [(token, IGNORED, place, PREFIX) for place, token in enumerate(prefix)]
        items = sample_questions(clip, rng, self.questions)
        # copying what was said takes the longest to learn
        items += sample_questions(clip, rng, 2, families=("narration",))
        for number, item in enumerate(items, start=1):
            words = with_strange_words(item.question, rng)
            question = self.tokenizer(f"\n{words} [/INST]", add_special_tokens=False)
            asked = question["input_ids"]
            answer = encode_answer(self.tokenizer, item.answer).ids
            tokens = [*asked, *answer]
            labels = [IGNORED] * len(asked) + answer
            for place, (token, label) in enumerate(zip(tokens, labels, strict=True)):
                row.append((token, label, len(prefix) + place, number))
        return row, clip, times, tuple(item.family for item in items)

    def _prefix(self, captions: list[str]) -> list[int]:
        """Everything of a prompt before the question's new line."""
        encoded = encode_prompt(
            self.tokenizer,
            captions,
            "",
            tokens_per_frame=self.tokens_per_frame,
            image_token_id=self.image_token_id,
        )
        newline = self.tokenizer.convert_tokens_to_ids("\n")
        return encoded.ids[: encoded.ids.index(newline)]


def rename(cue: Narration, rng: np.random.Generator) -> Narration:
    """Say another name or word, often a made-up one: what is said must be copied, not known."""
    if cue.key != "name" and rng.random() < 0.7:
        return cue
    return narrate(cue.key, random_name(rng), cue.start, cue.end)


_WEAK_WORDS = {
    "a", "are", "can", "clip", "did", "do", "does", "film", "footage", "for", "give", "happens",
    "in", "is", "it", "me", "of", "one", "please", "recording", "say", "scene", "see", "tell",
    "the", "there", "this", "to", "video", "what", "which", "you",
}  # fmt: skip


def with_strange_words(question: str, rng: np.random.Generator) -> str:
    """Now and then put a made-up word in the place of a weak one, or at the start.

    People ask in words that no list of wordings holds; the words that matter still tell.
    """
    if rng.random() < 0.6:
        return question
    words = [
        random_name(rng) if word.lower() in _WEAK_WORDS and rng.random() < 0.15 else word
        for word in question.split(" ")
    ]
    return " ".join([random_name(rng), *words] if rng.random() < 0.2 else words)


def patch_maps(clip: Clip, times: list[float], grid: int, rng: np.random.Generator) -> Tensor:
    """What a fallible encoder says of each patch, ``(frames, grid * grid, KINDS)`` around 0 or 1.

    Objects count as boxes. Small ones are sometimes taken for others of their colour, edges are
    seen or not, and some patches are missed.
    """
    maps = np.zeros((len(times), grid, grid, KINDS), dtype=np.float32)
    doubt = float(rng.uniform(0, 0.6)) if rng.random() < 0.5 else 0.0
    for frame, moment in enumerate(times):
        for event in clip.events:
            state = event.state(moment)
            if state is None:
                continue
            across = _overlaps(state.x, 0.46 * state.size / clip.aspect, grid)
            down = _overlaps(state.y, 0.46 * state.size, grid)
            share = down[:, None] * across[None, :]
            seen = share >= rng.uniform(0.05, 0.3, share.shape)
            kind = kind_of(event.colour, event.shape)
            mistaken = rng.random(share.shape) < doubt * min(1.0, 0.15 / state.size)
            other = kind // len(SHAPES) * len(SHAPES) + int(rng.integers(len(SHAPES)))
            maps[frame, ..., kind] += seen & ~mistaken
            maps[frame, ..., other] += seen & mistaken
    maps *= rng.uniform(0.75, 1.1, (len(times), grid, grid, 1)).astype(np.float32)
    spread = float(rng.uniform(0.0, 0.01))  # more would drown the few patches that matter
    maps += spread * rng.standard_normal(maps.shape, dtype=np.float32)
    return torch.from_numpy(maps.reshape(len(times), grid * grid, KINDS))


def _overlaps(centre: float, reach: float, grid: int) -> np.ndarray:
    """How far ``centre`` plus and minus ``reach`` covers each of ``grid`` equal parts of 0 to 1."""
    edges = np.arange(grid + 1) / grid
    low, high = np.maximum(edges[:-1], centre - reach), np.minimum(edges[1:], centre + reach)
    return np.maximum(0.0, high - low) * grid


def frame_actions(clip: Clip, times: list[float]) -> Tensor:
    """What the objects that a frame shows are doing, ``(frames, 2, 2)``: kind and action of each.

    ``IGNORED`` where there are fewer than two.
    """
    doing = torch.full((len(times), 2, 2), IGNORED)
    for frame, moment in enumerate(times):
        seen = [event for event in clip.events if event.state(moment)]
        for place, event in enumerate(seen[:2]):
            kind = kind_of(event.colour, event.shape)
            doing[frame, place] = torch.tensor([kind, ACTIONS.index(event.action)])
    return doing


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
        self.attend = nn.Embedding(KINDS, width)
        self.actions = nn.Linear(width, len(ACTIONS))

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
        """Cross-entropy of the actions, from ``(frames * tokens_per_frame, width)``."""
        last = self.norm(visual_hidden.unflatten(0, (-1, self.tokens_per_frame))[:, -1])
        frame, place = (actions[..., 0] != IGNORED).nonzero(as_tuple=True)
        kinds, doing = actions[frame, place].unbind(1)
        logits = self.actions(last[frame] * (1 + self.attend(kinds)))
        return F.cross_entropy(logits.float(), doing)


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
