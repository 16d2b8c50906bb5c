"""Mix sources of samples into one sequence of examples that can be entered at any point.

The order is a function of the seed alone: a stopped run continues with the very next sample.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset, Sampler
from webdataset.shardlists import expand_urls

from goldfish_cli.data.annotations import Sample, read_annotations
from goldfish_cli.data.clips import Clip, ClipReader
from goldfish_cli.errors import AnnotationError, InputError, UsageError

Dialogue = tuple[tuple[str, str], ...]  # questions and answers in turn
Group = tuple[Sample, ...]  # samples that look at the same media
MAX_TRIES = 20  # unreadable samples in a row, before something larger must be wrong


@dataclass(frozen=True, slots=True)
class Source:
    """A file of training data, and how often it is seen: 2 is twice in each epoch."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A sample that could not be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """A clip and the dialogues about it, which do not see each other."""

    id: str
    clip: Clip
    captions: tuple[str, ...]  # one a frame
    dialogues: tuple[Dialogue, ...]
    rejected: tuple[Rejected, ...] = ()  # samples that this one stands in for


def expand_source(text: str) -> list[Source]:
    """Read ``FILE`` or ``FILE:weight``; a folder stands for its tars, ``{00..09}.tar`` for ten.

    Raises:
        UsageError: If the weight is not above 0.
        AnnotationError: If a folder holds no tars.
    """
    source = _parse_source(text)
    if not source.path.is_dir():
        names = expand_urls(str(source.path))
        return [Source(Path(name), source.weight) for name in names]
    tars = sorted(source.path.glob("*.tar"))
    if not tars:
        raise AnnotationError(
            f"The folder {source.path} holds no tars.", hint="Name an annotation file with --data."
        )
    return [Source(path, source.weight) for path in tars]


def _parse_source(text: str) -> Source:
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        return Source(Path(text))
    try:
        value = float(weight)
    except ValueError:
        return Source(Path(text))
    if not value > 0:
        raise UsageError(f"The weight of {path} is {weight}; it must be above 0.")
    return Source(Path(path), value)


def read_groups(source: Source, root: Path | None, per_clip: int = 1) -> list[Group]:
    """Read a source; up to ``per_clip`` single questions about the same media form a group."""
    groups: dict[tuple[object, ...], list[list[Sample]]] = {}
    for number, sample in enumerate(read_annotations(source.path, root)):
        alone = per_clip == 1 or len(sample.turns) > 1 or sample.media is None
        key = (number,) if alone else (sample.media, sample.region)
        parts = groups.setdefault(key, [[]])
        if len(parts[-1]) == per_clip:
            parts.append([])
        parts[-1].append(sample)
    return [tuple(part) for parts in groups.values() for part in parts]


def split_groups(groups: Iterable[Group], validation: float) -> tuple[list[Group], list[Group]]:
    """Hold back a share of the clips: all that is said of one clip falls on the same side."""
    train: list[Group] = []
    held: list[Group] = []
    for group in groups:
        place = zlib.crc32(group[0].id.encode()) / 2**32
        (held if place < validation else train).append(group)
    return train, held


class Mixture(Dataset[Example]):
    """Examples of several sources, each as often as its weight says.

    An index is a draw: ``epoch * len(mixture) + position``. Draws without end can be asked for; the
    same draw is always the same example.

    Args:
        sources: Groups and the weight of each source.
        reader: Opens the media.
        instructions: What is asked of samples that only have a caption.
        seed: Chooses the instructions.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Sequence[Group], float]],
        reader: ClipReader,
        *,
        instructions: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self._sources = [groups for groups, _ in sources]
        self._shares = [round(len(groups) * weight) for groups, weight in sources]
        self._ends = np.cumsum(self._shares)
        self.reader = reader
        self._instructions = tuple(instructions)
        self._seed = seed
        if not len(self):
            raise AnnotationError("The training data hold no samples.", hint="Check --data.")
        if not self._instructions and any(
            not question
            for group in self.groups()
            for sample in group
            for question, _ in sample.turns
        ):
            raise AnnotationError(
                "The training data hold captions, but the recipe has no instructions for them.",
                hint="Add instructions: [Describe the video.] to the stage in the recipe",
            )

    def __len__(self) -> int:
        """Count the draws of one epoch."""
        return int(self._ends[-1]) if self._shares else 0

    def __getitem__(self, draw: int) -> Example:
        """Read one example; where its media cannot be read, the next one that can stands in.

        Raises:
            AnnotationError: If many in a row cannot be read.
        """
        rejected: list[Rejected] = []
        for attempt in range(MAX_TRIES):
            group = self.group(draw + attempt)
            try:
                clip = self.reader.read(group[0])
                captions = tuple(self.reader.captions(clip))
            except InputError as error:
                rejected.append(Rejected(group[0].id, str(error)))
                continue
            dialogues = tuple(self._dialogue(sample, draw) for sample in group)
            return Example(group[0].id, clip, captions, dialogues, tuple(rejected))
        raise AnnotationError(
            f"{MAX_TRIES} samples in a row cannot be read, the first: {rejected[0].reason}",
            hint="Check the folder given with --videos.",
        )

    def group(self, draw: int) -> Group:
        """Return the samples of a draw, unread."""
        epoch, position = divmod(draw, len(self))
        number = int(np.searchsorted(self._ends, position, side="right"))
        groups, share = self._sources[number], self._shares[number]
        offset = position - (int(self._ends[number]) - share)
        return groups[(epoch * share + offset) % len(groups)]  # half a weight: every other epoch

    def groups(self) -> Iterator[Group]:
        """Yield every group once, in order, whatever its weight."""
        for groups in self._sources:
            yield from groups

    def _dialogue(self, sample: Sample, draw: int) -> Dialogue:
        return tuple(
            (question or self._instruction(draw), answer) for question, answer in sample.turns
        )

    def _instruction(self, draw: int) -> str:
        return self._instructions[
            zlib.crc32(f"{self._seed} {draw}".encode()) % len(self._instructions)
        ]


class DrawOrder(Sampler[int]):
    """All draws of a run, each epoch shuffled afresh by the seed.

    Args:
        size: Draws in an epoch.
        total: Draws in the run.
        seed: Chooses the order.
        shuffle: ``False`` goes through in order.
    """

    def __init__(self, size: int, total: int, *, seed: int = 0, shuffle: bool = True) -> None:
        self.size = size
        self.total = total
        self.seed = seed
        self.shuffle = shuffle

    def __len__(self) -> int:
        """Count the draws of the run."""
        return self.total

    def __iter__(self) -> Iterator[int]:
        """Yield all draws."""
        return islice(self._draws(), self.total)

    def _draws(self) -> Iterator[int]:
        epoch = 0
        while True:
            order = np.arange(self.size)
            if self.shuffle:
                np.random.default_rng([self.seed, epoch]).shuffle(order)
            yield from (epoch * self.size + order).tolist()
            epoch += 1
