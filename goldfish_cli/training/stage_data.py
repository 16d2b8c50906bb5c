"""Gather a stage's samples: read the sources, leave out what is missing, hold some back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import (
    Group,
    Mixture,
    Rejected,
    Source,
    read_groups,
    split_groups,
)
from goldfish_cli.errors import AnnotationError
from goldfish_cli.training.recipes import StageRecipe


@dataclass(frozen=True, slots=True)
class StageData:
    """The samples of a stage, unread."""

    train: list[tuple[list[Group], float]]  # groups and weight of each source
    validation: list[Group]
    rejected: int = 0
    """Samples that were left out by now."""

    def groups(self) -> list[Group]:
        """Return every group once."""
        return [*(group for groups, _ in self.train for group in groups), *self.validation]

    def only(self, wanted: Callable[[Group], bool]) -> "StageData":
        """Leave out the groups that are not wanted."""
        return StageData(
            [([g for g in groups if wanted(g)], weight) for groups, weight in self.train],
            [g for g in self.validation if wanted(g)],
            self.rejected,
        )

    def thinned(self, count: int) -> "StageData":
        """Keep so many groups of each source, evenly spread."""
        return StageData(
            [(g[:: ceil(len(g) / count)], weight) for g, weight in self.train if g],
            self.validation[:: ceil(len(self.validation) / count)] if self.validation else [],
        )

    def mixtures(
        self, reader: ClipReader, settings: StageRecipe, seed: int
    ) -> tuple[Mixture, Mixture | None]:
        """Return the examples to learn from, and those to measure on if any are held back."""
        train = Mixture(self.train, reader, instructions=settings.instructions, seed=seed)
        if not self.validation:
            return train, None
        held = [(self.validation, 1.0)]
        return train, Mixture(held, reader, instructions=settings.instructions, seed=seed)


def gather(
    sources: Sequence[Source],
    videos: Path | None,
    settings: StageRecipe,
    on_rejected: Callable[[Rejected], None],
) -> StageData:
    """Read all sources.

    Raises:
        AnnotationError: If a file is wrong, nothing is left, or more media are missing than
            ``max_bad_samples``.
    """
    train, validation, missing = [], [], []
    for source in sources:
        groups = read_groups(source, videos, settings.questions_per_clip)
        missing += [Rejected(g[0].id, "no such video or image") for g in groups if not g[0].media]
        found = [group for group in groups if group[0].media]
        learnt, held = split_groups(found, settings.validation)
        train.append((learnt, source.weight))
        validation += held
    report(missing, settings.max_bad_samples, on_rejected)
    if not any(groups for groups, _ in train):
        raise AnnotationError(
            "The training data hold no samples with media.", hint="Check --data and --videos."
        )
    return StageData(train, validation, len(missing))


def report(
    rejected: Sequence[Rejected],
    limit: int,
    on_rejected: Callable[[Rejected], None],
    *,
    before: int = 0,
) -> None:
    """Tell of each rejected sample.

    Raises:
        AnnotationError: If with those ``before`` there are more than ``limit``, naming the first.
    """
    for item in rejected:
        on_rejected(item)
    if rejected and before + len(rejected) > limit:
        first = "; ".join(f"{item.id}: {item.reason}" for item in rejected[:3])
        raise AnnotationError(
            f"{before + len(rejected)} samples cannot be used, the first: {first}",
            hint="Mend the data, or raise max_bad_samples in the recipe.",
        )


def sort_by_stage(sources: Sequence[Source], videos: Path | None) -> dict[int, tuple[Source, ...]]:
    """Give each source to the stage that its first sample belongs to.

    Images are stage 1, videos with captions stage 2, questions and answers stage 3.
    """
    shares: dict[int, tuple[Source, ...]] = {}
    for source in sources:
        first = next(read_annotations(source.path, videos), None)
        if first is None:
            raise AnnotationError(f"{source.path} holds no samples.", hint="Check --data.")
        stage = 1 if first.kind == "image" else 3 if first.turns[0][0] else 2
        shares[stage] = (*shares.get(stage, ()), source)
    return shares


def num_steps(settings: StageRecipe, draws_per_epoch: int, effective_batch: int) -> int:
    """Return the optimizer steps of a stage."""
    if settings.max_steps is not None:
        return settings.max_steps
    assert settings.epochs is not None  # the recipe has one of the two
    return max(1, ceil(settings.epochs * draws_per_epoch / effective_batch))
