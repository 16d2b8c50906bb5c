"""What a frame of Shapes World holds, as numbers that the encoder learns and storyboards state.

A frame shows at most two objects. Both are told with colour, shape, place and size: the first and
the last by kind. A single one is told twice, so that whoever reads either place finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from goldfish_cli.data.shapes.world import COLOURS, SHAPES, Event, State

KINDS = len(COLOURS) * len(SHAPES)
"""Every colour with every shape: 30 things that a frame may hold."""
TRAITS = len(COLOURS) + len(SHAPES)
PLACES = 3
"""x and y from -1 to 1 of the frame, and size: 4 times the share of its height, less 1."""
OBJECT_NUMBERS = TRAITS + PLACES
FRAME_NUMBERS = 2 + 2 * OBJECT_NUMBERS
"""Whether there is anything, whether there are two, then two objects."""
IGNORED = -100


def kind_of(colour: str, shape: str) -> int:
    """The number of a colour and shape among the 30 kinds."""
    return COLOURS.index(colour) * len(SHAPES) + SHAPES.index(shape)


def visible(events: Sequence[Event], moment: float) -> list[tuple[Event, State]]:
    """The objects to be seen at ``moment`` with their states, by kind."""
    seen = [(event, state) for event in events if (state := event.state(moment)) is not None]
    return sorted(seen, key=lambda pair: kind_of(pair[0].colour, pair[0].shape))


def frame_numbers(objects: Sequence[tuple[int, State]]) -> Tensor:
    """State up to two objects, by kind, as ``(FRAME_NUMBERS,)``; zeros where there is nothing."""
    numbers = torch.zeros(FRAME_NUMBERS)
    if not objects:
        return numbers
    numbers[0], numbers[1] = 1.0, float(len(objects) > 1)
    for place, (kind, state) in enumerate((objects[0], objects[-1])):
        part = numbers[2 + place * OBJECT_NUMBERS :][:OBJECT_NUMBERS]
        part[kind // len(SHAPES)] = 1.0
        part[len(COLOURS) + kind % len(SHAPES)] = 1.0
        part[TRAITS:] = torch.tensor([2 * state.x - 1, 2 * state.y - 1, 4 * state.size - 1])
    return numbers


def split_objects(numbers: Tensor) -> Tensor:
    """View ``(..., FRAME_NUMBERS)`` as its two objects, ``(..., 2, OBJECT_NUMBERS)``."""
    return numbers[..., 2:].unflatten(-1, (2, OBJECT_NUMBERS))
