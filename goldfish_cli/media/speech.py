"""Transcribe the speech of a video with openai-whisper: a file in, cues on its clock out."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from whisper.model import Whisper
from whisper.tokenizer import LANGUAGES, TO_LANGUAGE_CODE

from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.audio import SAMPLE_RATE, AudioChunk, identify_audio, iter_audio
from goldfish_cli.media.cues import Cue, as_line
from goldfish_cli.media.speech_filter import Segment, SpeechThresholds, keep_speech
from goldfish_cli.media.whisper_weights import find_weights, load_whisper

SILENCE = 1e-3  # peak of a full scale of 1; Whisper invents text where there is none
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said, by start time; ``language`` is a code such as ``en``, ``None`` in silence."""

    cues: tuple[Cue, ...]
    language: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Heard:
    """All that Whisper said, timed from the first packet of the sound. The cache holds this."""

    language: str | None
    segments: tuple[Segment, ...]


class Transcriber:
    """Transcribes file after file with one model, which is loaded for the first sound not cached.

    Every window is decoded by itself, without the text before it, so that one mistake does not
    become a loop; what Whisper did not believe is left out (``speech_filter``). The same sound,
    model and language give the same text, also where Whisper samples.

    Args:
        model: Name of a Whisper model, or path of its ``.pt`` file.
        device: ``auto`` is CUDA where there is one, else the CPU.
        language: Code or English name; ``None`` detects it in the first chunk that has sound.
        cache_dir: Folder where transcripts are kept, by content of the sound, model and language;
            with one that fits, neither weights nor audio are read. ``None`` keeps none.
        offline: Do not fetch weights.
        weights_dir: Where named models are kept; ``None``: where openai-whisper keeps them.
        thresholds: What is believed; the transcript is kept whole, so they may change.

    Raises:
        SubtitleError: If ``language`` is not one of Whisper's.
        ModelError: If the model is unknown.
    """

    def __init__(
        self,
        *,
        model: str = "base",
        device: str = "auto",
        language: str | None = None,
        cache_dir: Path | None = None,
        offline: bool = False,
        weights_dir: Path | None = None,
        thresholds: SpeechThresholds | None = None,
    ) -> None:
        self._language = _language_code(language)
        self._weights = find_weights(model, weights_dir)
        self._model: Whisper | None = None
        self._device = device
        self._cache_dir = cache_dir
        self._offline = offline
        self._thresholds = thresholds

    @property
    def name(self) -> str:
        """The model's name, or that of its file."""
        return self._weights.name

    @property
    def identity(self) -> str:
        """All that a transcript depends on besides the sound."""
        return json.dumps(self._settings(""))

    def transcribe(self, path: Path) -> Transcript:
        """Transcribe the default audio stream (arXiv:2212.04356).

        Args:
            path: A video or audio file.

        Raises:
            SubtitleError: If the file has no sound.
            ModelError: If the weights cannot be had, or are damaged.
            VideoError: If the file cannot be read.
        """
        sound = identify_audio(path)
        cached = _cache_path(self._cache_dir, self._settings(sound.digest))
        notes: list[str] = []
        heard = _read_cache(cached)
        if heard is None:
            heard = _listen(self._loaded(), iter_audio(path), self._language, sound.start)
            notes += _write_cache(cached, heard)
        believed = keep_speech(heard.segments, self._thresholds)
        cues = [
            Cue(round(s.start + sound.start, 3), round(s.end + sound.start, 3), as_line(s.text))
            for s in believed
        ]
        left_out = len(heard.segments) - len(believed)
        if left_out:
            notes.append(f"{left_out} of {len(heard.segments)} pieces of speech not believed")
        in_order = sorted(cues, key=lambda cue: cue.start)
        return Transcript(tuple(in_order), heard.language, tuple(notes))

    def _settings(self, sound: str) -> list[Any]:
        return [FORMAT_VERSION, whisper.__version__, sound, self._weights.sha256, self._language]

    def _loaded(self) -> Whisper:
        if self._model is None:
            self._model = load_whisper(self._weights, device=self._device, offline=self._offline)
        return self._model


def transcribe(path: Path, **settings: Any) -> Transcript:
    """Transcribe one file; see ``Transcriber`` for the settings and what can go wrong."""
    return Transcriber(**settings).transcribe(path)


def segments_of(result: dict[str, Any], *, offset: float, duration: float) -> Iterator[Segment]:
    """Read the segments of a result of ``whisper.transcribe``.

    Args:
        result: Its dictionary.
        offset: Seconds to add to the times.
        duration: Length of the sound; Whisper hears past its end, which is cut.
    """
    for segment in result["segments"]:
        start, end = float(segment["start"]), min(float(segment["end"]), duration)
        if start < duration and start <= end and segment["text"].strip():
            yield Segment(
                start=start + offset,
                end=end + offset,
                text=segment["text"],
                no_speech_prob=float(segment["no_speech_prob"]),
                avg_logprob=float(segment["avg_logprob"]),
                compression_ratio=float(segment["compression_ratio"]),
            )


def _listen(
    model: Whisper, chunks: Iterator[AudioChunk], language: str | None, start: float
) -> _Heard:
    segments: list[Segment] = []
    for chunk in chunks:
        if not len(chunk.samples) or np.abs(chunk.samples).max() < SILENCE:
            continue
        result = _decode(model, chunk, language)
        language = result["language"]
        duration = len(chunk.samples) / SAMPLE_RATE
        segments += segments_of(result, offset=chunk.start - start, duration=duration)
    return _Heard(language, tuple(segments))


def _decode(model: Whisper, chunk: AudioChunk, language: str | None) -> dict[str, Any]:
    on_gpu = model.device.type == "cuda"
    # Whisper samples when it doubts itself; a seed of its own makes that repeatable.
    with torch.random.fork_rng(devices=[model.device] if on_gpu else []):
        torch.manual_seed(0)
        return whisper.transcribe(
            model,
            chunk.samples,
            language=language,
            condition_on_previous_text=False,
            fp16=on_gpu,
            verbose=None,
        )


def _language_code(language: str | None) -> str | None:
    if language is None:
        return None
    code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
    if code not in LANGUAGES:
        raise SubtitleError(
            f"Whisper does not know the language {language!r}.",
            hint="Give a code such as en, de or zh, or leave it out to have it detected.",
        )
    return code


def _cache_path(cache_dir: Path | None, settings: list[Any]) -> Path | None:
    if cache_dir is None:
        return None
    return cache_dir / f"{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]}.json"


def _read_cache(path: Path | None) -> _Heard | None:
    """Read a transcript; one that is missing or damaged is made anew."""
    if path is None:
        return None
    try:
        data = json.loads(path.read_text("utf-8"))
        segments = tuple(Segment(**segment) for segment in data["segments"])
        if not all(math.isfinite(s.start) and math.isfinite(s.end) for s in segments):
            return None
        return _Heard(data["language"], segments)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(path: Path | None, heard: _Heard) -> list[str]:
    """Keep a transcript, whole or not at all; a note says if it cannot be kept."""
    if path is None:
        return []
    text = json.dumps(asdict(heard), ensure_ascii=False)
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.stem}.", delete=False
        ) as file:
            partial = Path(file.name)
            file.write(text)
        partial.replace(path)
    except OSError as error:  # the work of minutes is done; it must not be lost to a full disk
        if partial is not None:
            partial.unlink(missing_ok=True)
        return [f"the transcript cannot be kept in {path.parent}: {error.strerror}"]
    return []
