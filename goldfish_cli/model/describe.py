"""Say what a model is made of from configurations and file headers: no weights are loaded."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers.models.auto.configuration_auto import AutoConfig

from goldfish_cli.errors import ModelError
from goldfish_cli.model.bases import is_goldfish
from goldfish_cli.model.checkpoint import ADAPTER_FOLDER, is_small_checkpoint
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.fingerprints import load_pickle, weight_files
from goldfish_cli.model.loader import KNOWN_FORMS, MINNOW, MINNOW_FOLDER, PICKLE_SUFFIXES
from goldfish_cli.model.memory import MemoryPlanner
from goldfish_cli.model.reference_checkpoint import lora_targets, read_trained

_SERVER_PREFIX = "openai:"


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model is made of; what does not apply to its kind is empty."""

    model: str
    """The name that was asked about."""
    kind: str
    path: str = ""
    size_mib: float = 0.0
    """Weights on disk."""
    parameters: dict[str, int] = field(default_factory=dict)
    """How many each part has."""
    language_model: str = ""
    """Its architecture, such as ``llama``."""
    num_frames: int | None = None
    image_size: int | None = None
    tokens_per_frame: int | None = None
    pooling: str = ""
    prompt_style: str = ""
    adapter: dict[str, Any] = field(default_factory=dict)
    """Rank, alpha and layers of the LoRA adapter."""
    base_models: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name and content hash of what it was trained upon."""


def describe_model(name: str, *, offline: bool = False) -> ModelDescription:
    """Describe a model of any kind but a server's.

    Raises:
        ModelError: If there is no such model.
    """
    path = _path(name)
    if path.is_file() and path.suffix in PICKLE_SUFFIXES:
        return _describe_reference(name, path)
    if is_goldfish(path):
        return _describe_goldfish(name, path)
    if name.startswith(_SERVER_PREFIX):
        raise ModelError(f"{name} is on a server, which does not tell what it is made of.")
    return _describe_transformers(name, path, offline=offline)


def _path(name: str) -> Path:
    if name != MINNOW:
        return Path(name).expanduser()
    if not is_goldfish(MINNOW_FOLDER):
        raise ModelError(
            f"The bundled model is missing from {MINNOW_FOLDER}.",
            hint="Install Goldfish again, or make the model with: make minnow",
        )
    return MINNOW_FOLDER


def _describe_goldfish(name: str, path: Path) -> ModelDescription:
    config = GoldfishConfig.from_pretrained(path)
    planner = MemoryPlanner(config)
    parameters = {
        "vision encoder": planner.num_vision,
        "projector": planner.num_projector,
        "language model": planner.num_quantizable + planner.num_other,
    }
    small = is_small_checkpoint(path)
    return ModelDescription(
        model=name,
        kind="Goldfish checkpoint, upon its base models" if small else "Goldfish model, whole",
        path=str(path),
        size_mib=_size_mib(path),
        parameters=parameters,
        language_model=config.text_config.model_type,
        num_frames=config.num_frames,
        image_size=config.image_size,
        tokens_per_frame=config.tokens_per_frame,
        pooling=config.pooling,
        prompt_style=config.prompt_style,
        adapter=_read_adapter(path / ADAPTER_FOLDER / "adapter_config.json"),
        base_models=config.base_models,
    )


def _read_adapter(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        "rank": content["r"],
        "alpha": content["lora_alpha"],
        "layers": sorted(content["target_modules"]),
    }


def _describe_reference(name: str, path: Path) -> ModelDescription:
    trained = read_trained(load_pickle(path))
    parameters = {
        "projector": sum(tensor.numel() for tensor in trained.projector.values()),
        "adapter": sum(tensor.numel() for tensor in trained.lora.values()),
    }
    rank = next((t.shape[0] for key, t in trained.lora.items() if "lora_A" in key), None)
    adapter = {"rank": rank, "alpha": trained.lora_alpha, "layers": lora_targets(trained.lora)}
    base = trained.settings.get("llama_model")
    return ModelDescription(
        model=name,
        kind="MiniGPT4-Video checkpoint",
        path=str(path),
        size_mib=_size_mib(path),
        parameters={part: count for part, count in parameters.items() if count},
        image_size=trained.settings.get("image_size"),
        pooling="concat" if trained.settings.get("token_pooling", True) else "none",
        prompt_style="reference",
        adapter=adapter if trained.lora else {},
        base_models={"language_model": {"name": str(base)}} if base else {},
    )


def _describe_transformers(name: str, path: Path, *, offline: bool) -> ModelDescription:
    try:
        config = AutoConfig.from_pretrained(
            path if path.is_dir() else name, local_files_only=offline or path.is_dir()
        )
    except (OSError, ValueError) as error:
        where = "is not on this machine" if offline else "cannot be found"
        raise ModelError(f"The model {name} {where}.", hint=KNOWN_FORMS) from error
    return ModelDescription(
        model=name,
        kind=f"Transformers model, {', '.join(config.architectures or [config.model_type])}",
        path=str(path) if path.is_dir() else "",
        size_mib=_size_mib(path) if path.is_dir() else 0.0,
        language_model=config.get_text_config().model_type,
    )


def _size_mib(path: Path) -> float:
    files = weight_files(path) + sorted((path / ADAPTER_FOLDER).glob("*.safetensors"))
    return round(sum(file.stat().st_size for file in files) / 2**20, 2)
