"""Ask about one minute of 720p in a fresh process; CPU seconds from start to answer.

    python benchmarks/ask.py                      # minnow
    python benchmarks/ask.py --model FOLDER       # another model

The film is made here: 60 s of 1280x720 h264 at 30 frames a second with a keyframe every 250, the
default of most encoders. CPU seconds are user plus system of the whole process, imports included,
with one thread of torch; the median of the runs counts. Exits with 1 if it is above the target.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import numpy as np

SECONDS, FPS, GOP = 60, 30, 250
WIDTH, HEIGHT = 1280, 720
CPU_SECONDS_AT_MOST = 6.0
REPOSITORY = Path(__file__).parents[1]


def write_film(path: Path) -> None:
    """Write a textured background with a square that circles over it."""
    noise = np.random.default_rng(0)
    background = noise.integers(40, 90, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    background = background.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", GOP
        stream.codec_context.time_base = Fraction(1, FPS)
        for number in range(SECONDS * FPS):
            image = np.roll(background, number, axis=1)
            angle = number / FPS
            x = round(WIDTH / 2 + 400 * np.cos(angle)) - 80
            y = round(HEIGHT / 2 + 200 * np.sin(angle)) - 80
            image[y : y + 160, x : x + 160] = (220, 40, 40)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cpu_seconds(command: list[str]) -> float:
    """Run a command and return what it and its children cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="minnow")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write_film(film)
        goldfish = [sys.executable, "-m", "goldfish_cli.cli"]
        ask = [*goldfish, "ask", str(film), "Describe the video.", "--model", arguments.model]
        imports = [sys.executable, "-c", "import torch; from transformers import LlamaForCausalLM"]
        rows = {
            "goldfish --help": [*goldfish, "--help"],
            "torch and LlamaForCausalLM, imports alone": imports,
            "goldfish ask": ask,
        }
        for command in rows.values():
            cpu_seconds(command)  # writes bytecode, warms the file cache
        results = {
            name: median(cpu_seconds(command) for _ in range(arguments.runs))
            for name, command in rows.items()
        }
    for name, seconds in results.items():
        print(f"{seconds:6.2f} CPU s  {name}")
    return 0 if results["goldfish ask"] <= CPU_SECONDS_AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
