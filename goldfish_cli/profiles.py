"""Read and check the profiles of ``profiles/*.yaml``. Knows neither torch nor the machine."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from goldfish_cli.errors import ProfileError

AUTO = "auto"
_PACKAGE = Path(__file__).parent
_SHIPPED_FOLDERS = (_PACKAGE / "_profiles", _PACKAGE.parent / "profiles")  # wheel, source tree


class Profile(BaseModel):
    """What one machine can hold: precision, frames, tokens and batch. Unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=()
    )

    name: str
    """The name that answers, checkpoints and indexes remember; the file's name when left out."""
    description: str = ""
    """The machine that the profile fits, in one sentence."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the model runs; auto: the GPU if torch sees one, else the processor."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Format of weights that are not quantized; auto: the best that the device computes in."""
    quantization: Literal["none", "int8", "nf4"] = "none"
    """Weight format of the language model's linear layers, by bitsandbytes: 16, 8 or 4 bits."""
    memory_gib: PositiveFloat | None = None
    """Memory budget in GiB that the planner checks against; null: what the machine has."""
    max_frames: PositiveInt | None = None
    """Most frames seen of one clip, each costs its visual tokens; null: as many as in training."""
    sampling: Literal["uniform", "fps", "keyframes", "scene", "reference"] = "uniform"
    """How frames are chosen; uniform: each in the middle of its share of the clip."""
    pooling: Literal["concat", "mean", "none"] | None = None
    """How neighbouring visual tokens merge before the projector; null: as in training."""
    max_text_tokens: PositiveInt = 160
    """Longest answer in training, in tokens; longer ones are cut."""
    max_context_tokens: PositiveInt = 1024
    """Longest prompt in tokens, visual tokens included."""
    subtitle_words: NonNegativeInt = 400
    """Most words that all subtitles of one prompt may have; 0: none."""
    batch_size: PositiveInt = 1
    """Samples in one training step."""
    gradient_accumulation: PositiveInt = 1
    """Training steps that share one update; batch_size times this is the effective batch."""
    activation_checkpointing: bool = True
    """Recompute activations in the backward pass: about a third more time, far less memory."""
    encoder_chunk: PositiveInt = 8
    """Frames that go through the vision encoder at once."""
    max_new_tokens: PositiveInt = 256
    """Longest answer that is generated, in tokens."""
    whisper_model: str = "base"
    """Whisper model for speech: tiny, base, small, medium, large, turbo or a path to weights."""
    threads: PositiveInt | None = None
    """Processor threads for torch; null: torch's own choice."""


def profile_names() -> list[str]:
    """Return the names of the shipped profiles, the smallest machine first."""
    names = [path.stem for path in _shipped_folder().glob("*.yaml")]
    return sorted(names, key=lambda name: (_gigabytes(name), name != "tiny", name))


def load_profile(name_or_path: str | Path, **overrides: object) -> Profile:
    """Read a shipped profile by name, or any profile by path, and check it.

    Args:
        name_or_path: ``"24gb"``, or a path: one that ends in .yaml or .yml or names a folder.
        **overrides: Fields to replace; ``None`` means not given.

    Raises:
        ProfileError: If there is no such profile, or with all mistakes that it holds.
    """
    path = _find(name_or_path)
    values = {"name": path.stem} | _read_yaml(path)
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        mistakes = [_describe(item) for item in error.errors(include_url=False)]
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ProfileError(
            f"{count} in profile {path.name}: {'; '.join(mistakes)}.",
            hint="See every setting and what it means with: goldfish profile show cpu",
        ) from error


def choose_profile(gpu_memory_gib: float | None) -> str:
    """Name the shipped profile that ``auto`` stands for.

    Args:
        gpu_memory_gib: Total memory of the GPU in GiB; ``None`` without one.
    """
    if gpu_memory_gib is None:
        return "cpu"
    profiles = [load_profile(name) for name in profile_names()]
    budgets = {profile.name: profile.memory_gib for profile in profiles if profile.memory_gib}
    fitting = [name for name, budget in budgets.items() if budget <= gpu_memory_gib]
    return max(fitting, key=budgets.__getitem__, default="cpu")


def field_help() -> dict[str, str]:
    """Map each field of a profile to its documentation, in order."""
    return {name: field.description or "" for name, field in Profile.model_fields.items()}


def _shipped_folder() -> Path:
    return next(folder for folder in _SHIPPED_FOLDERS if folder.is_dir())


def _gigabytes(name: str) -> int:
    digits = name.removesuffix("gb")
    return int(digits) if digits.isdigit() else 0


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    names = profile_names()
    if text in names:
        return _shipped_folder() / f"{text}.yaml"
    path = Path(name_or_path).expanduser()
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        if path.is_file():
            return path
        raise ProfileError(
            f"There is no profile file {text}.", hint=f"Shipped profiles: {', '.join(names)}"
        )
    if text == AUTO:
        raise ProfileError(
            "The profile 'auto' stands for another one, which depends on the machine.",
            hint=f"Name one of: {', '.join(names)}",
        )
    nearest = get_close_matches(text, names, n=1, cutoff=0.4)
    suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
    raise ProfileError(
        f"There is no profile '{text}'.",
        hint=f"{suggestion}Known: auto, {', '.join(names)}, or the path of a YAML file",
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ProfileError(
            f"Profile {path.name} cannot be read: {reason}",
            hint="A profile is a YAML file of lines like: max_frames: 16",
        ) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ProfileError(
            f"Profile {path.name} holds no settings.",
            hint="A profile is a YAML file of lines like: max_frames: 16",
        )
    return values


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        nearest = get_close_matches(field, Profile.model_fields, n=1)
        return f"unknown key {field}" + (f" (did you mean {nearest[0]}?)" if nearest else "")
    return f"{field} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
