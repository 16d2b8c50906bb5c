"""What the tests of ``prep subtitles`` share: a tiny real Whisper, and films that say something."""

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.subtitles.subtitle import SubtitleSet
from whisper.model import ModelDimensions, Whisper

CLOCK = Fraction(1, 1000)
SIZES = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=16,
    n_audio_head=2,
    n_audio_layer=1,
    n_vocab=51865,
    n_text_ctx=8,
    n_text_state=16,
    n_text_head=2,
    n_text_layer=1,
)


def save_whisper(path: Path) -> Path:
    """Save an untrained Whisper as openai-whisper publishes them: what it hears is nonsense."""
    torch.manual_seed(0)
    model = Whisper(SIZES)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    torch.save({"dims": asdict(SIZES), "model_state_dict": model.state_dict()}, path)
    return path


def write_film(
    path: Path,
    *,
    said: Sequence[tuple[float, float, str]] = (),
    tone_s: float = 0.0,
    start: float = 0.0,
) -> Path:
    """Write two seconds of grey, with a text stream if something is said, and sound if asked for.

    Args:
        path: A Matroska file.
        said: Start and end in seconds from the first picture, and the text.
        tone_s: Seconds of a loud tone.
        start: Time of the first picture.
    """
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        video.codec_context.time_base = CLOCK
        packets = []
        for number in range(20):
            picture = np.full((32, 32, 3), 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(1000 * start) + 100 * number, CLOCK
            packets += video.encode(frame)
        packets += video.encode()
        if said:
            text = container.add_stream("subrip")
            text.codec_context.time_base = CLOCK
            text.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n[Events]\n"
            for begin, end, words in said:
                line = b"0,0,Default,,0,0,0,," + words.encode()
                length = round(1000 * (end - begin))
                packet = text.codec_context.encode_subtitle(SubtitleSet.create(line, 0, length))
                packet.stream, packet.time_base = text, CLOCK
                packet.pts = packet.dts = round(1000 * (start + begin))
                packet.duration = length
                packets.append(packet)
        if tone_s:
            sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            wave = np.sin(2 * np.pi * 440 * np.arange(round(16_000 * tone_s)) / 16_000)
            for first in range(0, len(wave), 4000):
                samples = np.round(wave[first : first + 4000] * 16_000).astype(np.int16)
                tone = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
                tone.sample_rate, tone.pts = 16_000, round(16_000 * start) + first
                packets += sound.encode(tone)
            packets += sound.encode()
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)
    return path
