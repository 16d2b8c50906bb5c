"""The memory of tensors on a processor, by what its allocator hands out and takes back."""

import gc
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

_GIB = 2**30


def peak_allocated_gib(work: Callable[[], object]) -> float:
    """Return the GiB of tensors at the highest while ``work`` is done, from none at its begin."""
    gc.collect()  # or what was left before would seem to be given back now
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorder:
            work()
        recorder.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    changes.sort(key=lambda event: event["ts"])
    held = 0
    sizes = (e["args"]["Bytes"] for e in changes if e["args"]["Device Type"] == 0)
    return max(held := held + size for size in sizes) / _GIB
