"""Read every record of a feature store again and compare it with the hash it was written with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from goldfish_cli.data.features import read_header, record_digest


@dataclass(frozen=True, slots=True)
class Damage:
    """A shard, or one record in it, that is not as it was written."""

    shard: Path
    key: str
    """Of the record; ``""``: the whole shard."""
    reason: str


def shard_files(folder: Path) -> list[Path]:
    """List the shards of a store."""
    return sorted(folder.glob("*.safetensors"))


def check_shard(shard: Path) -> Iterator[Damage]:
    """Read a shard from end to end and yield what is wrong with it."""
    try:
        header = read_header(shard)
        records, digests = header["records"], header["digests"]
        with safe_open(shard, framework="pt") as file:
            keys = set(file.keys())
            for key in sorted(keys | records.keys()):
                if key not in keys or key not in records:
                    part = "features" if key not in keys else "record"
                    yield Damage(shard, key, f"its {part} is missing")
                    continue
                features = file.get_tensor(key)
                if not torch.isfinite(features).all():
                    yield Damage(shard, key, "its features hold values that are no numbers")
                elif len(features) != len(records[key]["times"]):
                    yield Damage(shard, key, f"{len(features)} frames have other times")
                elif key not in digests:
                    yield Damage(shard, key, "it was written without a hash, by an older version")
                elif digests[key] != record_digest(records[key], features):
                    yield Damage(shard, key, "its content has changed since it was written")
    except (ValueError, OSError, SafetensorError) as error:
        yield Damage(shard, "", f"it cannot be read: {error}")
