"""The frozen parts that a model is built on: find them by name, load them, tell them apart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.utils.quantization_config import BitsAndBytesConfig

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.model.fingerprints import fingerprint, load_pickle
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.quiet import mute_int8_products
from goldfish_cli.model.quiet import silent_transformers as silent_transformers
from goldfish_cli.model.reference_checkpoint import encoder_state, vision_config_of
from goldfish_cli.model.vision_encoder import VisionEncoder

MINNOW = "minnow"
MINNOW_FOLDER = Path(__file__).parents[1] / "assets" / "minnow"
Role = Literal["vision_encoder", "language_model"]
NEVER_QUANTIZED = ("vision_encoder", "projector", "lm_head")
EVA_URL = (
    "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/eva_vit_g.pth"
)
MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights go and in which format."""

    device: torch.device
    dtype: torch.dtype
    """Of weights that are not quantized."""
    quantization: Literal["none", "int8", "nf4"] = "none"
    """Of the language model's linear layers; its head, the projector and the encoder keep dtype."""

    def loading_options(self) -> dict[str, Any]:
        """Return what ``from_pretrained`` takes."""
        options: dict[str, Any] = {"dtype": self.dtype, "device_map": {"": str(self.device)}}
        if self.quantization == "int8":
            mute_int8_products()
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_8bit=True, llm_int8_skip_modules=list(NEVER_QUANTIZED)
            )
        elif self.quantization == "nf4":
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=self.dtype,
                llm_int8_skip_modules=list(NEVER_QUANTIZED),
            )
        return options


def find_base(
    name: str,
    role: Role,
    *,
    offline: bool = False,
    beside: Path | None = None,
    files: Sequence[str] = MODEL_FILES,
) -> Path:
    """Return the file or folder of a base model, fetching it from the Hugging Face hub if need be.

    Args:
        name: A path, ``minnow``, or a hub id such as ``meta-llama/Llama-2-7b-chat-hf``.
        role: What it is needed for.
        offline: Only look on this machine.
        beside: A folder that a relative path may start from.
        files: Patterns of the files that are needed from the hub.

    Raises:
        ModelError: If it is not here and cannot be fetched.
    """
    if name == MINNOW:
        return MINNOW_FOLDER
    candidates = [Path(name).expanduser(), *([beside / name] if beside else [])]
    for path in candidates:
        if path.exists():
            return path
    part = role.replace("_", " ")
    hint = f"Fetch it where there is a network, or name a local copy of this {part}."
    if role == "vision_encoder" and name.endswith(".pth"):
        raise ModelError(f"The {part} {name} is not here.", hint=f"Download it from {EVA_URL}")
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"The {part} {name} is not here.", hint=hint)
    try:
        patterns = list(files)
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=offline))
    except LocalEntryNotFoundError as error:
        why = "and --offline forbids to fetch it" if offline else "and cannot be fetched"
        raise ModelError(f"The {part} {name} is not on this machine {why}.", hint=hint) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"The {part} {name} cannot be fetched: {reason}", hint=hint) from error


def load_language_model(path: Path, placement: Placement) -> PreTrainedModel:
    """Load any causal language model of Transformers, or that of a merged Goldfish folder.

    Raises:
        CheckpointError: If the folder is not whole.
    """
    options = placement.loading_options()
    if is_goldfish(path):
        options["with_vision_encoder"] = False
        return load_whole(GoldfishForConditionalGeneration, path, **options).language_model
    return load_whole(AutoModelForCausalLM, path, **options)


def load_vision_encoder(
    path: Path, placement: Placement, *, image_size: int | None = None
) -> VisionEncoder:
    """Load the encoder: ``eva_vit_g.pth``, a saved ``VisionEncoder``, or a Goldfish folder's.

    Args:
        path: File or folder.
        placement: Its quantization is not for the encoder.
        image_size: Side of the frames in pixels, if other than what it was trained with.

    Raises:
        CheckpointError: If weights are missing or left over.
    """
    if path.is_file():
        encoder = _encoder_of(load_pickle(path), image_size)
    elif is_goldfish(path):
        whole = load_whole(GoldfishForConditionalGeneration, path, dtype=placement.dtype)
        encoder = whole.vision_encoder
    else:
        encoder = load_whole(VisionEncoder, path, dtype=placement.dtype)
    encoder.requires_grad_(False)
    encoder.train(False)
    encoder.to(device=placement.device, dtype=placement.dtype)  # type: ignore[call-arg]
    return encoder


def identify(path: Path, role: Role) -> str:
    """Return the content hash of a base model's weights."""
    return fingerprint(path, prefix=f"{role}." if is_goldfish(path) else "")


def is_goldfish(path: Path) -> bool:
    """Tell whether a folder holds a Goldfish model, whole or as a small checkpoint."""
    config = path / "config.json"
    if not config.is_file():
        return False
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{config} is not JSON: {error}.") from error
    return isinstance(content, dict) and content.get("model_type") == "goldfish"


def load_whole(model_class: Any, path: Path, **options: Any) -> Any:
    """Call ``from_pretrained`` on a folder and refuse weights that are missing or of another shape.

    Raises:
        CheckpointError: Naming the first such weight.
    """
    hint = "The folder is not whole, or belongs to another model."
    try:
        with silent_transformers():
            model, report = model_class.from_pretrained(
                path, output_loading_info=True, local_files_only=True, **options
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{path} cannot be loaded: {reason}", hint=hint) from error
    missing, extra = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if options.get("with_vision_encoder") is False:
        extra = [name for name in extra if not name.startswith("vision_encoder.")]
    if missing:
        raise CheckpointError(f"{path} lacks {missing[0]}.", hint=hint)
    if extra:
        raise CheckpointError(f"{path} holds {extra[0]}, which has no place.", hint=hint)
    return model


def _encoder_of(state: Mapping[str, Any], image_size: int | None) -> VisionEncoder:
    config = vision_config_of(state)
    if image_size is not None:
        config.image_size = image_size
    with torch.device("meta"):
        encoder = VisionEncoder(config)
    encoder.load_state_dict(encoder_state(state, config), strict=True, assign=True)
    return encoder
