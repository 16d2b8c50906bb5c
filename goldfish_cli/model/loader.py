"""The one loader: a model's name and a profile in, a model ready to answer out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from transformers.models.auto.configuration_auto import AutoConfig

from goldfish_cli.errors import ModelError
from goldfish_cli.model.bases import MINNOW as MINNOW
from goldfish_cli.model.bases import MINNOW_FOLDER as MINNOW_FOLDER
from goldfish_cli.model.bases import find_base, is_goldfish, load_whole
from goldfish_cli.model.checkpoint import (
    base_path,
    is_small_checkpoint,
    load_checkpoint,
    set_projector,
)
from goldfish_cli.model.config import GoldfishConfig, Pooling
from goldfish_cli.model.fingerprints import load_pickle
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.prompt_styles import STYLES
from goldfish_cli.model.reference_checkpoint import (
    TrainedWeights,
    lora_targets,
    read_trained,
    vision_config_of,
)
from goldfish_cli.model.start import LoadedModel as LoadedModel
from goldfish_cli.model.start import load_tokenizer as load_tokenizer
from goldfish_cli.model.start import place, ready
from goldfish_cli.model.start import start_model as start_model
from goldfish_cli.profiles import Profile

PICKLE_SUFFIXES = (".pth", ".pt")
KNOWN_FORMS = (
    "A model is: minnow (bundled), a Goldfish checkpoint folder, a MiniGPT4-Video .pth file, "
    "a Transformers model, or openai:MODEL@URL."
)


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
    path = model_path(name)
    if path.is_file() and path.suffix in PICKLE_SUFFIXES:
        loaded = _load_reference(path, profile, bases or {}, offline, with_vision_encoder)
    elif is_small_checkpoint(path):
        config = GoldfishConfig.from_pretrained(path)
        base = base_path(path, config, "language_model", bases=bases, offline=offline)
        placement = place(profile, base)
        model = load_checkpoint(
            path,
            placement,
            bases=bases,
            offline=offline,
            with_vision_encoder=with_vision_encoder,
        )
        loaded = ready(model, load_tokenizer(path), placement)
    elif is_goldfish(path):
        placement = place(profile, path)
        model = load_whole(
            GoldfishForConditionalGeneration,
            path,
            with_vision_encoder=with_vision_encoder,
            **placement.loading_options(),
        )
        loaded = ready(model, load_tokenizer(path), placement)
    else:
        raise ModelError(_why_not(name, path), hint=KNOWN_FORMS)
    _check_pooling(loaded.config, profile)
    return replace(loaded, name=name)


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
    path = model_path(name)
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


def _check_pooling(config: GoldfishConfig, profile: Profile) -> None:
    if profile.pooling is not None and profile.pooling != config.pooling:
        raise ModelError(
            f"The model was trained with pooling {config.pooling}, the profile {profile.name} asks "
            f"for {profile.pooling}.",
            hint="Leave pooling out of the profile, or train the projector anew.",
        )


def model_path(name: str) -> Path:
    """Return the file or folder that a model's name stands for; it need not exist."""
    return MINNOW_FOLDER if name == MINNOW else Path(name).expanduser()


def _why_not(name: str, path: Path) -> str:
    if name == MINNOW:
        return f"The bundled model is not in this installation: {MINNOW_FOLDER} is missing."
    if path.suffix in PICKLE_SUFFIXES:
        return f"There is no file {name}."
    if path.is_dir():
        return f"The folder {name} holds no Goldfish model."
    return f"There is no native model {name}."
