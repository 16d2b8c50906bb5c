"""Frames in, visual tokens out: an EVA-CLIP vision transformer of any size."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.blip_2.configuration_blip_2 import Blip2VisionConfig
from transformers.models.blip_2.modeling_blip_2 import Blip2VisionModel

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.projector import pool_tokens

OUTPUT_NORM_EPS = (
    1e-5  # the blocks use 1e-6; BLIP-2's norm after the encoder keeps PyTorch's default
)


class VisionEncoder(Blip2VisionModel):
    """The EVA ViT of BLIP-2 with MiniGPT4-Video's output norm (arXiv:2303.15389, 2404.03413).

    It differs from the library's class in three points: the output norm has its own epsilon and is
    computed in float32, the class token is dropped, and frames of another size than the encoder's
    own are met by interpolating the position embedding.
    """

    def __init__(self, config: Blip2VisionConfig) -> None:
        super().__init__(config)
        self.post_layernorm.eps = OUTPUT_NORM_EPS

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Encode ``(frames, 3, h, w)`` to ``(frames, patches, hidden_size)`` in raster order."""
        hidden = self.embeddings(pixel_values, interpolate_pos_encoding=True)
        hidden = self.encoder(inputs_embeds=hidden).last_hidden_state
        return output_norm(hidden, self.post_layernorm)[:, 1:]


def pooled_features(encoder: VisionEncoder, config: GoldfishConfig, pixel_values: Tensor) -> Tensor:
    """Encode and pool ``(frames, 3, h, w)`` to ``(frames, tokens_per_frame, pooled_dim)``."""
    weight = encoder.embeddings.patch_embedding.weight
    tokens = encoder(pixel_values.to(weight.device, weight.dtype))
    return pool_tokens(tokens, config.pooling, config.pooling_size)


@torch.no_grad()
def encode_frames(
    encoder: VisionEncoder, config: GoldfishConfig, pixel_values: Tensor, *, chunk: int
) -> Tensor:
    """Return what is stored of frames: ``pooled_features``, ``chunk`` frames at a time.

    Args:
        encoder: The frozen encoder.
        config: Of the model that it belongs to.
        pixel_values: ``(frames, 3, height, width)``.
        chunk: Frames that pass the encoder at once; fewer need less memory.

    Returns:
        ``(frames, tokens_per_frame, pooled_dim)``.
    """
    if len(pixel_values) == 0:
        return pixel_values.new_empty((0, config.tokens_per_frame, config.pooled_dim))
    parts = pixel_values.split(chunk)
    return torch.cat([pooled_features(encoder, config, part) for part in parts])


def output_norm(hidden: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Apply ``norm`` in float32 and cast back, whatever the type of ``hidden``."""
    weight, bias = norm.weight.float(), norm.bias.float()
    normed = functional.layer_norm(hidden.float(), norm.normalized_shape, weight, bias, norm.eps)
    return normed.to(hidden.dtype)


def interpolate_positions(positions: Tensor, num_patches: int) -> Tensor:
    """Fit a position embedding ``(1, 1 + patches, dim)`` to a square grid of ``num_patches``.

    The class token's embedding is kept; the grid is resized bicubically, as the reference does when
    it loads weights for another image size.
    """
    old_side, new_side = int((positions.shape[1] - 1) ** 0.5), int(num_patches**0.5)
    if old_side == new_side:
        return positions
    grid = positions[:, 1:].float().unflatten(1, (old_side, old_side)).permute(0, 3, 1, 2)
    grid = functional.interpolate(
        grid, size=(new_side, new_side), mode="bicubic", align_corners=False
    )
    grid = grid.flatten(2).transpose(1, 2).to(positions.dtype)  # (1, new patches, dim)
    return torch.cat([positions[:, :1], grid], dim=1)
