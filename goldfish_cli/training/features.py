"""Encode the clips of a dataset once, before any training, into the store that training reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from goldfish_cli.data.annotations import Sample, read_annotations
from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import Source
from goldfish_cli.data.features import FeatureStore
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.errors import InputError
from goldfish_cli.model.frame_encoder import EncoderSource, name_bases
from goldfish_cli.profiles import Profile
from goldfish_cli.training.encoding import encode_groups, open_reader
from goldfish_cli.training.recipes import Recipe
from goldfish_cli.training.stages import Watcher, resolve_settings


@dataclass(frozen=True, slots=True)
class FeatureRun:
    """Which clips are encoded, with what, and where to."""

    sources: tuple[Source, ...]
    model: str
    recipe: Recipe
    profile: Profile
    folder: Path
    """The feature store."""
    videos: Path | None = None
    """Folder of the media; ``None``: that of the annotations."""
    stage: int | None = None
    """Whose number of frames is taken; ``None``: the stage that each source belongs to."""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class FeatureClip:
    """One video or image of the data, and what reads it."""

    sample: Sample
    reader: ClipReader

    @property
    def key(self) -> str:
        """The name of its features in the store.

        Raises:
            InputError: If the media is missing or cannot be read.
        """
        return self.reader.key(self.sample)


class FeatureJob:
    """The clips of a run and the encoder that is theirs; nothing is decoded or loaded yet.

    Args:
        run: What was asked for.
        store: Where the features are, or will be.

    Raises:
        AnnotationError: If a file of annotations is missing or wrong.
        ModelError: If there is no such model.
    """

    def __init__(self, run: FeatureRun, store: FeatureStore) -> None:
        self.run = run
        self.store = store
        self.encoder = EncoderSource(run.model, run.profile, offline=run.offline)
        name_bases(self.encoder.config, run.model)
        self._readers: dict[int, ClipReader] = {}
        self.clips = list(self._find_clips())

    def reader(self, stage: int) -> ClipReader:
        """Return what reads the clips of a stage, under the same keys as training does."""
        if stage not in self._readers:
            config, profile = self.encoder.config, self.run.profile
            device = self.encoder.device.type
            settings = resolve_settings(self.run.recipe.stage(stage), profile, config, device)
            self._readers[stage] = open_reader(
                config, settings, profile, store=self.store, dtype=self.encoder.dtype
            )
        return self._readers[stage]

    def _find_clips(self) -> Iterator[FeatureClip]:
        """Yield each video or image once, however often it is asked about."""
        seen = set()
        for source in self.run.sources:
            reader: ClipReader | None = None
            for sample in read_annotations(source.path, self.run.videos):
                reader = reader or self.reader(self.run.stage or stage_of(sample))
                place = sample.id if sample.media is None else (sample.media, sample.region)
                if (place, reader.plan) not in seen:
                    seen.add((place, reader.plan))
                    yield FeatureClip(replace(sample, turns=()), reader)


def store_features(
    job: FeatureJob, output: PreparedFile, account: Account, watcher: Watcher | None = None
) -> None:
    """Encode what is not stored yet, and list every clip with the name of its features.

    A run that is stopped or killed loses at most the shard that it was filling.

    Args:
        job: From the same run.
        output: Receives ``{"id", "media", "key", "frames"}`` of each clip, and what was dropped.
        account: Counts clips: distinct videos and images.
        watcher: Hears how far it is.

    Raises:
        InputError: If the disk is full.
        CheckpointError: If the encoder is not whole.
    """
    watcher = watcher or Watcher()
    missing: dict[str, FeatureClip] = {}  # by key: files of the same content are encoded once
    faults: dict[int, tuple[str, str]] = {}
    watcher.phase("looking up stored features", len(job.clips), "clips")
    for number, clip in enumerate(job.clips):
        try:
            if clip.sample.media is None:
                faults[number] = ("missing-media", "there is no video or image of that name")
            elif clip.key not in job.store:
                missing.setdefault(clip.key, clip)
        except InputError as error:
            faults[number] = ("unreadable", str(error))
        watcher.done(number + 1)
    unreadable: dict[str, str] = {}
    if missing:
        watcher.note(f"{len(missing)} of {len(job.clips)} clips are not stored yet.")
        watcher.phase("encoding clips", len(missing), "clips")
        unreadable = _encode(job, missing, watcher)
    for number, clip in enumerate(job.clips):
        account.read()
        if number in faults:
            output.drop({"id": clip.sample.id}, *faults[number])
        elif clip.key in unreadable:
            output.drop({"id": clip.sample.id}, "unreadable", unreadable[clip.key])
        else:
            output.write(_listed(clip, job.store))


def _listed(clip: FeatureClip, store: FeatureStore) -> dict[str, Any]:
    media = clip.sample.media
    return {
        "id": clip.sample.id,
        "media": media.name if media else None,
        "key": clip.key,
        "frames": len(store.record(clip.key).times),
    }


def stage_of(sample: Sample) -> int:
    """Return the stage that samples like this one are for: 1 images, 2 captions, 3 questions."""
    if sample.kind == "image":
        return 1
    return 3 if sample.turns[0][0] else 2


def _encode(
    job: FeatureJob, missing: Mapping[str, FeatureClip], watcher: Watcher
) -> dict[str, str]:
    """Encode clips, reader by reader, and return by key why some cannot be read."""
    encoder, before = job.encoder.load(), 0
    unreadable: dict[str, str] = {}
    for reader in dict.fromkeys(clip.reader for clip in missing.values()):
        own = {key: clip.sample for key, clip in missing.items() if clip.reader is reader}
        rejected = encode_groups(
            encoder,
            reader,
            [(sample,) for sample in own.values()],
            chunk=job.run.profile.encoder_chunk,
            done=partial(_advance, watcher, before),
        )
        before += len(own)
        reasons = {item.id: item.reason for item in rejected}
        unreadable |= {k: reasons[sample.id] for k, sample in own.items() if sample.id in reasons}
    return unreadable


def _advance(watcher: Watcher, before: int, count: int) -> None:
    watcher.done(before + count)
