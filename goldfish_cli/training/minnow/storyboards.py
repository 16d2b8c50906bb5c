"""Storyboards: clips without pixels, as batches of what each frame holds, with questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from goldfish_cli.data.shapes.language import Question, sample_questions
from goldfish_cli.data.shapes.world import (
    ACTIONS,
    SHAPES,
    Clip,
    Narration,
    State,
    narrate,
    sample_clip,
)
from goldfish_cli.media.alignment import align_cues
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.sampling import uniform_times
from goldfish_cli.model.prompts import encode_answer, encode_prompt
from goldfish_cli.training.minnow.contents import (
    FRAME_NUMBERS,
    IGNORED,
    OBJECT_NUMBERS,
    TRAITS,
    frame_numbers,
    kind_of,
    visible,
)
from goldfish_cli.training.minnow.tokenizer import random_name

PREFIX, PADDING = 0, -1
KEYWORDS = 6
"""Questions in single words about each clip, beside the worded ones."""


@dataclass(frozen=True, slots=True)
class Storyboards:
    """A batch of clips, each with several questions that share its frames.

    ``ids``, ``labels``, ``positions`` and ``segments`` are ``(batch, length)``; a segment is 0 for
    the frames, 1, 2, ... for the questions, -1 for padding. ``numbers`` is
    ``(frames, FRAME_NUMBERS)``.
    """

    ids: Tensor
    labels: Tensor
    positions: Tensor
    segments: Tensor
    numbers: Tensor
    actions: Tensor
    """``(frames, 2)``: the action of each object in a frame, see ``frame_actions``."""
    families: tuple[tuple[str, ...], ...]
    """For each clip the families of its questions, in their order."""

    def to(self, device: torch.device) -> Storyboards:
        """The same batch with its tensors on ``device``."""
        return Storyboards(
            ids=self.ids.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            segments=self.segments.to(device, non_blocking=True),
            numbers=self.numbers.to(device, non_blocking=True),
            actions=self.actions.to(device, non_blocking=True),
            families=self.families,
        )

    def attention(self, dtype: torch.dtype) -> Tensor:
        """Additive mask ``(batch, 1, length, length)``: a question sees the frames and itself."""
        segments = self.segments
        length = segments.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
        own = segments[:, :, None] == segments[:, None, :]
        frames = (segments == PREFIX)[:, None, :] & (segments != PADDING)[:, :, None]
        allowed = ((own | frames) & causal)[:, None]
        mask = torch.zeros(allowed.shape, dtype=dtype, device=segments.device)
        return mask.masked_fill(~allowed, -1e4)


def worker_number() -> int:
    """Which of the processes that draw data this is, so that no two draw the same."""
    worker = get_worker_info()
    return 0 if worker is None else int(worker.id)


class StoryboardStream(IterableDataset[Storyboards]):
    """Endless batches of storyboards."""

    def __init__(
        self,
        tokenizer: Any,
        seed: int,
        *,
        num_frames: int,
        batch_size: int,
        questions: int,
    ) -> None:
        self.tokenizer, self.seed, self.num_frames = tokenizer, seed, num_frames
        self.batch_size, self.questions = batch_size, questions
        self.image_token_id: int = tokenizer.convert_tokens_to_ids("<ImageHere>")

    def __iter__(self) -> Iterator[Storyboards]:
        """Draw batch after batch."""
        rng = np.random.default_rng([self.seed, 2, worker_number()])
        while True:
            yield self.batch(rng)

    def batch(self, rng: np.random.Generator) -> Storyboards:
        """Draw one batch."""
        rows, numbers, actions, families = [], [], [], []
        for _ in range(self.batch_size):
            row, clip, times, asked = self._row(rng)
            families.append(asked)
            rows.append(row)
            numbers.append(clip_numbers(clip, times, rng))
            actions.append(frame_actions(clip, times))
        length = max(len(row) for row in rows)
        padded = [row + [(0, IGNORED, 0, PADDING)] * (length - len(row)) for row in rows]
        ids, labels, positions, segments = torch.tensor(padded).permute(2, 0, 1)
        return Storyboards(
            ids,
            labels,
            positions,
            segments,
            torch.cat(numbers),
            torch.cat(actions),
            tuple(families),
        )

    def _row(
        self, rng: np.random.Generator
    ) -> tuple[list[tuple[int, int, int, int]], Clip, list[float], tuple[str, ...]]:
        """One clip: tokens as (id, label, position, segment), itself, its times and families."""
        clip = sample_clip(rng, narration=0.3)
        narration = tuple(rename(cue, rng) for cue in clip.narration)
        if rng.random() < 0.3:
            narration = small_talk(clip.duration, rng)
        clip = Clip(clip.events, clip.relation, clip.duration, clip.aspect, narration)
        count = self.num_frames
        if rng.random() < 0.2:
            count = int(rng.integers(max(4, count // 3), count + 1))
        times = uniform_times(0.0, clip.duration, count)
        cues = [Cue(cue.start, cue.end, cue.text) for cue in narration]
        captions = align_cues(cues, times, max_words=100)
        prefix = self._prefix(captions)
        row = [(token, IGNORED, place, PREFIX) for place, token in enumerate(prefix)]
        items = sample_questions(clip, rng, self.questions)
        # to find one thing by another takes the longest to learn, and in few words the least
        items += sample_questions(clip, rng, 1, families=("narration",))
        items += keywords(clip, rng, KEYWORDS)
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
            tokens_per_frame=1,
            image_token_id=self.image_token_id,
        )
        newline = self.tokenizer.convert_tokens_to_ids("\n")
        return encoded.ids[: encoded.ids.index(newline)]


def keywords(clip: Clip, rng: np.random.Generator, count: int) -> list[Question]:
    """Ask in single words, which single things out, for all that goes with them.

    A question of four tokens with an answer of four teaches finding things as well as one of
    fifteen does.
    """
    events = clip.events
    asked: list[tuple[str, str]] = [(cue.key, cue.value) for cue in clip.narration]
    for place, event in enumerate(events):
        if _once(event.shape, [other.shape for other in events]):
            asked.append((event.shape, f"{event.colour}, {event.action}"))
        if _once(event.colour, [other.colour for other in events]):
            asked.append((event.colour, f"{event.shape}, {event.action}"))
        if _once(event.action, [other.action for other in events]):
            asked.append((event.action, event.name))
        asked.append((event.name, event.action))
        if clip.relation == "then" and place:
            before = events[place - 1]
            asked.append((f"after {before.name}", f"{event.name} {event.action}"))
            asked.append((f"before {event.name}", f"{before.name} {before.action}"))
    chosen = rng.permutation(len(asked))[:count]
    return [Question("keywords", f"{asked[i][0]}?", asked[i][1]) for i in chosen]


def _once(value: str, values: list[str]) -> bool:
    return values.count(value) == 1


def rename(cue: Narration, rng: np.random.Generator) -> Narration:
    """Say another name or word, often a made-up one: what is said must be copied, not known."""
    if cue.key != "name" and rng.random() < 0.7:
        return cue
    return narrate(cue.key, random_name(rng), cue.start, cue.end)


def small_talk(duration: float, rng: np.random.Generator) -> tuple[Narration, ...]:
    """Two to four cues about made-up things: whatever is said can be asked for."""
    count = int(rng.integers(2, 5))
    slot = duration / count
    return tuple(
        narrate(random_name(rng), random_name(rng), index * slot, (index + 0.8) * slot)
        for index in range(count)
    )


_WEAK_WORDS = {
    "a", "are", "can", "clip", "did", "do", "does", "film", "footage", "for", "give", "happens",
    "in", "is", "it", "me", "of", "one", "please", "recording", "say", "scene", "see", "tell",
    "the", "there", "this", "to", "video", "what", "which", "you",
}  # fmt: skip


def with_strange_words(question: str, rng: np.random.Generator) -> str:
    """Now and then put a made-up word in the place of a weak one, or at the start.

    People ask in words that no list of wordings holds; the words that matter still tell.
    """
    if rng.random() < 0.75:
        return question
    words = [
        random_name(rng) if word.lower() in _WEAK_WORDS and rng.random() < 0.15 else word
        for word in question.split(" ")
    ]
    return " ".join([random_name(rng), *words] if rng.random() < 0.2 else words)


def clip_numbers(clip: Clip, times: list[float], rng: np.random.Generator) -> Tensor:
    """What a fallible encoder says of each frame, ``(frames, FRAME_NUMBERS)``.

    Places are a little off, small objects are sometimes taken for others of their colour, now and
    then one is missed.
    """
    doubt = float(rng.uniform(0, 0.5)) if rng.random() < 0.3 else 0.0
    blur = float(rng.uniform(0, 0.02))
    rows = []
    for moment in times:
        objects = []
        for event, state in visible(clip.events, moment):
            unsure = doubt * min(1.0, 0.15 / state.size)
            shape = str(rng.choice(SHAPES)) if rng.random() < unsure else event.shape
            dx, dy, grown = blur * rng.standard_normal(3)
            seen = State(state.x + dx, state.y + dy, state.size * (1 + grown))
            if rng.random() >= 0.2 * unsure:
                objects.append((kind_of(event.colour, shape), seen))
        rows.append(frame_numbers(sorted(objects, key=lambda pair: pair[0])))
    numbers = torch.stack(rows)
    spread = float(rng.uniform(0.0, 0.05))
    noise = spread * rng.standard_normal(numbers.shape, dtype=np.float32)
    noise[:, _PLACES] *= 0.2
    return numbers + torch.from_numpy(noise)


_PLACES = [
    place
    for first in range(2, FRAME_NUMBERS, OBJECT_NUMBERS)
    for place in range(first + TRAITS, first + OBJECT_NUMBERS)
]


def frame_actions(clip: Clip, times: list[float]) -> Tensor:
    """What the first and the last object of each frame are doing, ``(frames, 2)``.

    ``IGNORED`` where a frame holds nothing; a single object counts as both.
    """
    doing = torch.full((len(times), 2), IGNORED)
    for frame, moment in enumerate(times):
        seen = visible(clip.events, moment)
        if seen:
            actions = [ACTIONS.index(seen[place][0].action) for place in (0, -1)]
            doing[frame] = torch.tensor(actions)
    return doing
