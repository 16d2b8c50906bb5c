"""The media side of indexing a film against cutting it into re-encoded clips; CPU seconds.

    python benchmarks/index_media.py                 # an hour of 480p, some minutes
    python benchmarks/index_media.py --minutes 5     # a shorter film

Goldfish walks through the film once: shots are found, clips cut, 32 frames of each scaled to 224
pixels, and the sound is brought to 16 kHz. The reference cuts the film into clips of 80 s, each
encoded again (libx264 at its default preset, and aac) and written to disk, before any frame is
looked at; of its clips every ninth is cut here, and the rest reckoned to cost as much. Each side
runs in a process of its own; imports are not counted. The film is made here: 854 by 480 pixels, 24
frames a second, GOP 250, B-frames, a new scene every seven seconds, a tone; one minute repeated.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT, FPS, SOUND_RATE = 854, 480, 24, 44_100
SCENE_S, REFERENCE_CLIP_S, EVERY = 7, 80, 9
SIDE, NUM_FRAMES, CLIP_S = 224, 32, 30.0
TIMES_LESS, MOST_MB = 15.0, 700.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--film", type=Path, help="this film instead of one made here")
    parser.add_argument("--side", choices=["goldfish", "reference"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        print(json.dumps(measure(chosen.side, chosen.film)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        film = chosen.film or make_film(Path(folder), chosen.minutes)
        ours, theirs = (in_a_process(side, film) for side in ("goldfish", "reference"))
    times = theirs["cpu_s"] / ours["cpu_s"]
    for name, one in (("goldfish", ours), ("reference", theirs)):
        print(
            f"{name:10} {one['cpu_s']:8.1f} CPU s   peak {one['peak_mb']:6.0f} MB   {one['told']}"
        )
    print(f"{times:.1f} times less (wanted: {TIMES_LESS:.0f})")
    return 0 if times >= TIMES_LESS and ours["peak_mb"] <= MOST_MB else 1


def in_a_process(side: str, film: Path) -> dict:
    command = [sys.executable, __file__, "--side", side, "--film", str(film)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure(side: str, film: Path) -> dict:
    work = {"goldfish": walk, "reference": cut_again}[side]
    before = cpu_seconds()
    told, scale = work(film)
    used = (cpu_seconds() - before) * scale
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": used, "peak_mb": peak, "told": told}


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def walk(film: Path) -> tuple[str, float]:
    from goldfish_cli.media.audio import iter_audio
    from goldfish_cli.media.cutting import Cutting
    from goldfish_cli.media.film import walk_clips
    from goldfish_cli.media.video import probe

    info = probe(film)
    clips = frames = cuts = 0
    for clip in walk_clips(
        film, info=info, cutting=Cutting(CLIP_S), num_frames=NUM_FRAMES, prepare=shrink
    ):
        clips += 1
        frames += len(clip.frames)
        cuts += len(clip.cuts)
    seconds = sum(len(chunk.samples) for chunk in iter_audio(film)) / 16_000
    return f"{clips} clips, {frames} frames, {cuts} cuts inside, {seconds:.0f} s of sound", 1.0


def shrink(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def cut_again(film: Path) -> tuple[str, float]:
    """Encode every ninth clip of 80 s, and say by how much all of them would be more."""
    with av.open(str(film)) as source:
        length = float(source.duration / av.time_base)
    starts = [REFERENCE_CLIP_S * i for i in range(int(-(-length // REFERENCE_CLIP_S)))]
    done = 0.0
    for start in starts[:: min(EVERY, max(1, len(starts) // 2))]:
        end = min(length, start + REFERENCE_CLIP_S)
        encode_part(film, start, end)
        done += end - start
    return f"{len(starts)} clips, {done:.0f} s of {length:.0f} s cut", length / done


def encode_part(film: Path, start: float, end: float) -> None:
    with (
        tempfile.NamedTemporaryFile(suffix=".mp4") as file,
        av.open(str(film)) as source,
        av.open(file.name, "w") as target,
    ):
        streams, told = {}, [0, 0]
        for kind, codec in (("video", "libx264"), ("audio", "aac")):
            found = getattr(source.streams, kind)[0]
            rate = FPS if kind == "video" else SOUND_RATE
            streams[found.index] = target.add_stream(codec, rate=rate)
            if kind == "video":
                streams[found.index].width, streams[found.index].height = WIDTH, HEIGHT
        source.seek(int(start * av.time_base))
        for frame in source.decode(video=0, audio=0):
            if frame.time < start:
                continue
            if frame.time >= end:
                if isinstance(frame, av.VideoFrame):
                    break
                continue
            kind = 0 if isinstance(frame, av.VideoFrame) else 1
            frame.pts, frame.time_base = told[kind], Fraction(1, (FPS, SOUND_RATE)[kind])
            told[kind] += 1 if kind == 0 else frame.samples
            target.mux(streams[kind].encode(frame))
        for stream in streams.values():
            target.mux(stream.encode())


def make_film(folder: Path, minutes: int) -> Path:
    minute, film = folder / "minute.mp4", folder / "film.mp4"
    draw = np.random.default_rng(1)
    with av.open(str(minute), "w") as container:
        options = {"crf": "23", "preset": "veryfast", "g": "250"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=SOUND_RATE)
        sound.layout = "mono"
        for number in range(60 * FPS):
            if number % (SCENE_S * FPS) == 0:
                ground = draw.integers(30, 200, (9, 16, 3), dtype=np.uint8)
                picture = Image.fromarray(ground).resize(
                    (WIDTH + 200, HEIGHT), Image.Resampling.BICUBIC
                )
                grain = draw.normal(0, 4, (HEIGHT, WIDTH, 3))
            shift = number % (SCENE_S * FPS)
            frame = picture.crop((shift, 0, shift + WIDTH, HEIGHT))
            x = 100 + 3 * shift
            ImageDraw.Draw(frame).ellipse((x, 150, x + 130, 280), fill=(230, 60, 40))
            pixels = np.clip(np.asarray(frame) + np.roll(grain, number, 1), 0, 255).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        tone = (0.2 * np.sin(np.arange(60 * SOUND_RATE) * 0.06)).astype(np.float32)
        for first in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, first : first + 1024], "fltp", "mono")
            frame.sample_rate = SOUND_RATE
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    repeat(minute, film, minutes)
    return film


def repeat(minute: Path, film: Path, times: int) -> None:
    """Put a file behind itself, packet by packet; nothing is encoded again."""
    with av.open(str(film), "w") as target:
        streams: dict[int, object] = {}
        for part in range(times):
            with av.open(str(minute)) as source:
                for found in source.streams:
                    if found.index not in streams:
                        streams[found.index] = target.add_stream_from_template(found)
                for packet in source.demux():
                    if packet.dts is None:
                        continue
                    shift = int(
                        Fraction(601 * part, 10) / packet.time_base
                    )  # sound ends a little late
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)


if __name__ == "__main__":
    raise SystemExit(main())
