"""Say what the machine is, what memory it has, and how much was used. Loads no model."""

import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
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


def peak_memory_gib() -> float:
    """Return the most memory used so far in GiB: of the GPU in use, else of the process."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / _GIB
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would begin with the peak of the process that started this one
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _GIB


def _container_limit() -> float:
    """Return the memory limit of the control group in bytes; infinity where there is none."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return float(text) if text.isdigit() else float("inf")


def describe_machine() -> dict[str, str]:
    """Name the processor, the GPU if there is one, their memory, and the versions of libraries."""
    memory = main_memory_gib()
    facts = {"processor": f"{_processor()}, {os.cpu_count()} cores"}
    if memory is not None:
        facts["memory"] = f"{memory:.0f} GiB"
    if torch.cuda.is_available():
        facts["GPU"] = f"{torch.cuda.get_device_name(0)}, {gpu_memory_gib():.0f} GiB"
    facts["system"] = f"{platform.system()} {platform.machine()}"
    facts["Python"] = platform.python_version()
    for package in ("torch", "transformers", "peft", "bitsandbytes", "accelerate"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _processor() -> str:
    """Return the processor's name; Linux tells it in a file, others through ``platform``."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
