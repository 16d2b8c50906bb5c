"""The one loader: a model's name and a profile in, a model ready to answer out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.tokenization_auto import AutoTokenizer

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.model.bases import MINNOW as MINNOW
from goldfish_cli.model.bases import MINNOW_FOLDER as MINNOW_FOLDER
from goldfish_cli.model.bases import (
    Placement,
    Role,
    find_base,
    identify,
    is_goldfish,
    load_language_model,
    load_vision_encoder,
    load_whole,
)
from goldfish_cli.model.checkpoint import (
    base_path,
    is_small_checkpoint,
    load_checkpoint,
    set_projector,
)
from goldfish_cli.model.config import GoldfishConfig, Pooling
from goldfish_cli.model.devices import choose_device, choose_dtype
from goldfish_cli.model.fingerprints import load_pickle, weight_files
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.prompt_styles import IMAGE, STYLES, PromptStyle
from goldfish_cli.model.reference_checkpoint import (
    TrainedWeights,
    lora_targets,
    read_trained,
    vision_config_of,
)
from goldfish_cli.profiles import Profile

PICKLE_SUFFIXES = (".pth", ".pt")
KNOWN_FORMS = (
    "A model is: minnow (bundled), a Goldfish checkpoint folder, a MiniGPT4-Video .pth file, "
    "a Transformers model, or openai:MODEL@URL."
)


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


def load_model(
    name: str,
    profile: Profile,
    *,
    bases: Mapping[str, str] | None = None,
    offline: bool = False,
    with_vision_encoder: bool = True,
) -> LoadedModel:
    """Load a native model as a profile wants it.

    Args:
        name: ``minnow``, a Goldfish checkpoint or model folder, or a MiniGPT4-Video ``.pth``.
        profile: Device, number format and quantization.
        bases: Paths or hub ids for ``vision_encoder`` and ``language_model``, where a checkpoint is
            built on base models; what it names itself otherwise.
        offline: Fetch nothing from the network.
        with_vision_encoder: ``False`` if stored features are all that the model will see.

    Raises:
        ModelError: If the name is of no known form, or a part is not there.
        CheckpointError: If weights are missing, left over, or do not belong together.
        ProfileError: If the machine does not have what the profile asks for.
    """
    path = _path_of(name)
    if path.is_file() and path.suffix in PICKLE_SUFFIXES:
        loaded = _load_reference(path, profile, bases or {}, offline, with_vision_encoder)
    elif is_small_checkpoint(path):
        config = GoldfishConfig.from_pretrained(path)
        base = base_path(path, config, "language_model", bases=bases, offline=offline)
        placement = _place(profile, _weight_bytes(base))
        model = load_checkpoint(
            path,
            placement,
            bases=bases,
            offline=offline,
            with_vision_encoder=with_vision_encoder,
        )
        loaded = _ready(model, load_tokenizer(path), placement)
    elif is_goldfish(path):
        placement = _place(profile, _weight_bytes(path))
        model = load_whole(
            GoldfishForConditionalGeneration,
            path,
            with_vision_encoder=with_vision_encoder,
            **placement.loading_options(),
        )
        loaded = _ready(model, load_tokenizer(path), placement)
    else:
        raise ModelError(_why_not(name, path), hint=KNOWN_FORMS)
    _check_pooling(loaded.config, profile)
    return replace(loaded, name=name)


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
    placement = _place(profile, _weight_bytes(places["language_model"]))
    encoder = load_vision_encoder(places["vision_encoder"], placement, image_size=image_size)
    language_model = load_language_model(places["language_model"], placement)
    tokenizer = load_tokenizer(places["language_model"])
    text_config = language_model.config.to_dict()
    text_config.pop("quantization_config", None)  # a matter of the profile, not of the model
    config = GoldfishConfig(
        encoder.config,
        text_config,
        pooling=profile.pooling or pooling,
        pooling_size=pooling_size,
        image_token_id=_image_token_id(tokenizer, text_config["vocab_size"]),
        num_frames=num_frames,
        base_models={
            role: {"name": bases[role], "hash": identify(path, role)}
            for role, path in places.items()
        },
    )
    model = GoldfishForConditionalGeneration.from_parts(
        config,
        vision_encoder=encoder if with_vision_encoder else None,
        language_model=language_model,
    )
    return _ready(model, tokenizer, placement)


def load_config(
    name: str, *, bases: Mapping[str, str] | None = None, offline: bool = False
) -> GoldfishConfig:
    """Read a native model's configuration without its weights, to plan with.

    Args:
        name: As for ``load_model``.
        bases: As for ``load_model``.
        offline: Fetch nothing from the network.

    Raises:
        ModelError: If the name is of no known form, or the base of a ``.pth`` is not there.
        CheckpointError: If a ``.pth`` is not of MiniGPT4-Video.
    """
    path = _path_of(name)
    if is_goldfish(path):
        return GoldfishConfig.from_pretrained(path)
    if not (path.is_file() and path.suffix in PICKLE_SUFFIXES):
        raise ModelError(_why_not(name, path), hint=KNOWN_FORMS)
    trained = read_trained(load_pickle(path))
    names = {**_usual_bases(path, trained), **(bases or {})}
    folder = find_base(
        names["language_model"], "language_model", offline=offline, files=("config.json",)
    )
    encoder = Path(names["vision_encoder"])
    return GoldfishConfig(
        vision_config_of(load_pickle(encoder)) if encoder.is_file() else None,
        AutoConfig.from_pretrained(folder, local_files_only=True),
        pooling=_reference_pooling(trained),
        num_frames=_reference_frames(names["language_model"]),
        prompt_style="reference",
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


def _load_reference(
    path: Path,
    profile: Profile,
    bases: Mapping[str, str],
    offline: bool,
    with_vision_encoder: bool,
) -> LoadedModel:
    """Join a MiniGPT4-Video checkpoint with its base models."""
    trained = read_trained(load_pickle(path))
    names = {**_usual_bases(path, trained), **bases}
    start = start_model(
        profile.model_copy(update={"pooling": None}),
        bases=names,
        pooling=_reference_pooling(trained),
        num_frames=_reference_frames(names["language_model"]),
        image_size=int(trained.settings.get("image_size", 224)),
        offline=offline,
        with_vision_encoder=with_vision_encoder,
    )
    start.config.prompt_style = "reference"
    set_projector(start.model, trained.projector, source=str(path))
    if trained.lora:
        from goldfish_cli.model.adapters import add_lora, set_lora  # PEFT costs seconds to import

        rank = next(tensor.shape[0] for name, tensor in trained.lora.items() if "lora_A" in name)
        targets = lora_targets(trained.lora)
        add_lora(start.model, r=rank, alpha=trained.lora_alpha, targets=targets)
        set_lora(start.model, trained.lora, source=str(path))
        start.model.choose_trainable(projector=False, adapter=False)
        start.model.train(False)
    return replace(start, style=STYLES[start.config.prompt_style])


def _usual_bases(path: Path, trained: TrainedWeights) -> dict[str, str]:
    """Say where a reference checkpoint's base models are when nobody says so."""
    name = trained.settings.get("llama_model") or "meta-llama/Llama-2-7b-chat-hf"
    return {
        "language_model": str(name),
        "vision_encoder": str(path.with_name("eva_vit_g.pth")),
    }


def _reference_pooling(trained: TrainedWeights) -> Pooling:
    return "concat" if trained.settings.get("token_pooling", True) else "none"


def _reference_frames(language_model: str) -> int:
    return 90 if "mistral" in language_model.lower() else 45


def _find_both(bases: Mapping[str, str], offline: bool) -> dict[Role, Path]:
    roles: tuple[Role, ...] = ("vision_encoder", "language_model")
    missing = [role.replace("_", " ") for role in roles if role not in bases]
    if missing:
        raise ModelError(f"No {missing[0]} is named to build the model on.")
    return {role: find_base(bases[role], role, offline=offline) for role in roles}


def _place(profile: Profile, weight_bytes: int) -> Placement:
    device = choose_device(profile)
    dtype = choose_dtype(profile, device, weight_bytes)
    return Placement(device, dtype, profile.quantization)


def _ready(
    model: GoldfishForConditionalGeneration, tokenizer: Any, placement: Placement
) -> LoadedModel:
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


def _image_token_id(tokenizer: Any, vocabulary: int) -> int:
    """Return the id of the image marker, or the first one outside the vocabulary."""
    known = tokenizer.get_vocab().get(IMAGE)
    return int(known) if known is not None else max(vocabulary, len(tokenizer))


def _weight_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in weight_files(path))


def _check_pooling(config: GoldfishConfig, profile: Profile) -> None:
    if profile.pooling is not None and profile.pooling != config.pooling:
        raise ModelError(
            f"The model was trained with pooling {config.pooling}, the profile {profile.name} asks "
            f"for {profile.pooling}.",
            hint="Leave pooling out of the profile, or train the projector anew.",
        )


def _path_of(name: str) -> Path:
    return MINNOW_FOLDER if name == MINNOW else Path(name).expanduser()


def _why_not(name: str, path: Path) -> str:
    if name == MINNOW:
        return f"The bundled model is not in this installation: {MINNOW_FOLDER} is missing."
    if path.suffix in PICKLE_SUFFIXES:
        return f"There is no file {name}."
    if path.is_dir():
        return f"The folder {name} holds no Goldfish model."
    return f"There is no native model {name}."
