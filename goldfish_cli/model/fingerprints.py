"""Weights on disk in, a short hash of their content out: the same for any sharding."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from goldfish_cli.errors import CheckpointError

SAMPLE = 1024  # values hashed at the start, middle and end of each tensor


def weight_files(path: Path) -> list[Path]:
    """List the weight files of a folder, safetensors before pickles; a file is its own list.

    Raises:
        CheckpointError: If there are none.
    """
    if path.is_file():
        return [path]
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        files = sorted(path.glob(pattern))
        if files:
            return files
    raise CheckpointError(
        f"{path} holds no weights.",
        hint="A model folder has *.safetensors or pytorch_model*.bin in it.",
    )


def load_pickle(path: Path) -> dict[str, Any]:
    """Read a ``.pth`` or ``.bin`` file without running code that it may hold, without copying it.

    Raises:
        CheckpointError: If it is not such a file, or holds more than tensors and plain values.
    """
    try:
        mmap = zipfile.is_zipfile(path)  # files of torch before 1.6 cannot be mapped
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch.load raises half a dozen unrelated types for a foreign file
        raise CheckpointError(
            f"{path} cannot be read as weights: {str(error).splitlines()[0]}",
            hint="It must be a file that torch.save wrote, of tensors and plain values only.",
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not named weights.")
    return content


def read_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and content of each tensor of a file or folder, one at a time.

    Raises:
        CheckpointError: If a file cannot be read.
    """
    for file in weight_files(path):
        if file.suffix != ".safetensors":
            yield from load_pickle(file).items()
            continue
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - not a dictionary
                    yield name, opened.get_tensor(name)
        except SafetensorError as error:
            raise CheckpointError(f"{file} is not a whole safetensors file: {error}.") from error


def fingerprint(path: Path, *, prefix: str = "") -> str:
    """Hash names, shapes and sampled values of the weights in a file or folder.

    Samples of every tensor are enough to tell two models apart, and a 7B model takes seconds.

    Args:
        path: A weight file or a model folder.
        prefix: Only tensors whose name starts so.

    Returns:
        32 hexadecimal digits.
    """
    return _hash((name, tensor) for name, tensor in read_tensors(path) if name.startswith(prefix))


def fingerprint_of(model: nn.Module) -> str:
    """Hash a model that is loaded, in the form in which it is: quantized, it is another one."""
    return _hash((name, tensor.cpu()) for name, tensor in model.state_dict().items())


def _hash(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digests = sorted(_digest(name, tensor) for name, tensor in tensors)
    return hashlib.sha256(b"".join(digests)).hexdigest()[:32]


def _digest(name: str, tensor: Tensor) -> bytes:
    flat = tensor.reshape(-1)
    middle = max(0, flat.numel() // 2 - SAMPLE // 2)
    parts = (flat[:SAMPLE], flat[middle : middle + SAMPLE], flat[-SAMPLE:])
    values = torch.cat(parts).to(torch.float32).contiguous().numpy().tobytes()
    return hashlib.sha256(f"{name} {tuple(tensor.shape)}".encode() + values).digest()
