"""Frames as pictures in, frames as the encoder wants them out."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def resize_frame(frame: np.ndarray, image_size: int) -> np.ndarray:
    """Bring a frame to the encoder's size; ``preprocess_frames`` then has no more to resize.

    Args:
        frame: ``(height, width, 3)`` uint8 RGB.
        image_size: Side of the square result in pixels.
    """
    size = (image_size, image_size)
    if frame.shape[:2] == size:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))


def preprocess_frames(
    frames: Sequence[np.ndarray],
    image_size: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Tensor:
    """Resize and normalise frames as BLIP-2 does: PIL bicubic, no crop, aspect ratio not kept.

    Args:
        frames: Each ``(height, width, 3)`` uint8 RGB, sizes may differ.
        image_size: Side of the square result in pixels.
        mean: Of each channel, of values in 0 to 1.
        std: Of each channel.

    Returns:
        ``(frames, 3, image_size, image_size)`` float32.
    """
    pixels = np.empty((len(frames), image_size, image_size, 3), dtype=np.uint8)
    for index, frame in enumerate(frames):
        pixels[index] = resize_frame(frame, image_size)
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32).div_(255)
    centre = torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1)
    spread = torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1)
    return scaled.sub_(centre).div_(spread).contiguous()
