"""Pictures and questions into one space: a CLIP-like model of Transformers, for retrieval by sight.

All vectors are of length one, so that their product is their cosine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as pillow
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.modeling_auto import AutoModel
from transformers.models.auto.tokenization_auto import AutoTokenizer

from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.longvideo.visuals import Vectors, unit_length
from goldfish_cli.media.video import Image
from goldfish_cli.model.bases import find_base, silent_transformers
from goldfish_cli.model.fingerprints import fingerprint

PICTURE_SIDE = 336
"""Pixels of the shorter side that are kept of a picture; few such models see more."""
BATCH_SIZE = 16
_LONGEST = 64  # tokens of a question, where neither tokenizer nor model says
_SMALL_FILES = (".json", ".txt", ".model")


class VisualModel:
    """A model with one tower for pictures and one for text, such as CLIP or SigLIP.

    Args:
        name: Folder or hub id.
        device: Where it runs.
        offline: Use only what is on this machine.

    Raises:
        ModelError: If it is not here and cannot be fetched, or has not both towers.
        CheckpointError: If weights are missing.
    """

    weight = 1.0
    """Of its ranking, where that of the words (BM25) counts 1."""

    def __init__(self, name: str, *, device: str = "cpu", offline: bool = False) -> None:
        self.name = name
        folder = find_base(name, "vision_encoder", offline=offline)
        if not folder.is_dir():
            raise _no_model(name, "it is a file")
        loader: Any = AutoModel  # its type hides the loading report
        try:
            with silent_transformers():
                model, report = loader.from_pretrained(
                    folder, local_files_only=True, output_loading_info=True
                )
            self._processor: Any = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise _no_model(name, str(error).strip().split("\n")[0]) from error
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise _no_model(name, "it does not compare pictures with text")
        if missing := sorted(report["missing_keys"]):
            raise CheckpointError(f"{name} lacks {missing[0]}.", hint="Copy the folder again")
        self._model = model.float().to(device).eval()
        self._device = device
        self._pads = "siglip" in model.config.model_type  # was never shown a text of another length
        self.identity = _identify(folder)

    def prepare(self, picture: Image) -> Image:
        """Make a picture smaller in its own shape, so that only that is held."""
        height, width = picture.shape[:2]
        scale = PICTURE_SIDE / min(height, width)
        if scale >= 1:
            return picture
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return np.asarray(pillow.fromarray(picture).resize(size, pillow.Resampling.BICUBIC))

    def encode_pictures(self, pictures: Sequence[Image]) -> Vectors:
        """Give one vector a picture, ``(pictures, dim)``."""
        parts = []
        with torch.inference_mode():
            for first in range(0, len(pictures), BATCH_SIZE):
                shown = [pillow.fromarray(one) for one in pictures[first : first + BATCH_SIZE]]
                inputs = self._processor(images=shown, return_tensors="pt").to(self._device)
                parts.append(_pooled(self._model.get_image_features(**inputs)))
        return unit_length(np.concatenate(parts))

    def encode_text(self, text: str) -> Vectors:
        """Give the vector of a question, ``(dim,)``; what is too long of it is left out."""
        config = getattr(self._model.config, "text_config", self._model.config)
        most = getattr(config, "max_position_embeddings", None) or _LONGEST
        inputs = self._tokenizer(
            [text],
            padding="max_length" if self._pads else False,
            truncation=True,
            max_length=min(most, self._tokenizer.model_max_length),
            return_tensors="pt",
        ).to(self._device)
        known = {key: inputs[key] for key in ("input_ids", "attention_mask") if key in inputs}
        with torch.inference_mode():
            found: Vectors = unit_length(_pooled(self._model.get_text_features(**known)))[0]
        return found


def _pooled(output: Any) -> Vectors:
    """One vector each, whether a version of Transformers returns them bare or in an output."""
    features = output if isinstance(output, torch.Tensor) else output.pooler_output
    pooled: Vectors = features.float().cpu().numpy()
    return pooled


def _identify(folder: Path) -> str:
    """Hash the weights, and the small files that say what goes into them."""
    digest = hashlib.sha256(fingerprint(folder).encode())
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _SMALL_FILES:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _no_model(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name} cannot be used for pictures: {why}.",
        hint="--visual takes a CLIP or SigLIP model of Transformers, by folder or hub id",
    )
