"""Say what memory the machine has. Loads no model."""

import os
from pathlib import Path

import torch

_GIB = 2**30


def gpu_memory_gib() -> float | None:
    """Return the total memory of the first GPU in GiB, or ``None`` without a CUDA or ROCm GPU."""
    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_properties(0).total_memory / _GIB


def main_memory_gib() -> float | None:
    """Return the memory that this process may use in GiB: the machine's, or its container's.

    ``None`` where the system does not tell (Windows).
    """
    if not hasattr(os, "sysconf"):
        return None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, _container_limit()) / _GIB


def _container_limit() -> float:
    """Return the memory limit of the control group in bytes; infinity where there is none."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return float(text) if text.isdigit() else float("inf")
