"""Base models in, a model with a new projector out: where training starts and imports continue."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.models.auto.tokenization_auto import AutoTokenizer

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.model.bases import (
    Placement,
    Role,
    find_base,
    identify,
    load_language_model,
    load_vision_encoder,
)
from goldfish_cli.model.checkpoint import save_checkpoint
from goldfish_cli.model.config import GoldfishConfig, Pooling
from goldfish_cli.model.devices import choose_device, choose_dtype
from goldfish_cli.model.fingerprints import weight_files
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.projector import VisualProjector
from goldfish_cli.model.prompt_styles import IMAGE, STYLES, PromptStyle
from goldfish_cli.profiles import Profile


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to answer, with what belongs to it."""

    model: GoldfishForConditionalGeneration
    tokenizer: Any
    """Of the language model, a Transformers tokenizer."""
    config: GoldfishConfig
    name: str
    """As it was asked for."""
    device: torch.device
    style: PromptStyle
    """The template that the model was trained with."""
    notes: tuple[str, ...] = ()
    """What a user should know, one sentence each."""


def start_model(
    profile: Profile,
    *,
    bases: Mapping[str, str],
    pooling: Pooling = "concat",
    pooling_size: int = 4,
    num_frames: int = 45,
    image_size: int | None = None,
    offline: bool = False,
    with_vision_encoder: bool = True,
) -> LoadedModel:
    """Join base models with a new projector: where the first training stage starts.

    Args:
        profile: Device, number format, quantization, and the pooling if it names one.
        bases: Path or hub id of the ``vision_encoder`` and the ``language_model``.
        pooling: See ``GoldfishConfig``.
        pooling_size: See ``GoldfishConfig``.
        num_frames: Frames per clip in training.
        image_size: Side of the frames in pixels; ``None``: what the encoder was trained with.
        offline: Fetch nothing from the network.
        with_vision_encoder: ``False`` drops the encoder once its size and hash are known.

    Raises:
        ModelError: If a base is not there.
        CheckpointError: If a base is not whole.
    """
    places = _find_both(bases, offline)
    placement = place(profile, places["language_model"])
    encoder = load_vision_encoder(places["vision_encoder"], placement, image_size=image_size)
    language_model = load_language_model(places["language_model"], placement)
    tokenizer = load_tokenizer(places["language_model"])
    config = _joined_config(
        encoder.config,
        language_model.config,
        tokenizer,
        bases,
        places,
        pooling=profile.pooling or pooling,
        pooling_size=pooling_size,
        num_frames=num_frames,
    )
    model = GoldfishForConditionalGeneration.from_parts(
        config,
        vision_encoder=encoder if with_vision_encoder else None,
        language_model=language_model,
    )
    return ready(model, tokenizer, placement)


def write_start(
    folder: Path,
    *,
    bases: Mapping[str, str],
    pooling: Pooling = "concat",
    num_frames: int = 45,
    image_size: int | None = None,
    seed: int = 0,
    offline: bool = False,
) -> None:
    """Write a checkpoint with a new projector, upon base models: where stage 1 starts.

    The language model's weights are not loaded, so this takes little memory.

    Args:
        folder: New, or an earlier Goldfish model.
        bases: Path or hub id of the ``vision_encoder`` and the ``language_model``.
        pooling: See ``GoldfishConfig``; four tokens become one.
        num_frames: Frames per clip in training.
        image_size: Side of the frames in pixels; ``None``: what the encoder was trained with.
        seed: Chooses the projector's first weights.
        offline: Fetch nothing from the network.

    Raises:
        ModelError: If a base is not there.
        CheckpointError: If a base is not whole, or ``folder`` holds something else.
    """
    places = _find_both(bases, offline)
    placement = Placement(torch.device("cpu"), torch.float16)  # as the encoder is stored
    encoder = load_vision_encoder(places["vision_encoder"], placement, image_size=image_size)
    tokenizer = load_tokenizer(places["language_model"])
    text = AutoConfig.from_pretrained(places["language_model"]).get_text_config()
    with torch.device("meta"):
        language_model = AutoModelForCausalLM.from_config(text)
    config = _joined_config(
        encoder.config, text, tokenizer, bases, places, pooling=pooling, num_frames=num_frames
    )
    model = GoldfishForConditionalGeneration.from_parts(
        config, vision_encoder=None, language_model=language_model
    )
    torch.manual_seed(seed)
    model.projector = VisualProjector(config.pooled_dim, config.text_config.hidden_size)
    save_checkpoint(
        model,
        folder,
        tokenizer,
        settings={"seed": seed},
        description="A projector that has learnt nothing yet: where stage 1 starts.",
    )


def _joined_config(
    vision: Any,
    text: Any,
    tokenizer: Any,
    bases: Mapping[str, str],
    places: Mapping[Role, Path],
    **settings: Any,
) -> GoldfishConfig:
    text_config = text.to_dict()
    text_config.pop("quantization_config", None)  # a matter of the profile, not of the model
    return GoldfishConfig(
        vision,
        text_config,
        image_token_id=_image_token_id(tokenizer, text_config["vocab_size"]),
        base_models={
            role: {"name": _lasting_name(bases[role], path), "hash": identify(path, role)}
            for role, path in places.items()
        },
        **settings,
    )


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model folder.

    Raises:
        CheckpointError: If there is none.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{folder} has no tokenizer that can be read: {reason}") from error


def place(profile: Profile, path: Path) -> Placement:
    """Say where and how the weights at ``path`` are loaded under a profile.

    Raises:
        CheckpointError: If there are no weights.
        ProfileError: If the machine does not have what the profile asks for.
    """
    device = choose_device(profile)
    stored_bytes = sum(file.stat().st_size for file in weight_files(path))
    dtype = choose_dtype(profile, device, stored_bytes)
    return Placement(device, dtype, profile.quantization)


def ready(
    model: GoldfishForConditionalGeneration, tokenizer: Any, placement: Placement
) -> LoadedModel:
    """Freeze a joined model and put it together with what belongs to it.

    Raises:
        CheckpointError: If its prompt style is unknown.
    """
    config = model.config
    if config.prompt_style not in STYLES:
        known = ", ".join(STYLES)
        raise CheckpointError(
            f"The model's prompt style {config.prompt_style!r} is unknown.", hint=f"Known: {known}"
        )
    model.choose_trainable(projector=False, adapter=False)
    model.train(False)
    style = STYLES[config.prompt_style]
    return LoadedModel(model, tokenizer, config, "", placement.device, style)


def _find_both(bases: Mapping[str, str], offline: bool) -> dict[Role, Path]:
    roles: tuple[Role, ...] = ("vision_encoder", "language_model")
    missing = [role.replace("_", " ") for role in roles if role not in bases]
    if missing:
        raise ModelError(f"No {missing[0]} is named to build the model on.")
    return {role: find_base(bases[role], role, offline=offline) for role in roles}


def _lasting_name(name: str, path: Path) -> str:
    """Return a name that still leads to the base model from another working directory."""
    return str(path.resolve()) if Path(name).expanduser().exists() else name


def _image_token_id(tokenizer: Any, vocabulary: int) -> int:
    """Return the id of the image marker, or the first one outside the vocabulary."""
    known = tokenizer.get_vocab().get(IMAGE)
    return int(known) if known is not None else max(vocabulary, len(tokenizer))
