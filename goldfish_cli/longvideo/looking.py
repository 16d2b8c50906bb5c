"""Look again: a clip's frames before the model once more, this time with the question in view."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from goldfish_cli.backends.base import GenerationSettings, VideoLanguageModel
from goldfish_cli.errors import VideoError
from goldfish_cli.inference.answer import answer_together
from goldfish_cli.inference.clip import Look, Notify, WatchedClip
from goldfish_cli.longvideo.framing import DENSE_S, MANY, choose_frames
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.views import OTHER_VIEWS, Change, as_it_is
from goldfish_cli.longvideo.words import count_phrase, holds_phrase, stems
from goldfish_cli.media.cues import Subtitles
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.video import Frame, VideoInfo, media_hash, probe
from goldfish_cli.profiles import Profile

_IS_THERE = ("Is there a {name}?", "Can you see a {name}?", "Does a {name} appear?")
"""One question in three wordings: most decide."""
_YES = re.compile(r"\W*yes\b", re.IGNORECASE)
_DESCRIBE = "Describe the video."
AGREED = 3
"""So many other views that all speak for a thing settle it."""
AGAINST = 2
"""So many that do not speak for it settle that it is not there."""
MOST_WATCHED = 12
"""Clips, each in one view, that the model remembers at a time."""


class Looker:
    """Shows clips of indexed films to a model; what it has just seen is not read again.

    Args:
        load: Gives the model that answers; called once a clip has to be looked at.
        profile: Limits frames and prompts.
        notify: Hears why a film cannot be looked at.
    """

    def __init__(
        self,
        load: Callable[[], VideoLanguageModel],
        profile: Profile,
        notify: Notify = lambda _: None,
    ) -> None:
        self._model = cache(load)
        self._profile = profile
        self._notify = notify
        self._films: dict[str, tuple[Path, VideoInfo] | None] = {}
        self._frames: dict[tuple[str, int], list[Frame]] = {}
        self._watched: dict[tuple[str, int, Change], WatchedClip] = {}
        self._verdicts: dict[tuple[str, ClipRecord, str], int] = {}

    def ask(self, film: FilmRecord, clip: ClipRecord, question: str) -> str | None:
        """Answer a question about one clip; ``None`` if the film's file is not at hand."""
        if self._find(film) is None:
            return None
        return self._ask(film, clip, as_it_is, [question])[0]

    def times_shown(self, film: FilmRecord, clip: ClipRecord, name: str) -> int | None:
        """How many times a clip shows a thing, by what the model says of it in other views.

        A model that takes a cross for a star says so again if it is asked. It seldom does if the
        pictures are mirrored or moved a little; what it is sure of, it tells of in each view.

        Args:
            film: The film.
            clip: The clip.
            name: Of the thing: ``red circle``.

        Returns:
            0 if it does not; ``None`` if the film's file is not at hand.
        """
        if self._find(film) is None:
            return None
        key = film.id, clip, name
        if key not in self._verdicts:
            self._verdicts[key] = self._confirmed(film, clip, name)
        return self._verdicts[key]

    def _confirmed(self, film: FilmRecord, clip: ClipRecord, name: str) -> int:
        speaking: list[int] = []
        against = 0 if count_phrase(stems(clip.summary), stems(name)) else 1
        for view in OTHER_VIEWS:
            told = self._times_told(film, clip, view, name)
            against += not told
            speaking += [told] if told else []
            if against == AGAINST or len(speaking) == AGREED + against:
                break
        return 0 if against == AGAINST else sorted(speaking)[len(speaking) // 2]

    def _times_told(self, film: FilmRecord, clip: ClipRecord, view: Change, name: str) -> int:
        """How often the model tells of a thing; if of nothing in its stead, 1 if it says yes."""
        phrase, known = stems(name), stems(clip.summary)
        prompt = str(film.settings.get("prompt") or _DESCRIBE)
        told = stems(self._ask(film, clip, view, [prompt])[0])
        if count := count_phrase(told, phrase):
            return count
        is_apart = set(phrase) <= set(known) and not count_phrase(known, phrase)
        if is_apart or _names_another(told, phrase, known):
            return 0
        answers = self._ask(film, clip, view, [one.format(name=name) for one in _IS_THERE])
        return int(sum(_YES.match(text) is not None for text in answers) * 2 > len(answers))

    def _ask(
        self, film: FilmRecord, clip: ClipRecord, view: Change, questions: Sequence[str]
    ) -> list[str]:
        settings = GenerationSettings(max_new_tokens=self._profile.max_new_tokens)
        answers = answer_together(
            self._model(),
            self._watch(film, clip, view),
            questions,
            profile=self._profile,
            settings=settings,
            notify=self._notify,
        )
        return [answer.answer.strip() for answer in answers]

    def _watch(self, film: FilmRecord, clip: ClipRecord, view: Change) -> WatchedClip:
        path, info = self._located(film)
        key = film.id, clip.number, view
        watched = self._watched.pop(key, None)
        if watched is None:
            model = self._model()
            frames = [
                Frame(frame.time, model.shrink(view(frame.image)))
                for frame in self._read(film, clip, path, info)
            ]
            look = Look(path, start=clip.start, end=clip.end)
            said = Subtitles(clip.cues, film.subtitles)
            watched = WatchedClip(look, info, model.encode(frames), said, 0.0)
        self._watched[key] = watched  # the newest is the last
        while len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        return watched

    def _read(self, film: FilmRecord, clip: ClipRecord, path: Path, info: VideoInfo) -> list[Frame]:
        """Decode a clip's frames once for all views, and choose among them."""
        key = film.id, clip.number
        if key not in self._frames:
            model = self._model()
            count = model.num_frames(self._profile)
            is_dense = clip.end - clip.start <= DENSE_S * count
            seen = count if is_dense else MANY * count
            plan = FramePlan("uniform", seen, start=clip.start, end=clip.end)
            frames = sample_frames(path, plan, info=info, prepare=model.shrink)
            self._frames = {key: choose_frames(frames, count)}  # of one clip at a time
        return self._frames[key]

    def _located(self, film: FilmRecord) -> tuple[Path, VideoInfo]:
        found = self._find(film)
        if found is None:
            raise VideoError(f"{film.name} is not where it was indexed.")
        return found

    def _find(self, film: FilmRecord) -> tuple[Path, VideoInfo] | None:
        """Find the film by its content: another file under its name is not taken for it."""
        if film.id not in self._films:
            self._films[film.id] = None
            if not film.settings.get("frames"):
                return None  # known by its subtitles alone
            path = locate(film)
            if path is None:
                self._notify(
                    f"{film.name} is not where it was indexed; answering from the index alone."
                )
            else:
                self._films[film.id] = path, probe(path)
        return self._films[film.id]


def _names_another(told: Sequence[str], phrase: Sequence[str], known: Sequence[str]) -> bool:
    """Whether a text has a word of a name in other company, and not as it is known of the clip."""
    for place, word in enumerate(told):
        if word in phrase:
            first = place - phrase.index(word)
            if first >= 0 and not holds_phrase(known, told[first : first + len(phrase)]):
                return True
    return False


def locate(film: FilmRecord) -> Path | None:
    """Find a film's file by its content: another one under its name is not taken for it."""
    for path in map(Path, reversed(film.paths)):
        try:
            if path.exists() and media_hash(path) == film.id:
                return path
        except (VideoError, OSError):
            continue  # it can no longer be read
    return None
