"""Where a model runs and in which number format, from what the profile asks and the machine has."""

import torch

from goldfish_cli.errors import ProfileError
from goldfish_cli.profiles import Profile

SMALL_MODEL_BYTES = 2**29
"""Below this a model is computed in float32 on the processor: precise, and fast enough."""

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def choose_device(profile: Profile) -> torch.device:
    """Return the device of a profile; ``auto`` is the GPU if torch sees one, else the processor.

    Raises:
        ProfileError: If the profile asks for a device that is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if profile.device == "auto":
        return torch.device(next(name for name, is_there in available.items() if is_there))
    if not available[profile.device]:
        raise ProfileError(
            f"Profile {profile.name} asks for {profile.device}, but torch sees no such device.",
            hint="Use --profile cpu, or see what is missing with: goldfish doctor",
        )
    return torch.device(profile.device)


def choose_dtype(profile: Profile, device: torch.device, weight_bytes: int) -> torch.dtype:
    """Return the format of weights that are not quantized.

    Args:
        profile: Its ``dtype``; ``auto`` is bfloat16 where it is fast, float32 for a small model on
            the processor, float16 on a GPU that has no bfloat16.
        device: Where the model will run.
        weight_bytes: Size of the stored weights.

    Raises:
        ProfileError: For float16 on the processor, which is many times slower than either other.
    """
    if profile.dtype == "float16" and device.type == "cpu":
        raise ProfileError(
            f"Profile {profile.name} asks for float16 on the processor, where it is very slow.",
            hint="Set dtype to auto, bfloat16 or float32.",
        )
    if profile.dtype != "auto":
        return _DTYPES[profile.dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32 if weight_bytes < SMALL_MODEL_BYTES else torch.bfloat16
