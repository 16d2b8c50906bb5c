"""Decode the sound of a video to what Whisper hears: 16 kHz, one channel, a few minutes at a time.

An hour as one array would be 230 MB, and its spectrogram 1.4 GB more; chunks keep both bounded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.stream import Disposition

from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.av_open import open_container
from goldfish_cli.media.time_limit import TimeLimit

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE = 16_000
CHUNK_S = 600.0  # 38 MB of samples, 240 MB while Whisper makes its spectrogram
MAX_GAP_S = 0.5  # between time stamps and samples, before a new chunk begins at the true time
SEARCH_FOR_QUIET_S = 30.0
QUIET_S = 0.2

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """Sound without a gap: ``start`` in seconds of the presentation clock, ``(samples,)``."""

    start: float
    samples: Samples


@dataclass(frozen=True, slots=True)
class AudioIdentity:
    """What a sound is, whatever file it is in: a hash of its packets, and when it starts."""

    digest: str
    start: float


def identify_audio(path: Path, *, timeout_s: float = 600.0) -> AudioIdentity:
    """Hash the default audio stream without decoding it.

    Raises:
        SubtitleError: If the file has no sound.
        VideoError: If the file cannot be read, or not within ``timeout_s``.
    """
    limit = TimeLimit(timeout_s, path)
    first: float | None = None
    expected = -math.inf
    with open_container(path, limit) as container:
        stream = _choose_stream(container, path)
        context = stream.codec_context
        spec = (context.codec.canonical_name, context.sample_rate, context.layout.name)
        digest = hashlib.sha256(repr(spec).encode())
        try:
            for packet in container.demux(stream):
                limit.check()
                if packet.pts is None or packet.time_base is None or not packet.size:
                    continue
                time = float(packet.pts * packet.time_base)
                first = time if first is None else first
                if abs(time - expected) > MAX_GAP_S:  # only gaps: containers round time differently
                    digest.update(b"from %.1f s" % (time - first))
                expected = time + float((packet.duration or 0) * packet.time_base)
                digest.update(memoryview(packet))
        except av.error.FFmpegError:
            digest.update(b"cut short")
    if first is None:
        raise _no_sound(path)
    return AudioIdentity(digest.hexdigest(), first)


def iter_audio(
    path: Path, *, chunk_s: float = CHUNK_S, timeout_s: float = 120.0
) -> Iterator[AudioChunk]:
    """Decode the default audio stream, cut into chunks at quiet moments and at gaps.

    What is damaged is passed over.

    Args:
        path: The file.
        chunk_s: Seconds after which a quiet moment is looked for, at least 60.
        timeout_s: Seconds that decoding one chunk may take.

    Raises:
        SubtitleError: If the file has no sound, or none of it can be decoded.
        VideoError: If the file cannot be read, or not in time.
    """
    limit = TimeLimit(timeout_s, path)
    run = _Run()
    num_chunks = 0
    with open_container(path, limit) as container:
        stream = _choose_stream(container, path)
        for time, samples in _resample(_decode(container, stream)):
            limit.check()
            if run.is_interrupted_at(time):
                yield run.take(run.num_samples)
                num_chunks += 1
            run.add(time, samples)
            while run.num_samples >= chunk_s * SAMPLE_RATE:
                yield run.take(_quietest(run.samples()))
                num_chunks += 1
                limit.restart()
    if run.num_samples:
        yield run.take(run.num_samples)
    elif not num_chunks:
        raise _no_sound(path)


class _Run:
    """Samples that follow each other, and the time of the first."""

    def __init__(self) -> None:
        self.start = 0.0
        self.num_samples = 0
        self._pieces: list[Samples] = []

    def is_interrupted_at(self, time: float | None) -> bool:
        expected = self.start + self.num_samples / SAMPLE_RATE
        return self.num_samples > 0 and time is not None and abs(time - expected) > MAX_GAP_S

    def add(self, time: float | None, samples: Samples) -> None:
        if not self.num_samples and time is not None:
            self.start = time
        self._pieces.append(samples)
        self.num_samples += len(samples)

    def samples(self) -> Samples:
        self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]

    def take(self, count: int) -> AudioChunk:
        samples = self.samples()
        chunk = AudioChunk(self.start, samples[:count])
        self._pieces = [samples[count:]]
        self.start += count / SAMPLE_RATE
        self.num_samples -= count
        return chunk


def _quietest(samples: Samples) -> int:
    """Find where to cut: amid the quietest fifth of a second of the last half minute."""
    window = int(QUIET_S * SAMPLE_RATE)
    searched = min(len(samples) // 2, int(SEARCH_FOR_QUIET_S * SAMPLE_RATE)) // window * window
    loudness = np.square(samples[len(samples) - searched :]).reshape(-1, window).mean(axis=1)
    return len(samples) - searched + int(np.argmin(loudness)) * window + window // 2


def _choose_stream(container: InputContainer, path: Path) -> AudioStream:
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if not streams:
        raise _no_sound(path)
    return next((s for s in streams if s.disposition & Disposition.default), streams[0])


def _decode(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:  # a damaged packet; the next may be sound
            continue


def _resample(frames: Iterator[AudioFrame]) -> Iterator[tuple[float | None, Samples]]:
    resampler: AudioResampler | None = None
    spec: tuple[str, str, int] | None = None
    for frame in frames:
        frame_spec = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or frame_spec != spec:  # a stream may change in its course
            # 16-bit, as Whisper's own loader: FFmpeg mixes channels down to floats 3 dB louder.
            resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            spec = frame_spec
        yield frame.time, _join(resampler.resample(frame))
    if resampler is not None:
        yield None, _join(resampler.resample(None))


def _join(frames: list[AudioFrame]) -> Samples:
    if not frames:
        return np.zeros(0, np.float32)
    whole = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return whole.astype(np.float32) / np.float32(2**15)


def _no_sound(path: Path) -> SubtitleError:
    return SubtitleError(
        f"{path.name} has no sound that can be decoded, so its speech cannot be transcribed.",
        hint="Ask without: --subtitles none",
    )
