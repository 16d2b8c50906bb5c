"""Put a film into an index: one walk through it, a summary for each clip, what is said in it.

A clip is stored as soon as it is done, so a run that was stopped continues; a clip is done again
only where something that its summary depends on has changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image as pillow

from goldfish_cli.backends.base import GenerationSettings, VideoLanguageModel, drain
from goldfish_cli.errors import VideoError
from goldfish_cli.inference.answer import answer_question
from goldfish_cli.inference.clip import Look, Notify, WatchedClip
from goldfish_cli.longvideo.chapters import chapters_of, summary_of
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.media.cutting import Cutting, cut, is_gapless
from goldfish_cli.media.film import FilmClip, walk_clips
from goldfish_cli.media.subtitle_files import SUFFIXES, read_subtitle_file
from goldfish_cli.media.subtitles import find_subtitles
from goldfish_cli.media.video import Frame, VideoInfo, media_hash, probe
from goldfish_cli.profiles import Profile

THUMBNAIL_SIZE = (160, 120)
"""Widest and highest, in pixels."""
_VERSION = "1"  # of what is made of a clip; another number makes all of it again

State = Literal["new", "reused", "failed"]


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """How a film is cut, looked at and told."""

    cutting: Cutting
    num_frames: int
    """Frames of a clip that the model sees."""
    prompt: str
    """What the model is asked about each clip."""
    subtitles: Literal["auto", "none", "whisper"] | Path = "auto"
    max_new_tokens: int = 256
    """Longest summary."""


@dataclass(frozen=True, slots=True)
class ClipDone:
    """One more clip is in the index."""

    clip: ClipRecord
    state: State
    seconds: float
    """Of the film that is now done, from its start."""


@dataclass(frozen=True, slots=True)
class IndexedFilm:
    """What became of a film: the keys of ``goldfish index --json``."""

    video: str
    id: str
    clips: int
    new: int
    reused: int
    failed: int
    duration: float
    seconds: float


def is_subtitle_file(path: Path) -> bool:
    """Whether a film is given by its subtitles alone."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def index_film(
    store: IndexStore,
    model: VideoLanguageModel | None,
    path: Path,
    plan: IndexPlan,
    profile: Profile,
    *,
    cache_dir: Path | None = None,
    offline: bool = False,
    notify: Notify = lambda _: None,
) -> Generator[ClipDone, None, IndexedFilm]:
    """Work through a film; the generator tells of each clip and returns the whole.

    Args:
        store: Open to write.
        model: Tells what is to be seen; ``None`` for subtitles without a film.
        path: A video, or a subtitle file.
        plan: How to cut it and what to ask.
        profile: Limits the prompts.
        cache_dir: Folder where transcripts are kept.
        offline: Fetch no weights for speech recognition.
        notify: Hears what is odd about the file.

    Raises:
        VideoError: If the file cannot be read at all.
        SubtitleError: If subtitles were asked for which cannot be read or made.
        IndexFolderError: If the index cannot be written.
    """
    began = time.perf_counter()
    source = _open(path, plan, profile, cache_dir=cache_dir, offline=offline, notify=notify)
    film = _register(store, source, model, plan)
    known = {clip.number: clip for clip in store.clips(film.id)}
    counts: dict[State, int] = {"new": 0, "reused": 0, "failed": 0}
    cues = _Cues(source.subtitles.cues)

    def key_of(start: float, end: float) -> str:
        seen = model.identity if model else ""
        return _digest(_VERSION, film.id, start, end, plan.num_frames, plan.prompt, seen)

    def is_done(start: float, end: float) -> bool:
        key = key_of(start, end)
        return any(clip.key == key and not clip.failed for clip in known.values())

    done = {clip.key: clip for clip in known.values() if not clip.failed}
    number = -1
    for found in _walk(source, film, known, plan, model, is_done, notify):
        number = found.number
        key = key_of(found.start, found.end)
        said = cues.begun_before(found.end)
        before = done.get(key)
        if before is not None:
            clip, state = replace(before, number=number, cues=said), "reused"
            if clip != before:
                store.put_clip(film.id, clip)
        else:
            clip = _tell(found, said, key, source, plan, model, profile, notify)
            state = "failed" if clip.failed else "new"
            store.put_clip(film.id, clip, thumbnail=_thumbnail(found.frames, source.info))
        counts[state] += 1  # type: ignore[index]  # one of the three
        yield ClipDone(clip, state, found.end - film.start)  # type: ignore[arg-type]
    _finish(store, film, number + 1, cues.rest(), source, plan)
    return IndexedFilm(
        str(path),
        film.id,
        number + 1,
        counts["new"],
        counts["reused"],
        counts["failed"],
        round(film.duration, 3),
        round(time.perf_counter() - began, 3),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """An opened film: what it is, and what is said in it."""

    path: Path
    id: str
    info: VideoInfo | None
    """``None`` for subtitles alone."""
    start: float
    end: float
    subtitles: Subtitles


def _open(
    path: Path,
    plan: IndexPlan,
    profile: Profile,
    *,
    cache_dir: Path | None,
    offline: bool,
    notify: Notify,
) -> _Source:
    if is_subtitle_file(path):
        file = read_subtitle_file(path)
        end = max(cue.end for cue in file.cues)
        subtitles = Subtitles(file.cues, path.name, None, file.notes)
        return _Source(path, media_hash(path), None, 0.0, max(end, 1.0), subtitles)
    info = probe(path)
    subtitles = find_subtitles(
        path,
        plan.subtitles,
        info=info,
        whisper_model=profile.whisper_model,
        device=profile.device,
        cache_dir=cache_dir,
        offline=offline,
    )
    for note in (*info.notes, *subtitles.notes):
        notify(f"{path.name}: {note}")
    return _Source(path, media_hash(path), info, info.start, info.end, subtitles)


def _register(
    store: IndexStore, source: _Source, model: VideoLanguageModel | None, plan: IndexPlan
) -> FilmRecord:
    """Write down that the film is being worked on, under the name it has now."""
    before = store.film(source.id)
    here = str(source.path.parent.resolve() / source.path.name)
    paths = tuple(one for one in (before.paths if before else ()) if one != here)
    settings: dict[str, Any] = {
        "model": model.name if model else None,
        "model_identity": model.identity if model else None,
        "frames": plan.num_frames if source.info else 0,
        "prompt": plan.prompt,
        **asdict(plan.cutting),
    }
    borders = _digest(asdict(plan.cutting), [(one.start, one.end) for one in source.subtitles.cues])
    film = FilmRecord(
        source.id,
        (*paths, here),
        source.start,
        source.end - source.start,
        subtitles=source.subtitles.source,
        language=source.subtitles.language,
        settings=settings,
        borders_key=borders if before and before.borders_key == borders else "",
        complete=False,
        summary=before.summary if before else "",
        chapters=before.chapters if before else (),
    )
    store.put_film(film)
    return film


def _walk(
    source: _Source,
    film: FilmRecord,
    known: dict[int, ClipRecord],
    plan: IndexPlan,
    model: VideoLanguageModel | None,
    is_done: Any,
    notify: Notify,
) -> Iterator[FilmClip]:
    if source.info is None or model is None:
        cues = source.subtitles.cues
        cutting = plan.cutting if plan.cutting.seconds else replace(plan.cutting, seconds=30.0)
        for number, (start, end) in enumerate(cut(source.start, source.end, [], cues, cutting)):
            yield FilmClip(number, start, end, (), ())
        return
    if (
        film.borders_key
        and _is_whole(film, known, plan)
        and all(is_done(clip.start, clip.end) for clip in known.values())
    ):
        for clip in known.values():  # nothing to look at: the film is not even opened
            yield FilmClip(clip.number, clip.start, clip.end, (), ())
        return
    notes: list[str] = []
    yield from walk_clips(
        source.path,
        info=source.info,
        cutting=plan.cutting,
        num_frames=plan.num_frames,
        prepare=model.shrink,
        cues=source.subtitles.cues,
        wanted=lambda start, end: not is_done(start, end),
        notes=notes,
    )
    for note in dict.fromkeys(notes):
        notify(f"{source.path.name}: {note}")


def _is_whole(film: FilmRecord, known: dict[int, ClipRecord], plan: IndexPlan) -> bool:
    """Whether the clips that are known cover the film, none missing between."""
    clips = [known[number] for number in sorted(known)]
    if not clips or [clip.number for clip in clips] != list(range(len(clips))):
        return False
    spans = [(clip.start, clip.end) for clip in clips]
    ends_well = abs(spans[0][0] - film.start) < 1.0 and abs(spans[-1][1] - film.end) < 1.0
    return ends_well and is_gapless(spans, plan.cutting)


def _tell(
    found: FilmClip,
    said: tuple[Cue, ...],
    key: str,
    source: _Source,
    plan: IndexPlan,
    model: VideoLanguageModel | None,
    profile: Profile,
    notify: Notify,
) -> ClipRecord:
    """Let the model say what a clip shows."""
    clip = ClipRecord(found.number, found.start, found.end, cues=said, key=key)
    if source.info is None or model is None:
        return clip
    if not found.frames:
        return replace(clip, failed="no picture of it could be decoded")
    look = Look(source.path, start=found.start, end=found.end)
    watched = WatchedClip(look, source.info, model.encode(found.frames), Subtitles(said), 0.0)
    settings = GenerationSettings(max_new_tokens=plan.max_new_tokens)
    answer = drain(
        answer_question(
            model, watched, plan.prompt, profile=profile, settings=settings, notify=notify
        )
    )
    return replace(clip, summary=answer.answer.strip())


def _finish(
    store: IndexStore,
    film: FilmRecord,
    count: int,
    late: tuple[Cue, ...],
    source: _Source,
    plan: IndexPlan,
) -> None:
    """Drop what an earlier cutting left, and write what is known of the film as a whole."""
    if count == 0:
        raise VideoError(f"{source.path.name} holds no clip.", hint="Check that it plays")
    store.drop_clips_from(film.id, count)
    last = store.clip(film.id, count - 1)
    if late and last is not None:
        store.put_clip(film.id, replace(last, cues=(*last.cues, *late)))
    chapters = chapters_of(store.clips(film.id))
    borders = _digest(asdict(plan.cutting), [(one.start, one.end) for one in source.subtitles.cues])
    store.put_film(
        replace(
            film,
            borders_key=borders,
            complete=True,
            chapters=chapters,
            summary=summary_of(chapters),
        )
    )


class _Cues:
    """Hands out cues in order: each to the one clip in which it begins."""

    def __init__(self, cues: Sequence[Cue]) -> None:
        self._waiting = sorted(cues, key=lambda cue: cue.start)

    def begun_before(self, end: float) -> tuple[Cue, ...]:
        """Take the cues that begin before ``end`` and were not taken yet."""
        count = sum(cue.start < end for cue in self._waiting)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return tuple(taken)

    def rest(self) -> tuple[Cue, ...]:
        """Take what is left."""
        return self.begun_before(float("inf"))


def _thumbnail(frames: Sequence[Frame], info: VideoInfo | None) -> bytes | None:
    """The clip's middle picture as JPEG, in the film's own shape: models often see it squeezed."""
    if not frames or info is None:
        return None
    scale = min(
        most / there for most, there in zip(THUMBNAIL_SIZE, (info.width, info.height), strict=True)
    )
    size = max(1, round(scale * info.width)), max(1, round(scale * info.height))
    picture = pillow.fromarray(frames[len(frames) // 2].image).resize(size)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
