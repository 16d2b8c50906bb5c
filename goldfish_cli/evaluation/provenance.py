"""What a number came from: versions, machine, commit, and the hashes of the files it rests on."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from goldfish_cli import __version__

_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "av", "decord", "chromadb", "numpy")


def provenance(files: Sequence[Path]) -> dict[str, Any]:
    """Gather what is needed to make a result again.

    Args:
        files: Annotation files, hashed whole (SHA-256).
    """
    return {
        "goldfish": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "machine": platform.platform(),
        "processors": _processors(),
        "gpu": _gpu(),
        "command": sys.argv[1:],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "annotations": {path.name: _hash(path) for path in files if path.is_file()},
    }


def _commit() -> str | None:
    """The commit of a source tree, with a + if files differ from it; ``None`` for a wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git here, or a tree it does not trust
        return None
    return f"{commit}+" if changed else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processors() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # scoring alone loads none
    if torch is None or not torch.cuda.is_available():
        return None
    name: str = torch.cuda.get_device_name()
    return name


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
