"""Fetch 45 frames of a video with Goldfish, decord and by reading in order; compare CPU seconds.

    python benchmarks/decode.py            # the whole table, some minutes
    python benchmarks/decode.py --quick    # one short file

Every engine opens the file, fetches 45 frames spread evenly, and scales them to 224 pixels with
Pillow, in a process of its own; start-up and imports are not counted. "In order" is what
MiniGPT4-Video does: decode every frame, keep each n-th (it uses OpenCV; without OpenCV here, PyAV
stands in). Exits with 1 if a target is missed. The files are made here: 720p h264 with B-frames,
moving shapes and camera; ten minutes are one minute repeated.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

NUM_FRAMES = 45
SIDE = 224
FPS = 30
WIDTH, HEIGHT = 1280, 720
IN_ORDER_AT_LEAST = {(60, 30): 2.0, (60, 250): 2.0, (600, 30): 20.0, (600, 250): 5.0}
DECORD_MEDIAN_AT_LEAST = 1.5
REPOSITORY = Path(__file__).parents[1]

# Engines ------------------------------------------------------------------------------------------


def goldfish(path: Path, keyframes: bool = False) -> list[np.ndarray]:
    from goldfish_cli.media.sampling import FramePlan, sample_frames

    plan = FramePlan("keyframes" if keyframes else "uniform", NUM_FRAMES)
    return [frame.image for frame in sample_frames(path, plan, decoder="av", prepare=shrink)]


def goldfish_keyframes(path: Path) -> list[np.ndarray]:
    return goldfish(path, keyframes=True)


def decord(path: Path) -> list[np.ndarray]:
    import decord

    reader = decord.VideoReader(str(path), ctx=decord.cpu(0))
    numbers = [(2 * i + 1) * len(reader) // (2 * NUM_FRAMES) for i in range(NUM_FRAMES)]
    return [shrink(reader[number].asnumpy()) for number in numbers]


def in_order(path: Path) -> list[np.ndarray]:
    import cv2

    capture = cv2.VideoCapture(str(path))
    interval = max(1, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // NUM_FRAMES)
    kept: list[np.ndarray] = []
    number = 0
    while True:
        there, picture = capture.read()
        if not there:
            return kept
        if number % interval == 0 and len(kept) < NUM_FRAMES:
            kept.append(shrink(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
        number += 1


def in_order_av(path: Path) -> list[np.ndarray]:
    import av

    kept: list[np.ndarray] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        interval = max(1, stream.frames // NUM_FRAMES)
        for number, picture in enumerate(container.decode(stream)):
            image = picture.to_ndarray(format="rgb24")  # as OpenCV does to each
            if number % interval == 0 and len(kept) < NUM_FRAMES:
                kept.append(shrink(image))
    return kept


def shrink(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


ENGINES: dict[str, Callable[[Path], list[np.ndarray]]] = {
    "goldfish": goldfish,
    "keyframes": goldfish_keyframes,
    "decord": decord,
    "in order": in_order if find_spec("cv2") else in_order_av,
}

# Measuring ----------------------------------------------------------------------------------------


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_here(engine: str, path: Path) -> None:
    """In the engine's own process: import, then work, and print what the work cost."""
    for module in {"decord": ["decord"], "in order": ["cv2"]}.get(engine, []):
        if find_spec(module):
            __import__(module)
    if engine in ("goldfish", "keyframes"):
        import goldfish_cli.media.sampling  # noqa: F401  # only to have it imported
    shrink(np.zeros((8, 8, 3), np.uint8))
    before = cpu_seconds()
    frames = ENGINES[engine](path)
    spent = cpu_seconds() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": spent, "frames": len(frames), "peak_mib": peak}))


def measure(engine: str, path: Path, repeats: int) -> dict[str, float]:
    """The cheapest of some runs: other work on the machine only ever adds."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, __file__, "--engine", engine, "--file", str(path)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=1800
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["cpu"])


# Files --------------------------------------------------------------------------------------------


def make_video(path: Path, seconds: int, gop: int) -> None:
    """Write a video of moving shapes under a moving camera; long ones repeat their first minute."""
    import av

    if path.exists():
        return
    minute = path.with_name(f"minute-{gop}.mp4")
    if not minute.exists():
        encode_minute(minute, gop)
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as out:
        stream = None
        for turn in range(seconds // 60):
            with av.open(str(minute)) as source:
                film = source.streams.video[0]
                stream = stream or out.add_stream_from_template(film)
                shift = int(turn * 60 / film.time_base)
                for packet in source.demux(film):
                    if packet.size:
                        packet.pts += shift
                        packet.dts += shift
                        packet.stream = stream
                        out.mux(packet)
    unfinished.rename(path)


def encode_minute(path: Path, gop: int) -> None:
    import av

    unfinished = path.with_suffix(".part.mp4")
    rng = np.random.default_rng(1)
    rough = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 4 // 8, 3), dtype=np.uint8)
    scene = Image.fromarray(np.tile(rough, (2, 8, 1))).resize((2 * WIDTH, 2 * HEIGHT), 3)
    ground = np.asarray(scene)
    options = {"preset": "fast", "crf": "23"}
    with av.open(str(unfinished), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = gop
        stream.codec_context.time_base = Fraction(1, FPS)
        for number in range(60 * FPS):
            x, y = int(300 + 290 * np.sin(number / 97)), int(200 + 190 * np.cos(number / 71))
            picture = ground[y : y + HEIGHT, x : x + WIDTH].copy()
            for shape in range(6):
                left = int((number * (3 + shape) + 190 * shape) % (WIDTH - 120))
                top = int(300 + 280 * np.sin(number / 23 + shape))
                picture[top : top + 120, left : left + 120] = (40 * shape, 255 - 40 * shape, 90)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    unfinished.rename(path)


# Report -------------------------------------------------------------------------------------------


def report(cases: list[tuple[int, int]], folder: Path, repeats: int) -> bool:
    """Print the table; true if every target is met."""
    print(f"45 frames of 720p h264 to {SIDE} px, CPU seconds; 'in order' is {reader_name()}\n")
    print(
        "| length, GOP | goldfish | keyframes | decord | in order | over decord | over in order |"
    )
    print("|---|---|---|---|---|---|---|")
    missed: list[str] = []
    over_decord: list[float] = []
    for seconds, gop in cases:
        path = folder / f"{seconds}s-gop{gop}.mp4"
        make_video(path, seconds, gop)
        runs = {engine: measure(engine, path, repeats) for engine in ENGINES}
        cpu = {engine: run["cpu"] for engine, run in runs.items()}
        over_decord.append(cpu["decord"] / cpu["goldfish"])
        gain = cpu["in order"] / cpu["goldfish"]
        wanted = IN_ORDER_AT_LEAST[seconds, gop]
        columns = " | ".join(f"{cpu[engine]:.2f}" for engine in ENGINES)
        print(
            f"| {seconds} s, {gop} | {columns} | {over_decord[-1]:.1f} | "
            f"{gain:.1f} (at least {wanted:g}) |",
            flush=True,
        )
        if gain < wanted:
            missed.append(f"{seconds} s, GOP {gop}: {gain:.1f} times over in order")
        if over_decord[-1] < 1:
            missed.append(f"{seconds} s, GOP {gop}: slower than decord")
        peaks = ", ".join(f"{engine} {run['peak_mib']:.0f}" for engine, run in runs.items())
        print(f"peak memory in MiB at {seconds} s, GOP {gop}: {peaks}", file=sys.stderr)
    print(f"\nover decord, median: {median(over_decord):.2f} (at least {DECORD_MEDIAN_AT_LEAST})")
    if median(over_decord) < DECORD_MEDIAN_AT_LEAST:
        missed.append("median over decord")
    for miss in missed:
        print(f"missed: {miss}")
    return not missed


def reader_name() -> str:
    return "OpenCV" if find_spec("cv2") else "PyAV, every frame to RGB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short file only")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "goldfish-bench"
    )
    parser.add_argument("--engine", choices=sorted(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    if given.engine:
        measure_here(given.engine, given.file)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    cases = list(IN_ORDER_AT_LEAST)[: 1 if given.quick else None]
    sys.exit(0 if report(cases, given.folder, given.repeats) else 1)


if __name__ == "__main__":
    main()
