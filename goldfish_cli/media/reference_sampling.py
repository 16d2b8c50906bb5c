"""Sample exactly the frames that MiniGPT4-Video samples, for comparison with published results.

It counts ``int(duration * fps)`` frames from what FFmpeg prints of a file, keeps every
``count // max_frames``-th and stops when it has enough, so the end of a video is often not seen.
"""

from pathlib import Path

from goldfish_cli.errors import VideoError
from goldfish_cli.media.av_probe import stated_length
from goldfish_cli.media.time_limit import TimeLimit
from goldfish_cli.media.video import Decoder, VideoInfo, frame_times

# FFmpeg prints rates with two decimals; moviepy takes these for their thousandth lower.
NTSC_RATES = (23, 24, 25, 30, 50)


def reference_indices(total: int, num_frames: int, max_frames: int) -> list[int]:
    """Numbers of the frames kept.

    Args:
        total: Frames by duration times rate, as the reference computes it.
        num_frames: Frames that really decode.
        max_frames: 45 with Llama-2, 90 with Mistral.
    """
    interval = max(1, int(total / max_frames))
    return list(range(0, num_frames, interval))[:max_frames]


def reference_folder_indices(num_frames: int, max_frames: int) -> list[int]:
    """Numbers of the frames kept of a folder of frames, as of TVQA."""
    interval = round(num_frames / max_frames) or 1
    return list(range(0, num_frames, interval))[:max_frames]


def printed_rate(rate: float) -> float:
    """A frame rate as FFmpeg prints it and moviepy reads it back."""
    hundredths = round(rate * 100)
    if hundredths == 0:
        return round(rate, 4)
    printed = hundredths / 100 if hundredths % 100 else float(round(rate))
    for whole in NTSC_RATES:
        lowered = whole * 1000 / 1001
        if printed != whole and abs(printed - lowered) < 0.01:
            return lowered
    return printed


def reference_times(
    path: Path,
    info: VideoInfo,
    start: float,
    end: float,
    max_frames: int,
    decoder: Decoder,
    timeout_s: float,
) -> list[float]:
    """Times of the frames kept of a video, or of the part of it between two times."""
    times = frame_times(path, decoder=decoder, timeout_s=timeout_s)
    inside = [time for time in times if start - 1e-6 <= time < end - 1e-6] or times[:1]
    if info.container == "folder":
        return [inside[i] for i in reference_folder_indices(len(inside), max_frames)]
    seconds, rate = _length(path, info, timeout_s)
    if (start, end) != (info.start, info.end):
        seconds = end - start
    total = int(seconds * printed_rate(rate))
    return [inside[i] for i in reference_indices(total, len(inside), max_frames)]


def _length(path: Path, info: VideoInfo, timeout_s: float) -> tuple[float, float]:
    try:
        return stated_length(path, TimeLimit(timeout_s, path))
    except VideoError:  # an animated image, or a file that only decord reads
        return info.duration, float(info.frame_rate or 25)
