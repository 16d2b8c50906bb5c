"""decord as an engine: the second, run in a process of its own under a time limit.

decord 0.6 is no longer maintained; it fails on AV1, GIF and damaged files and hangs on some
transport streams, so it is used where PyAV cannot read a file, or where it is asked for.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_probe import Description, describe_streams
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video_info import Frame, VideoInfo

WORKER = "goldfish_cli.media.decord_worker"
# Elsewhere decord was seen to hang, or to give frames of other times without a word: in mpegts,
# mpeg and flv files, and around open GOPs of HEVC.
SOUND_CONTAINERS = frozenset({"mp4", "mov", "m4a", "matroska", "webm", "avi", "unknown"})
UNSOUND_CODECS = frozenset({"hevc"})
PACKAGE_PARENT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class DecordEngine:
    """Decodes in a process of its own; see ``engine.Engine``."""

    name: str = "decord"

    def probe(self, path: Path, limit: TimeLimit) -> VideoInfo:
        """Ask decord for times and the first frame, and PyAV for what else the header says."""
        streams = describe_streams(path, limit)
        with _worker(path, limit, streams, times=[streams.start]) as replies:
            opening, spans = next(replies)
            picture, _ = next(replies)
        height, width, _ = picture["shape"]
        shown = np.frombuffer(spans).reshape(-1, 2)
        start, end = float(shown[0, 0]), float(shown[-1, 1])
        steps = np.diff(shown[:, 0])
        irregular = len(steps) > 1 and bool(np.ptp(steps) > max(2e-3, 0.4 * np.median(steps)))
        return VideoInfo(
            path=path,
            container=streams.container,
            codec=streams.codec,
            width=width,
            height=height,
            rotation=streams.rotation,
            frame_rate=Fraction(opening["fps"]).limit_denominator(1001),
            variable_rate=irregular,
            start=start,
            duration=max(end - start, 1e-3),
            duration_source="packets",
            num_frames=len(shown),
            audio=streams.audio,
            subtitles=streams.subtitles,
        )

    def frames_at(
        self,
        path: Path,
        times: Sequence[float],
        *,
        size: tuple[int, int] | None,
        only_keyframes: bool,
        dense: bool,
        limit: TimeLimit,
        notes: list[str],
    ) -> Iterator[Frame]:
        """Receive the frames from the other process, one after the other."""
        request: dict[str, Any] = {"size": size, "only_keyframes": only_keyframes}
        streams = describe_streams(path, limit)
        with _worker(path, limit, streams, times=list(times), **request) as replies:
            next(replies)
            for header, body in replies:
                image = np.frombuffer(body, dtype=np.uint8).reshape(header["shape"])
                for _ in range(header["repeat"]):
                    yield Frame(header["time"], image)

    def frame_times(self, path: Path, limit: TimeLimit) -> list[float]:
        """As decord reads them from the packets when it opens a file."""
        with _worker(path, limit, describe_streams(path, limit), times=None) as replies:
            _, spans = next(replies)
        starts = np.frombuffer(spans).reshape(-1, 2)[:, 0]
        return [float(start) for start in starts]


@contextmanager
def _worker(
    path: Path,
    limit: TimeLimit,
    streams: Description,
    *,
    times: list[float] | None,
    size: tuple[int, int] | None = None,
    only_keyframes: bool = False,
) -> Iterator[Iterator[tuple[dict[str, Any], bytes]]]:
    """Start the other process, hand over its replies, and end it in any case."""
    if find_spec("decord") is None:
        raise VideoError(
            "decord is not installed.", hint="Install it with: pip install decord (Linux, x86-64)"
        )
    if streams.container not in SOUND_CONTAINERS or streams.codec in UNSOUND_CODECS:
        kind = f"{streams.codec} in {streams.container}"
        raise _unreadable(path, f"it cannot be trusted with {kind}")
    request = {
        "path": str(path.absolute()),
        "start": streams.start,
        "times": times,
        "size": size,
        "only_keyframes": only_keyframes,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PACKAGE_PARENT,  # so that -m finds this very package
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        # A process that died at once is reported when it gives no reply.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(request).encode())
        yield _replies(process, process.stdout, path, limit)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _replies(
    process: "subprocess.Popen[bytes]", pipe: IO[bytes], path: Path, limit: TimeLimit
) -> Iterator[tuple[dict[str, Any], bytes]]:
    while True:
        with _killed_when_late(process, limit) as late:
            line = pipe.readline()
            header = json.loads(line) if line.endswith(b"\n") else None
            body = pipe.read(header["bytes"]) if header else b""
        if late.is_set():
            raise limit.error()
        if header is None:
            raise _unreadable(path, f"it crashed with exit status {process.wait()}")
        if "end" in header:
            return
        if "error" in header:
            raise _unreadable(path, header["error"])
        if len(body) < header["bytes"]:
            raise _unreadable(path, "it ended in the middle of a frame")
        yield header, body


@contextmanager
def _killed_when_late(
    process: "subprocess.Popen[bytes]", limit: TimeLimit
) -> Iterator[threading.Event]:
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit.remaining, kill)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _unreadable(path: Path, reason: str) -> VideoError:
    return VideoError(
        f"decord cannot read {path.name}: {reason.rstrip('.')}.",
        hint="Try --decoder av, or re-encode the file.",
    )
