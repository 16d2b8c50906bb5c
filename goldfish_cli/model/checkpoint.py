"""Small checkpoints: what was trained, and the names and hashes of what it was trained upon.

A folder holds ``config.json``, ``projector.safetensors``, ``adapter/`` (PEFT, if there is one), the
tokenizer, ``goldfish.yaml`` (the settings it was made with) and a model card.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import goldfish_cli
from goldfish_cli.errors import CheckpointError
from goldfish_cli.model.bases import (
    Placement,
    Role,
    find_base,
    identify,
    is_goldfish,
    load_language_model,
    load_vision_encoder,
)
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.folders import model_card, replacing_folder
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration

PROJECTOR_FILE = "projector.safetensors"
ADAPTER_FOLDER = "adapter"
SETTINGS_FILE = "goldfish.yaml"


def is_small_checkpoint(folder: Path) -> bool:
    """Tell whether a folder is a small checkpoint, not a whole model."""
    return (folder / PROJECTOR_FILE).is_file() and is_goldfish(folder)


def save_checkpoint(
    model: GoldfishForConditionalGeneration,
    folder: Path,
    tokenizer: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    description: str = "",
) -> None:
    """Write what was trained, whole or not at all.

    Args:
        model: Its configuration names its base models.
        folder: An earlier checkpoint there is replaced.
        tokenizer: Of the language model.
        settings: The resolved settings that the model was trained with: plain values.
        description: A paragraph for the model card.

    Raises:
        CheckpointError: If ``folder`` holds something else.
    """
    with replacing_folder(folder) as new:
        model.config.save_pretrained(new)
        tokenizer.save_pretrained(new)
        save_file(contiguous(model.projector.state_dict()), new / PROJECTOR_FILE)
        if has_adapter(model):
            from goldfish_cli.model.adapters import save_lora  # PEFT costs seconds to import

            save_lora(model, new / ADAPTER_FOLDER)
        content = {"made_with": goldfish_cli.__version__, "settings": dict(settings or {})}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (new / SETTINGS_FILE).write_text(text, encoding="utf-8")
        card = model_card(model.config, description, has_adapter=has_adapter(model))
        (new / "README.md").write_text(card, encoding="utf-8")


def load_checkpoint(
    folder: Path,
    placement: Placement,
    *,
    bases: Mapping[str, str] | None = None,
    offline: bool = False,
    with_vision_encoder: bool = True,
) -> GoldfishForConditionalGeneration:
    """Load a small checkpoint upon its base models.

    Args:
        folder: Written by ``save_checkpoint``.
        placement: Where the weights go.
        bases: Other places of the same base models, by role; the checkpoint's own names otherwise.
        offline: Fetch nothing.
        with_vision_encoder: ``False`` if stored features are all that the model will see.

    Raises:
        CheckpointError: If a key is missing or left over, or a base is not the one trained upon.
        ModelError: If a base is not there.
    """
    config = GoldfishConfig.from_pretrained(folder)
    encoder = None
    if with_vision_encoder:
        path = base_path(folder, config, "vision_encoder", bases=bases, offline=offline)
        encoder = load_vision_encoder(path, placement, image_size=config.image_size)
    path = base_path(folder, config, "language_model", bases=bases, offline=offline)
    model = GoldfishForConditionalGeneration.from_parts(
        config,
        vision_encoder=encoder,
        language_model=load_language_model(path, placement),
    )
    try:
        projector = load_file(folder / PROJECTOR_FILE)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / PROJECTOR_FILE} is not whole: {error}.") from error
    set_projector(model, projector, source=str(folder))
    if (folder / ADAPTER_FOLDER).is_dir():
        from goldfish_cli.model.adapters import load_lora  # PEFT costs seconds to import

        load_lora(model, folder / ADAPTER_FOLDER)
        model.train(False)
    return model


def base_path(
    folder: Path,
    config: GoldfishConfig,
    role: Role,
    *,
    bases: Mapping[str, str] | None = None,
    offline: bool = False,
) -> Path:
    """Find a base model of a small checkpoint and make sure that it is the one trained upon.

    Args:
        folder: The checkpoint.
        config: The checkpoint's.
        role: Which part.
        bases: See ``load_checkpoint``.
        offline: Fetch nothing.

    Raises:
        CheckpointError: If the checkpoint names no such base, or its content is another.
        ModelError: If it is not there.
    """
    part = role.replace("_", " ")
    record = config.base_models.get(role)
    if record is None:
        raise CheckpointError(f"{folder} does not name the {part} that it was trained on.")
    name = (bases or {}).get(role, record["name"])
    path = find_base(name, role, offline=offline, beside=folder)
    found = identify(path, role)
    if found != record["hash"]:
        raise CheckpointError(
            f"{folder} was trained on the {part} {record['name']} (content {record['hash'][:12]}); "
            f"{path} is another one (content {found[:12]}).",
            hint=f"Give the {part} that it was trained on.",
        )
    return path


def set_projector(
    model: GoldfishForConditionalGeneration, state: Mapping[str, Tensor], *, source: str
) -> None:
    """Copy projector weights into a model.

    Args:
        model: Changed in place.
        state: Named as in ``VisualProjector``.
        source: Where they come from, for messages.

    Raises:
        CheckpointError: If names or shapes do not fit.
    """
    wanted = model.projector.state_dict()
    for name in sorted(set(wanted) ^ set(state)):
        fault = "lacks" if name in wanted else "holds an unknown"
        raise CheckpointError(f"The projector of {source} {fault} {name}.")
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"The projector of {source} has {name} as {list(tensor.shape)}, "
                f"these base models take {list(wanted[name].shape)}.",
                hint="It was trained on other base models, or with another pooling.",
            )
    model.projector.load_state_dict(dict(state))


def has_adapter(model: GoldfishForConditionalGeneration) -> bool:
    """Tell whether the language model carries an adapter, without importing PEFT."""
    return getattr(model.language_model, "peft_config", None) is not None


def contiguous(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors takes them: in main memory, each in one piece."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
