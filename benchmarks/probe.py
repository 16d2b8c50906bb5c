"""Probe 1,000 small videos, and clean 1,000,000 rows; seconds and memory against the targets.

    python benchmarks/probe.py
    python benchmarks/probe.py --rows 100000 --videos 100

The videos are made here: ten films of 640x360 h264, each copied many times. Every measurement is a
fresh process; memory is its peak. Exits with 1 if a target is missed.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

REPOSITORY = Path(__file__).parents[1]
SECONDS_AT_MOST = 10.0  # for 1,000 headers
MIB_AT_MOST = 300.0
PROBE = (
    "import sys; from pathlib import Path;"
    "from goldfish_cli.data.prepare.media import probe_many;"
    "paths = sorted(Path(sys.argv[1]).iterdir());"
    "found = [p.info.duration for p in probe_many(paths, 'header', workers=2)];"
    "assert len(found) == len(paths)"
)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--videos", type=int, default=1000)
    options.add_argument("--rows", type=int, default=1_000_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        missed = probe_headers(folder / "videos", chosen.videos)
        missed |= clean_rows(folder, chosen.rows)
    return int(missed)


def probe_headers(folder: Path, count: int) -> bool:
    folder.mkdir()
    films = [write_film(folder / f"{number}.mp4", number) for number in range(min(10, count))]
    for number in range(len(films), count):
        shutil.copy(films[number % len(films)], folder / f"{number}.mp4")
    wall, cpu, mib = measure([sys.executable, "-c", PROBE, str(folder)])
    target = SECONDS_AT_MOST * count / 1000
    print(f"{count} headers: {wall:.2f} s wall, {cpu:.2f} s CPU, {mib:.0f} MiB (target {target} s)")
    return wall > target


def clean_rows(folder: Path, count: int) -> bool:
    source = folder / "rows.jsonl"
    with source.open("w") as file:
        for number in range(count):  # half dialogue, half caption: both kinds of memory are used
            row = {"image_id": f"v{number}", "caption": f"Clip {number} shows a fish that swims."}
            if number % 2:
                row = {"video_name": f"v{number // 20}", "q": f"What is {number}?", "a": "A fish."}
            file.write(json.dumps(row) + "\n")
    command = ["prep", "clean", str(source), "--out", str(folder / "clean.jsonl"), "--quiet"]
    wall, cpu, mib = measure([sys.executable, "-m", "goldfish_cli.cli", *command])
    print(
        f"{count} rows cleaned: {wall:.1f} s wall, {cpu:.1f} s CPU, {count / cpu:,.0f} rows per "
        f"CPU second, {mib:.0f} MiB (target {MIB_AT_MOST:.0f} MiB)"
    )
    return mib > MIB_AT_MOST


def write_film(path: Path, seed: int) -> Path:
    noise = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(50):
            blocks = noise.integers(0, 256, (9, 16, 3), np.uint8).repeat(40, 0).repeat(40, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(blocks, format="rgb24")))
        container.mux(stream.encode())
    return path


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return its wall and CPU seconds and its peak memory in MiB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        raise SystemExit(f"{command} ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, cpu, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
