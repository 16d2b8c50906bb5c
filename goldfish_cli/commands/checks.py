"""Look at one thing each that Goldfish needs: packages, devices, decoders, models, folders.

Whatever a broken package raises is what a check is after, so ``run_checks`` catches everything.
"""

import importlib
import importlib.util
import io
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from goldfish_cli import __version__
from goldfish_cli.commands.settings import config_path, read_settings

Status = Literal["ok", "missing", "broken"]
_GIB = 2**30
_MIN_FREE_GIB = 5.0
_WHISPER_HELP = "Fetched at the first use of --subtitles whisper, unless --offline"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    status: Status
    detail: str
    fix: str = ""
    """How to get what is missing or mend what is broken."""
    essential: bool = False
    """Whether nothing works without it."""


def run_checks() -> Iterator[Finding]:
    """Run every check in turn; a check that fails is a finding, not an end."""
    for name, check, essential, fix in _CHECKS:
        try:
            finding = check()
        except Exception as error:  # anything: see the module's docstring
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            finding = ("broken", reason, fix)
        status, detail, advice = finding
        yield Finding(name, status, detail, advice, essential)


_Result = tuple[Status, str, str]


def _goldfish() -> _Result:
    return "ok", f"{__version__} at {Path(__file__).parent.parent}", ""


def _python() -> _Result:
    detail = f"{platform.python_version()} at {sys.executable}, {platform.platform()}"
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return "ok", detail, ""
    return "broken", detail, "Install Python 3.10 to 3.13"


def _torch() -> _Result:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    build = f"ROCm {torch.version.hip}" if torch.version.hip else build
    return "ok", f"{torch.__version__} ({build}), {torch.get_num_threads()} threads", ""


def _devices() -> _Result:
    import torch

    from goldfish_cli.model.machine import main_memory_gib

    memory = main_memory_gib()
    found = [f"CPU with {memory:.1f} GiB" if memory else "CPU"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(f"{properties.name} with {properties.total_memory / _GIB:.1f} GiB")
    if torch.backends.mps.is_available():
        found.append("Apple GPU (mps)")
    if len(found) == 1 and shutil.which("nvidia-smi"):
        return (
            "missing",
            f"{found[0]}; a GPU driver is installed, but torch does not see a GPU",
            "Install a CUDA build of torch: https://pytorch.org/get-started/locally",
        )
    return "ok", ", ".join(found), ""


def _profile() -> _Result:
    from goldfish_cli.model.machine import gpu_memory_gib
    from goldfish_cli.profiles import choose_profile

    return "ok", f"auto means {choose_profile(gpu_memory_gib())} here", ""


def _torchvision() -> _Result:
    if importlib.util.find_spec("torchvision") is None:
        return "ok", "not installed, not needed", ""
    importlib.import_module("torchvision")
    return "ok", version("torchvision"), ""


def _transformers() -> _Result:
    from transformers import LlamaConfig

    LlamaConfig()  # the first thing that a broken torchvision breaks
    return "ok", version("transformers"), ""


def _bitsandbytes() -> _Result:
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weight = torch.linspace(-1, 1, 4096, device=device).view(64, 64)
    packed, state = quantize_4bit(weight, quant_type="nf4")
    error = (dequantize_4bit(packed, state) - weight).abs().max().item()
    if error > 0.2:  # the widest gap between two nf4 levels is 0.3
        return "broken", f"{version('bitsandbytes')}, nf4 is off by {error:.2f} on {device}", ""
    return "ok", f"{version('bitsandbytes')}, nf4 works on {device}", ""


def _av() -> _Result:
    import av

    with av.open(io.BytesIO(_tiny_video()), "r") as container:
        frames = len(list(container.decode(video=0)))
    libavcodec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    if frames != _TINY_FRAMES:
        return "broken", f"{version('av')} decoded {frames} of {_TINY_FRAMES} frames", ""
    return "ok", f"{version('av')}, libavcodec {libavcodec}, decodes", ""


def _decord() -> _Result:
    if importlib.util.find_spec("decord") is None:
        return "missing", "not installed; PyAV does the work", "pip install decord (Linux, x86-64)"
    import decord

    frames = len(decord.VideoReader(io.BytesIO(_tiny_video())).get_batch([0, 1, 2]).asnumpy())
    if frames != _TINY_FRAMES:
        return "broken", f"{version('decord')} decoded {frames} of {_TINY_FRAMES} frames", ""
    return "ok", f"{version('decord')}, decodes", ""


_TINY_FRAMES = 3


def _tiny_video() -> bytes:
    """Encode three grey frames as MPEG-4 in MP4."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in (40, 120, 200):
            picture = np.full((48, 64, 3), level, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _libraries() -> _Result:
    names = ("accelerate", "peft", "openai-whisper", "chromadb", "webdataset")
    found, lost = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lost.append(name)
    if lost:
        return "broken", f"not installed: {', '.join(lost)}", f"pip install {' '.join(lost)}"
    return "ok", ", ".join(found), ""


def _minnow() -> _Result:
    folder = Path(__file__).parent.parent / "assets" / "minnow"
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        return "broken", f"no weights in {folder}", "Install Goldfish again, or: make minnow"
    size = sum(path.stat().st_size for path in weights) / 2**20
    return "ok", f"{size:.1f} MiB in {folder}", ""


def _hub_models() -> _Result:
    from huggingface_hub import CacheNotFound, scan_cache_dir

    get = "Fetched at the first use of --model OWNER/NAME, unless --offline"
    try:
        repos = [repo for repo in scan_cache_dir().repos if repo.repo_type == "model"]
    except CacheNotFound as error:
        return "missing", f"no Hugging Face cache at {error.cache_dir}", get
    if not repos:
        return "missing", "no models in the Hugging Face cache", get
    names = sorted(f"{repo.repo_id} ({repo.size_on_disk / _GIB:.1f} GiB)" for repo in repos)
    return "ok", ", ".join(names), ""


def _whisper_models() -> _Result:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"
    names = sorted(path.stem for path in cache.glob("*.pt"))
    if not names:
        return "missing", f"no weights in {cache}", _WHISPER_HELP
    return "ok", f"{', '.join(names)} in {cache}", ""


def _config() -> _Result:
    path = config_path()
    if not path.exists():
        return "ok", f"{path} (none: the defaults hold)", ""
    settings = read_settings(path)
    return "ok", f"{path}: profile {settings.profile}, model {settings.model}", ""


def _cache() -> _Result:
    from platformdirs import user_cache_path

    folder = user_cache_path("goldfish", appauthor=False)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / _GIB
    detail = f"{folder}, {free:.1f} GiB free"
    if not os.access(existing, os.W_OK):
        return "broken", f"{folder} cannot be written", f"Make {existing} writable"
    if free < _MIN_FREE_GIB:
        return "missing", detail, "Free some space: features, models and indexes are large"
    return "ok", detail, ""


_REINSTALL = "Install Goldfish again in a new virtual environment: make setup"
_CHECKS: tuple[tuple[str, Callable[[], _Result], bool, str], ...] = (
    ("goldfish", _goldfish, True, _REINSTALL),
    ("python", _python, True, _REINSTALL),
    ("torch", _torch, True, _REINSTALL),
    ("devices", _devices, False, _REINSTALL),
    ("profile", _profile, True, _REINSTALL),
    (
        "torchvision",
        _torchvision,
        True,
        "It does not fit torch, and breaks Transformers too: pip uninstall torchvision",
    ),
    ("transformers", _transformers, True, _REINSTALL),
    ("bitsandbytes", _bitsandbytes, False, "int8 and nf4 need it: pip install -U bitsandbytes"),
    ("libraries", _libraries, True, _REINSTALL),
    ("PyAV", _av, True, "pip install --force-reinstall av"),
    ("decord", _decord, False, "Videos are read by PyAV; use --decoder av"),
    ("minnow", _minnow, True, _REINSTALL),
    ("Hugging Face models", _hub_models, False, "Look at its cache: hf cache ls"),
    ("Whisper models", _whisper_models, False, _WHISPER_HELP),
    ("config file", _config, True, "Mend or remove it"),
    ("cache folder", _cache, True, "Make it writable"),
)
