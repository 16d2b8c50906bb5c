"""Checkpoints to resume from: they appear whole, and each can tell whether it still is.

A folder ``checkpoint-N`` ends with a list of the SHA-256 of every file in it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from goldfish_cli.errors import CheckpointError

HASHES = "sha256.json"
_DAMAGED = "damaged-"


def checkpoints(out: Path) -> list[Path]:
    """Return the checkpoints of a run, the oldest first."""
    return sorted(out.glob("checkpoint-*"), key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the step that a checkpoint was made after."""
    return int(checkpoint.name.rpartition("-")[2])


def seal(checkpoint: Path) -> None:
    """Write the list of hashes. It comes last: a folder without it was never finished."""
    hashes = {str(path.relative_to(checkpoint)): _sha256(path) for path in _files(checkpoint)}
    (checkpoint / HASHES).write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


def find_fault(checkpoint: Path) -> str | None:
    """Say what is wrong with a checkpoint; ``None`` if it is whole."""
    try:
        wanted = json.loads((checkpoint / HASHES).read_text(encoding="utf-8"))
        for name, digest in wanted.items():
            if _sha256(checkpoint / name) != digest:
                return f"{name} has changed"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, AttributeError) as error:
        return " ".join(str(error).split())
    return None


def last_whole(out: Path, note: Callable[[str], None]) -> Path | None:
    """Return the newest checkpoint that is whole; damaged ones are set aside, under another name.

    Args:
        out: The folder of the run.
        note: Hears of each that is damaged.

    Raises:
        CheckpointError: If there are checkpoints and none is whole.
    """
    faults: dict[Path, str] = {}
    for checkpoint in reversed(checkpoints(out)):
        fault = find_fault(checkpoint)
        if fault is None:
            for damaged, what in faults.items():
                aside = damaged.with_name(_DAMAGED + damaged.name)
                shutil.rmtree(aside, ignore_errors=True)
                damaged.rename(aside)
                note(f"{damaged} is damaged ({what}); it is set aside as {aside.name}")
            return checkpoint
        faults[checkpoint] = fault
    if faults:
        checkpoint, fault = next(iter(faults.items()))
        raise CheckpointError(
            f"No checkpoint in {out} is whole; of {checkpoint.name}, {fault}.",
            hint="Start again with another --out, or restore a checkpoint from a copy.",
        )
    return None


def remove_all(out: Path) -> None:
    """Delete every checkpoint of a run, damaged ones too."""
    for checkpoint in [*checkpoints(out), *out.glob(f"{_DAMAGED}checkpoint-*")]:
        shutil.rmtree(checkpoint)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
