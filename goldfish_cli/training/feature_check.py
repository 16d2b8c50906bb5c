"""Hold a feature store against its own hashes, and a sample of it against the encoder."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from goldfish_cli.data.feature_check import Damage, check_shard, shard_files
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.errors import InputError
from goldfish_cli.media.video import probe
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.prompts import spread
from goldfish_cli.training.features import FeatureClip, FeatureJob
from goldfish_cli.training.stages import Watcher

TOLERANCE = 0.02  # relative; half precision is off by 0.0005, bfloat16 on another device by 0.01


@dataclass(frozen=True, slots=True)
class FeatureFault:
    """What is wrong with a shard, or with the features of a clip."""

    what: str
    """The shard or the clip."""
    reason: Literal["damaged", "not-stored", "differs"]
    detail: str


def verify_features(
    job: FeatureJob, account: Account, *, sample: int, watcher: Watcher | None = None
) -> Iterator[FeatureFault]:
    """Read all shards again, look up every clip of the data, and encode some of them anew.

    Args:
        job: Its store was opened leniently, so that damaged shards are left out of it.
        account: Counts clips: read, and written where their features are sound.
        sample: How many clips are encoded anew, spread evenly.
        watcher: Hears how far it is.

    Yields:
        What is wrong. Damage to shards comes first, whether or not the data needs them.
    """
    watcher = watcher or Watcher()
    names = {}
    broken = {}
    for clip in job.clips:
        if key := _key(clip):
            names[key] = clip.sample.id
    shards = shard_files(job.store.folder)
    watcher.phase("reading shards", len(shards), "shards")
    for number, shard in enumerate(shards, start=1):
        for damage in check_shard(shard):
            broken[damage.key] = damage
            yield _fault_of(damage, names)
        watcher.done(number)
    sound = []
    for clip in job.clips:
        account.read()
        reason = _reason(job, clip, broken)
        if reason is None:
            sound.append(clip)
            continue
        account.drop(reason)
        if reason == "not-stored":  # of damage was told above, and bad media are no fault of ours
            detail = "its features are not in the store, or in a shard that cannot be read"
            yield FeatureFault(clip.sample.id, "not-stored", detail)
    chosen = set(spread(min(sample, len(sound)), len(sound))) if sound and sample else set()
    yield from _encode_again(job, sound, chosen, account, watcher)


def relative_difference(one: Tensor, other: Tensor) -> float:
    """Return the length of the difference over that of ``other``; infinite for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    norm = torch.linalg.vector_norm(other.float())
    difference = torch.linalg.vector_norm(one.float() - other.float())
    return float(difference / norm.clamp_min(1e-12))


def _encode_again(
    job: FeatureJob,
    clips: list[FeatureClip],
    chosen: set[int],
    account: Account,
    watcher: Watcher,
) -> Iterator[FeatureFault]:
    watcher.phase("encoding a sample again", len(chosen), "clips")
    encoder = job.encoder.load() if chosen else None
    largest, done = 0.0, 0
    for number, clip in enumerate(clips):
        if encoder is None or number not in chosen:
            account.write()
            continue
        config = encoder.config
        try:
            decoded = clip.reader.decode(clip.sample)
        except InputError:  # it could be read when it was encoded, and its content is the same
            account.drop("unreadable")
            continue
        pixels = preprocess_frames(
            decoded.frames, config.image_size, config.image_mean, config.image_std
        )
        fresh = encoder.encode_frames(pixels, chunk=job.run.profile.encoder_chunk).cpu()
        difference = relative_difference(job.store.features(clip.key), fresh)
        largest, done = max(largest, difference), done + 1
        watcher.done(done)
        if difference > TOLERANCE or decoded.times != job.store.record(clip.key).times:
            account.drop("differs")
            detail = f"encoding it again gives other features, {difference:.2%} apart"
            yield FeatureFault(clip.sample.id, "differs", detail)
        else:
            account.write()
    if chosen:
        watcher.note(f"{done} clips encoded again: at most {largest:.3%} apart.")


def _reason(job: FeatureJob, clip: FeatureClip, broken: Container[str]) -> str | None:
    """Say why a clip has no sound features, ``None`` if it has."""
    sample = clip.sample
    if sample.media is None:
        return "missing-media"
    try:
        if clip.key in broken:
            return "damaged"
        if clip.key in job.store:
            return None
        if sample.kind == "image":
            clip.reader.decode(sample)
        else:
            probe(sample.media)
    except InputError:
        return "unreadable"
    return "not-stored"


def _key(clip: FeatureClip) -> str | None:
    try:
        return clip.key if clip.sample.media else None
    except InputError:  # told when the clip's turn comes
        return None


def _fault_of(damage: Damage, names: dict[str, str]) -> FeatureFault:
    if not damage.key:
        return FeatureFault(damage.shard.name, "damaged", damage.reason)
    clip = f"clip {names[damage.key]}" if damage.key in names else "a clip of other data"
    return FeatureFault(f"{damage.shard.name}, {damage.key} ({clip})", "damaged", damage.reason)
