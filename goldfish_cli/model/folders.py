"""Model folders as a whole: they appear complete or not at all, and say what they are."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import ModelCardData
from safetensors import SafetensorError

from goldfish_cli.errors import CheckpointError, InputError
from goldfish_cli.model.bases import is_goldfish
from goldfish_cli.model.config import GoldfishConfig

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TORCH_WRITER = "inline_container"  # the file of torch's source that writes what torch.save saves


@contextmanager
def explaining_failed_writes(path: Path, hint: str) -> Iterator[None]:
    """Turn what the system, safetensors or torch say of a full disk into one error of ours.

    Args:
        path: What is written.
        hint: What to do.

    Raises:
        InputError: If the disk is full or ``path`` cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be written: {reason}.", hint=hint) from error
    except SafetensorError as error:
        raise InputError(f"{path} cannot be written: {error}.", hint=hint) from error
    except RuntimeError as error:
        if _TORCH_WRITER not in str(error):
            raise
        reason = "not all of it could be stored"  # torch does not tell what the system told it
        raise InputError(f"{path} cannot be written: {reason}.", hint=hint) from error


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside ``folder`` that takes its place once the work has succeeded."""
    if folder.exists() and not (folder.is_dir() and (_is_empty(folder) or _is_ours(folder))):
        raise CheckpointError(f"{folder} exists and is not a Goldfish model; nothing was written.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(old)
        shutil.move(new, folder)


def model_card(
    config: GoldfishConfig,
    description: str,
    *,
    has_adapter: bool,
    whole: bool = False,
    askable: bool = True,
    details: str = "",
) -> str:
    """Write the README of a model folder: what it is, and what it was trained upon.

    Args:
        config: Of the model.
        description: A paragraph.
        has_adapter: Whether the folder holds a LoRA adapter beside the projector.
        whole: Whether all weights of the language model were trained.
        askable: Whether ``goldfish ask`` takes the folder as a model.
        details: Further sections in Markdown.
    """
    bases = [
        f"- {role.replace('_', ' ')}: `{record['name']}` (content `{record['hash']}`)"
        for role, record in config.base_models.items()
    ]
    beside = " and LoRA adapter" if has_adapter else " and all of the language model"
    holds = f"projector{beside if has_adapter or whole else ''}"
    ask = "Ask it with: `goldfish ask VIDEO QUESTION --model THIS_FOLDER`"
    lines = [
        "---",
        _metadata(config, has_adapter),
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
        *([ask, ""] if askable else []),
        *([details, ""] if details else []),
    ]
    return "\n".join(lines)


def _metadata(config: GoldfishConfig, has_adapter: bool) -> str:
    """Write what the Hugging Face hub sorts models by; it knows bases by their hub id alone."""
    names = {record["name"] for record in config.base_models.values()}
    known = sorted(n for n in names if _HUB_ID.fullmatch(n) and not Path(n).exists())
    return ModelCardData(
        library_name="goldfish-video",
        pipeline_tag="video-text-to-text",
        tags=["video", "goldfish", *(["peft", "lora"] if has_adapter else [])],
        base_model=known or None,
    ).to_yaml()


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder holds a Goldfish model, or an adapter with its projector."""
    adapter = ("adapter_config.json", "projector.safetensors")
    return is_goldfish(folder) or all((folder / name).is_file() for name in adapter)


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())
