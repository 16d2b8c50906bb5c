"""Model folders as a whole: they appear complete or not at all, and say what they are."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldfish_cli.errors import CheckpointError
from goldfish_cli.model.bases import is_goldfish
from goldfish_cli.model.config import GoldfishConfig


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside ``folder`` that takes its place once the work has succeeded."""
    if folder.exists() and not (folder.is_dir() and (_is_empty(folder) or is_goldfish(folder))):
        raise CheckpointError(f"{folder} exists and is not a Goldfish model; nothing was written.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        shutil.move(new, folder)


def model_card(config: GoldfishConfig, description: str, *, has_adapter: bool) -> str:
    """Write the README of a model folder: what it is, and what it was trained upon."""
    bases = [
        f"- {role.replace('_', ' ')}: `{record['name']}` (content `{record['hash']}`)"
        for role, record in config.base_models.items()
    ]
    holds = "projector and LoRA adapter" if has_adapter else "projector"
    lines = [
        "---",
        "library_name: goldfish-video",
        "pipeline_tag: video-text-to-text",
        "---",
        "# A Goldfish video-language model",
        "",
        description or "It answers questions about short videos.",
        "",
        f"- each frame: {config.image_size} pixels a side, {config.tokens_per_frame} visual tokens",
        f"- frames per clip in training: {config.num_frames}",
        f"- trained part: {holds}",
        *(["", "Trained upon:", "", *bases] if bases else []),
        "",
        "Ask it with: `goldfish ask VIDEO QUESTION --model THIS_FOLDER`",
        "",
    ]
    return "\n".join(lines)


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())
