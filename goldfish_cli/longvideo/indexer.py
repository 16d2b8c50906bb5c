"""Put a film into an index: one walk through it, a summary for each clip, what is said in it.

A clip is stored as soon as it is done, so a run that was stopped continues; a clip is done again
only where something that its summary depends on has changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image as pillow

from goldfish_cli.backends.base import GenerationSettings, VideoLanguageModel
from goldfish_cli.errors import VideoError
from goldfish_cli.inference.clip import Notify
from goldfish_cli.longvideo.chapters import chapters_of, summary_of
from goldfish_cli.longvideo.known import KnownClips
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.seeing import Needs, SeenClip, Seer
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.telling import AT_A_TIME, Teller, Untold, in_groups
from goldfish_cli.longvideo.visuals import IDENTITY, NAME
from goldfish_cli.longvideo.written_chapters import story_key, write_story
from goldfish_cli.media.cues import Cue, Subtitles
from goldfish_cli.media.cutting import Cutting, cut_talk, is_gapless
from goldfish_cli.media.film import FilmClip, looks_a_second, walk_clips
from goldfish_cli.media.subtitle_files import SUFFIXES, read_subtitle_file
from goldfish_cli.media.subtitles import find_subtitles
from goldfish_cli.media.video import Frame, VideoInfo, media_hash, probe
from goldfish_cli.profiles import Profile

if TYPE_CHECKING:
    from goldfish_cli.data.features import FeatureStore
    from goldfish_cli.longvideo.visual_models import VisualModel

THUMBNAIL_SIZE = (160, 120)
"""Widest and highest, in pixels."""
CHAPTERS, STORY_KEY = "chapters", "chapters_key"
"""Keys of a film's settings: whether a model wrote its chapters, and what they depend on."""
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
    pictures: VisualModel | None = None,
    features: FeatureStore | None = None,
    writer: VideoLanguageModel | None = None,
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
        pictures: Makes the clips' visual vectors; ``None``: the model's own encoder, if it has one.
        features: Keeps the encoder's output of the clips that are described; ``None``: it is lost.
        writer: Writes the chapters and the film's summary; ``None``: they are made of the words.
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
    seer = _seer(model, source, plan, pictures, features)
    film = _register(store, source, model, plan, seer)
    known = KnownClips(store, film)
    counts: dict[State, int] = {"new": 0, "reused": 0, "failed": 0}
    cues = _Cues(source.subtitles.cues)

    def key_of(start: float, end: float) -> str:
        seen = model.identity if model else ""
        return _digest(_VERSION, film.id, start, end, plan.num_frames, plan.prompt, seen)

    def needs_of(start: float, end: float) -> Needs:
        has_visual = seer is None or seer.visual_name is None or known.has_visual(start, end)
        return Needs(key_of(start, end) not in known.told, not has_visual)

    def is_wanted(start: float, end: float) -> bool:
        needs = needs_of(start, end)
        is_shown = not needs.summary or known.has_thumbnail(start, end)
        return seer is not None and (seer.needs_frames(start, end, needs) or not is_shown)

    number = -1
    clips = _walk(source, film, known, plan, model, seer, is_wanted, notify)
    teller = Teller(
        model,
        path,
        source.info,
        plan.prompt,
        GenerationSettings(max_new_tokens=plan.max_new_tokens),
        profile,
        notify,
    )
    try:
        for group in in_groups(_seen(seer, clips, needs_of), AT_A_TIME):
            keys = [key_of(one.clip.start, one.clip.end) for one in group]
            said = [cues.begun_before(one.clip.end) for one in group]
            untold = [
                Untold(*one)
                for one in zip(group, said, keys, strict=True)
                if one[2] not in known.told
            ]
            made = iter(teller.tell(untold))
            for seen, heard, key in zip(group, said, keys, strict=True):
                found, before = seen.clip, known.told.get(key)
                number = found.number
                if before is not None:
                    clip, state = replace(before, number=number, cues=heard), "reused"
                else:
                    clip = next(made)
                    state = "failed" if clip.failed else "new"
                known.put(clip, seen.visual, _thumbnail(found.frames, source.info))
                counts[state] += 1  # type: ignore[index]  # one of the three
                yield ClipDone(clip, state, found.end - film.start)  # type: ignore[arg-type]
    finally:
        if features is not None:
            features.flush()
    _finish(store, film, number + 1, cues.rest(), source, plan)
    film = _write(store, film.id, writer, profile, notify)
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


def _seer(
    model: VideoLanguageModel | None,
    source: _Source,
    plan: IndexPlan,
    pictures: VisualModel | None,
    features: FeatureStore | None,
) -> Seer | None:
    """What looks at the film; ``None`` if it is known by its subtitles alone."""
    if model is None or source.info is None:
        return None
    rate = looks_a_second(source.info, plan.cutting, plan.num_frames)
    frames = f"{plan.num_frames} of {rate!r} a second, overlap {plan.cutting.overlap!r}"
    return Seer(model, source.id, f"film walk 1: {frames}", pictures, features)


def _seen(
    seer: Seer | None, clips: Iterator[FilmClip], needs_of: Callable[[float, float], Needs]
) -> Iterator[SeenClip]:
    """Look at clips, those together that fill the encoder; of subtitles alone nothing is seen."""
    if seer is None:
        yield from map(SeenClip, clips)
        return
    for batch in seer.batches(clips):
        yield from seer.see(batch, [needs_of(clip.start, clip.end) for clip in batch])


def _register(
    store: IndexStore,
    source: _Source,
    model: VideoLanguageModel | None,
    plan: IndexPlan,
    seer: Seer | None,
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
        NAME: seer.visual_name if seer else None,
        IDENTITY: seer.visual_identity if seer else None,
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
    if before is not None:  # what wrote the chapters that are there
        settings |= {one: before.settings.get(one) for one in (CHAPTERS, STORY_KEY)}
    same_looks = before is None or all(
        before.settings.get(name) == settings[name] for name in (IDENTITY, "frames")
    )
    with store.transaction():
        store.put_film(film)
        if not same_looks:
            store.drop_visuals(film.id)
    return film


def _walk(
    source: _Source,
    film: FilmRecord,
    known: KnownClips,
    plan: IndexPlan,
    model: VideoLanguageModel | None,
    seer: Seer | None,
    is_wanted: Callable[[float, float], bool],
    notify: Notify,
) -> Iterator[FilmClip]:
    if source.info is None or model is None or seer is None:
        cues = source.subtitles.cues
        cutting = plan.cutting if plan.cutting.seconds else replace(plan.cutting, seconds=30.0)
        for number, (start, end) in enumerate(cut_talk(source.start, source.end, cues, cutting)):
            yield FilmClip(number, start, end, (), ())
        return
    spans = [(clip.start, clip.end) for clip in known.clips.values()]
    is_whole = bool(film.borders_key) and _is_whole(film, known.clips, plan)
    if is_whole and not any(is_wanted(*span) for span in spans):
        for number, (start, end) in enumerate(spans):
            yield FilmClip(number, start, end, (), ())  # the film is not even opened
        return
    notes: list[str] = []
    yield from walk_clips(
        source.path,
        info=source.info,
        cutting=plan.cutting,
        num_frames=plan.num_frames,
        prepare=model.shrink,
        beside=seer.pictures.prepare if seer.pictures else None,
        cues=source.subtitles.cues,
        wanted=is_wanted,
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


def _finish(
    store: IndexStore,
    film: FilmRecord,
    count: int,
    late: tuple[Cue, ...],
    source: _Source,
    plan: IndexPlan,
) -> None:
    """Drop what an earlier cutting left; from now on the borders are known."""
    if count == 0:
        raise VideoError(f"{source.path.name} holds no clip.", hint="Check that it plays")
    store.drop_clips_from(film.id, count)
    last = store.clip(film.id, count - 1)
    if late and last is not None:
        store.put_clip(film.id, replace(last, cues=(*last.cues, *late)))
    borders = _digest(asdict(plan.cutting), [(one.start, one.end) for one in source.subtitles.cues])
    store.put_film(replace(film, borders_key=borders))


def _write(
    store: IndexStore,
    film_id: str,
    writer: VideoLanguageModel | None,
    profile: Profile,
    notify: Notify,
) -> FilmRecord:
    """Give a film its chapters and its summary, and with them count it as complete."""
    film, clips = store.film(film_id), store.clips(film_id)
    assert film is not None
    chapters = chapters_of(clips)
    settings = film.settings | {CHAPTERS: "words", STORY_KEY: None}
    summary = summary_of(chapters)
    if writer is not None and chapters:
        key = story_key(chapters, clips, writer)
        if film.settings.get(STORY_KEY) == key:
            chapters, summary, settings = film.chapters, film.summary, film.settings
        else:
            notify(f"{film.name}: writing {len(chapters)} chapters.")
            story = write_story(chapters, clips, writer, profile, notify)
            chapters, summary = story.chapters, story.summary
            settings |= {CHAPTERS: "model", STORY_KEY: key if story.is_whole else None}
    film = replace(film, complete=True, chapters=chapters, summary=summary, settings=settings)
    store.put_film(film)
    return film


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
