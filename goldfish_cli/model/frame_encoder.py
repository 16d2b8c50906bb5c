"""The frozen part of a model alone: frames in, pooled visual tokens out. Enough to fill a store."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from goldfish_cli.model.bases import (
    MINNOW,
    MINNOW_FOLDER,
    Placement,
    Role,
    identify,
    is_goldfish,
    load_vision_encoder,
)
from goldfish_cli.model.checkpoint import base_path, is_small_checkpoint
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.loader import load_model, model_path
from goldfish_cli.model.start import place
from goldfish_cli.model.vision_encoder import VisionEncoder, encode_frames
from goldfish_cli.profiles import Profile


@dataclass(frozen=True, slots=True)
class FrameEncoder:
    """A loaded encoder and the configuration of the model that it belongs to."""

    config: GoldfishConfig
    vision_encoder: VisionEncoder

    def encode_frames(self, pixel_values: Tensor, *, chunk: int = 8) -> Tensor:
        """Encode ``(frames, 3, h, w)`` to ``(frames, tokens_per_frame, pooled_dim)``.

        Args:
            pixel_values: As ``preprocess_frames`` returns them.
            chunk: Frames that pass the encoder at once; fewer need less memory.
        """
        return encode_frames(self.vision_encoder, self.config, pixel_values, chunk=chunk)


class EncoderSource:
    """Knows where a model's encoder is and what its features would be, before it is loaded.

    Args:
        name: ``minnow``, a Goldfish checkpoint or model folder, or a MiniGPT4-Video ``.pth``.
        profile: Device and number format.
        offline: Fetch nothing from the network.

    Raises:
        ModelError: If the name is of no known form, or a part is not there.
        CheckpointError: If the checkpoint was trained upon another encoder.
        ProfileError: If the machine does not have what the profile asks for.
    """

    def __init__(self, name: str, profile: Profile, *, offline: bool = False) -> None:
        path = model_path(name)
        self._encoder: VisionEncoder | None = None
        self._path = path
        if is_small_checkpoint(path):
            self.config = GoldfishConfig.from_pretrained(path)
            self._path = base_path(path, self.config, "vision_encoder", offline=offline)
            weights = base_path(path, self.config, "language_model", offline=offline)
            self._placement = place(profile, weights)
        elif is_goldfish(path):
            self.config = GoldfishConfig.from_pretrained(path)
            self._placement = place(profile, path)
        else:  # a .pth tells what it is built on only as it is loaded
            loaded = load_model(name, profile, offline=offline)
            self.config, self._encoder = loaded.config, loaded.model.vision_encoder
            dtype = loaded.model.get_input_embeddings().weight.dtype
            self._placement = Placement(loaded.device, dtype)

    @property
    def dtype(self) -> torch.dtype:
        """The number format that frames are encoded in."""
        return self._placement.dtype

    @property
    def device(self) -> torch.device:
        """Where frames are encoded."""
        return self._placement.device

    def load(self) -> FrameEncoder:
        """Load the encoder.

        Raises:
            CheckpointError: If weights are missing or left over.
        """
        if self._encoder is None:
            size = self.config.image_size
            self._encoder = load_vision_encoder(self._path, self._placement, image_size=size)
        return FrameEncoder(self.config, self._encoder)


def name_bases(config: GoldfishConfig, start: str) -> None:
    """Note in a whole model's configuration that what is trained now is trained upon it."""
    if not config.base_models:
        folder = MINNOW_FOLDER if start == MINNOW else Path(start).expanduser().resolve()
        name = MINNOW if start == MINNOW else str(folder)
        roles: tuple[Role, ...] = ("vision_encoder", "language_model")
        config.base_models = {
            role: {"name": name, "hash": identify(folder, role)} for role in roles
        }


def feature_identity(config: GoldfishConfig, dtype: torch.dtype) -> str:
    """Name all that the features of a frame depend on: encoder, number format, pixels, pooling.

    Args:
        config: Of the model; it names its bases (``name_bases``).
        dtype: That the encoder computes in.
    """
    vision = config.vision_config
    return repr(
        (
            config.base_models["vision_encoder"]["hash"],
            str(dtype),
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            config.pooling,
            config.pooling_size,
            vision.num_attention_heads,
            vision.layer_norm_eps,
            vision.hidden_act,
        )
    )
