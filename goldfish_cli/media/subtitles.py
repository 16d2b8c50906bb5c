"""Find what is said in a video: a subtitle file, an embedded text stream, or its speech.

All cues that leave this module are on the video's presentation clock, that of ``Frame.time``. A
file beside the video counts from the video's start, as in every player, so ``VideoInfo.start`` is
added to its times; an embedded stream is stamped by the same clock as the pictures and stays as
it is; speech is placed by the time stamps of the audio stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.alignment import align_cues
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.media.embedded_subtitles import read_embedded_subtitles
from goldfish_cli.media.subtitle_files import SUFFIXES, read_subtitle_file, shift_cues

if TYPE_CHECKING:
    from goldfish_cli.media.video_info import VideoInfo

__all__ = [
    "Cue",
    "Subtitles",
    "align_cues",
    "find_sidecars",
    "find_subtitles",
    "rank_sidecars",
]

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_LANGUAGE_NAMES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "dutch": "nl", "english": "en", "french": "fr",
    "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "persian": "fa",
    "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es",
    "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
_KINDS = {"default": 0, "full": 0, "sdh": 1, "cc": 1, "auto": 2, "asr": 2, "forced": 3}
_ENGLISH = ("en", "eng")
_SOUND_OUTLASTS_PICTURE_S = 2.0  # what is said later belongs to a longer video


def find_subtitles(
    video: Path,
    choice: Literal["auto", "none", "whisper"] | Path,
    *,
    info: VideoInfo,
    whisper_model: str = "base",
    device: str = "auto",
    language: str | None = None,
    cache_dir: Path | None = None,
    offline: bool = False,
) -> Subtitles:
    """Read or make the subtitles of a video.

    ``auto`` takes the first sidecar file that can be read (order: ``find_sidecars``), else the
    first embedded text stream, else nothing: it never transcribes, which takes a model and
    minutes, and never fails; what it passed over stands in the notes. A ``Path`` must hold
    captions. ``whisper`` transcribes the speech, whatever subtitles there are.

    Args:
        video: The file, or the folder of frames.
        choice: Where to look.
        info: What ``probe`` says of ``video``.
        whisper_model: Name of a Whisper model, or path of its ``.pt`` file.
        device: Where Whisper runs: ``auto``, ``cpu``, ``cuda``.
        language: Language spoken, for Whisper; ``None`` detects it.
        cache_dir: Folder where transcripts are kept; ``None`` keeps none.
        offline: Do not download Whisper's weights.

    Raises:
        SubtitleError: If the file that was named holds no captions that can be read, or speech
            was asked for and the video has no sound.
        ModelError: If speech was asked for and there are no weights to be had.
    """
    if choice == "none":
        return Subtitles()
    if choice == "whisper":
        if not info.audio:
            raise SubtitleError(
                f"{video.name} has no sound, so there is no speech to transcribe.",
                hint="Ask without: --subtitles none",
            )
        # Whisper costs two CPU seconds to import, which every other choice would pay for nothing.
        from goldfish_cli.media.speech import transcribe

        speech = transcribe(
            video,
            model=whisper_model,
            device=device,
            language=language,
            cache_dir=cache_dir,
            offline=offline,
        )
        return Subtitles(speech.cues, f"whisper {whisper_model}", speech.language, speech.notes)
    if choice == "auto":
        return _find_beside_or_inside(video, info)
    path = Path(choice)
    return _read_file(path, _language_of(path, video), info)


def find_sidecars(video: Path) -> list[Path]:
    """List the subtitle files that belong to a video by name, the best first.

    They stand beside it and are called as it is, with tags between: ``clip.srt``,
    ``clip.en.vtt``, ``clip.pt-BR.forced.ass``. In order of preference: complete subtitles, for the
    hearing impaired, automatic, forced (foreign parts only); then without a language, English,
    other languages by their tag; then ``.srt .vtt .ass .ssa``; then by name.
    """
    beside = video.absolute().parent
    stem = video.name if video.is_dir() else video.stem
    ranked = rank_sidecars(beside.iterdir(), stem)
    return [video.parent / path.name for path in ranked if path.is_file()]


def rank_sidecars(paths: Iterable[Path], stem: str) -> list[Path]:
    """Choose among ``paths`` the subtitle files of a video by name, the best first.

    Args:
        paths: Files of the video's folder; they are not looked at.
        stem: The video's name without its extension.
    """
    ranked = []
    for path in paths:
        tags = _tags_of(path, stem)
        if tags is None:
            continue
        language, kind = tags
        suffix = SUFFIXES.index(path.suffix.lower())
        preference = 0 if language is None else 1 if _main_part(language) in _ENGLISH else 2
        ranked.append(((kind, preference, language or "", suffix, path.name), path))
    return [path for _, path in sorted(ranked)]


def _find_beside_or_inside(video: Path, info: VideoInfo) -> Subtitles:
    notes: list[str] = []
    for path in _sidecars_or_note(video, notes):
        try:
            found = _read_file(path, _language_of(path, video), info)
        except SubtitleError as error:
            notes.append(f"passed over: {error}")
            continue
        return Subtitles(found.cues, found.source, found.language, (*notes, *found.notes))
    found = read_embedded_subtitles(video, info)
    notes.extend(found.notes)
    if not found.cues and info.audio:
        notes.append("no subtitles found; --subtitles whisper transcribes the speech")
    return Subtitles(found.cues, found.source, found.language, tuple(notes))


def _sidecars_or_note(video: Path, notes: list[str]) -> list[Path]:
    try:
        return find_sidecars(video)
    except OSError as error:
        notes.append(f"no sidecar files: the folder cannot be listed ({error.strerror})")
        return []


def _read_file(path: Path, language: str | None, info: VideoInfo) -> Subtitles:
    file = read_subtitle_file(path, language=language)
    notes = list(file.notes)
    cues = file.cues
    if info.duration > 0:
        cues = tuple(cue for cue in cues if cue.start < info.duration + _SOUND_OUTLASTS_PICTURE_S)
    if len(cues) < len(file.cues):
        late = len(file.cues) - len(cues)
        notes.append(f"{path.name}: {late} of {len(file.cues)} captions after the end left out")
    return Subtitles(shift_cues(cues, info.start), path.name, language, tuple(notes))


def _language_of(path: Path, video: Path) -> str | None:
    """Read the language from a file's name; its last tag counts where the names differ."""
    tags = _tags_of(path, video.stem)
    return tags[0] if tags else _as_language(Path(path.stem).suffix.lstrip("."))


def _tags_of(path: Path, stem: str) -> tuple[str | None, int] | None:
    """Read language and kind from ``stem.tags.suffix``; ``None`` if the name is not of that form.

    A tag that is neither belongs to another video's name (``clip.2.srt``), and so does the file.
    """
    if path.suffix.lower() not in SUFFIXES or not f"{path.stem}.".startswith(f"{stem}."):
        return None
    language, kind = None, 0
    for tag in path.stem[len(stem) :].split(".")[1:]:
        if tag.lower() in _KINDS:
            kind = max(kind, _KINDS[tag.lower()])
        elif language is None and _as_language(tag):
            language = _as_language(tag)
        elif tag.lower() == "hi" and language is not None:
            kind = max(kind, _KINDS["sdh"])  # "hearing impaired" after a language, else Hindi
        else:
            return None
    return language, kind


def _as_language(tag: str) -> str | None:
    if tag.lower() in _LANGUAGE_NAMES:
        return _LANGUAGE_NAMES[tag.lower()]
    return tag.replace("_", "-") if _LANGUAGE_TAG.fullmatch(tag) else None


def _main_part(language: str) -> str:
    return language.lower().split("-")[0]
