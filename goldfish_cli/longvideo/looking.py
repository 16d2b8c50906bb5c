"""Look again: a clip's frames before the model once more, this time with the question in view."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from goldfish_cli.backends.base import GenerationSettings, VideoLanguageModel, drain
from goldfish_cli.errors import VideoError
from goldfish_cli.inference.answer import answer_question
from goldfish_cli.inference.clip import Look, Notify, WatchedClip
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.media.cues import Subtitles
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.video import Frame, VideoInfo, media_hash, probe
from goldfish_cli.profiles import Profile

_IS_THERE = ("Is there a {name}?", "Can you see a {name}?", "Does a {name} appear?")
"""One question in three wordings, asked of the pictures as they are and mirrored: most decide."""
_YES = re.compile(r"\W*yes\b", re.IGNORECASE)


class Looker:
    """Shows clips of indexed films to a model; a clip is decoded and encoded once.

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
        self._watched: dict[tuple[str, int, bool], WatchedClip] = {}

    def ask(
        self, film: FilmRecord, clip: ClipRecord, question: str, *, mirrored: bool = False
    ) -> str | None:
        """Answer a question about one clip; ``None`` if the film's file is not at hand.

        Args:
            film: The film.
            clip: The clip.
            question: Any question.
            mirrored: Show left and right exchanged: the same things, another look at them.
        """
        source = self._find(film)
        if source is None:
            return None
        watched = self._watch(film, clip, *source, mirrored=mirrored)
        settings = GenerationSettings(max_new_tokens=self._profile.max_new_tokens)
        answer = answer_question(
            self._model(),
            watched,
            question,
            profile=self._profile,
            settings=settings,
            notify=self._notify,
        )
        return drain(answer).answer.strip()

    def shows(self, film: FilmRecord, clip: ClipRecord, name: str) -> bool | None:
        """Whether most of the model's answers say that a clip shows a thing.

        Args:
            film: The film.
            clip: The clip.
            name: Of the thing: ``red circle``.

        Returns:
            ``None`` if the film's file is not at hand.
        """
        yes = 0
        for mirrored in (False, True):
            for wording in _IS_THERE:
                text = self.ask(film, clip, wording.format(name=name), mirrored=mirrored)
                if text is None:
                    return None
                yes += _YES.match(text) is not None
        return yes > len(_IS_THERE)

    def _watch(
        self, film: FilmRecord, clip: ClipRecord, path: Path, info: VideoInfo, *, mirrored: bool
    ) -> WatchedClip:
        key = film.id, clip.number, mirrored
        if key not in self._watched:
            plan = FramePlan(
                "uniform", self._model().num_frames(self._profile), start=clip.start, end=clip.end
            )
            frames = sample_frames(path, plan, info=info, prepare=self._model().shrink)
            if mirrored:
                frames = [
                    Frame(frame.time, np.ascontiguousarray(frame.image[:, ::-1]))
                    for frame in frames
                ]
            look = Look(path, start=clip.start, end=clip.end)
            said = Subtitles(clip.cues, film.subtitles)
            self._watched[key] = WatchedClip(look, info, self._model().encode(frames), said, 0.0)
        return self._watched[key]

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


def locate(film: FilmRecord) -> Path | None:
    """Find a film's file by its content: another one under its name is not taken for it."""
    for path in map(Path, reversed(film.paths)):
        try:
            if path.exists() and media_hash(path) == film.id:
                return path
        except (VideoError, OSError):
            continue  # it can no longer be read
    return None
