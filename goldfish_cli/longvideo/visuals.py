"""What a clip looks like, as one vector: found by a question's words, and told from look-alikes.

A film's vectors are by one model: a CLIP-like one, which knows text as well, or the encoder of the
model that describes the clips, which does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.errors import ModelError
from goldfish_cli.longvideo.records import FilmRecord, Match
from goldfish_cli.longvideo.view import IndexView

OWN = "own"
"""The name of the describing model's encoder, in place of a CLIP-like model's."""
NAME, IDENTITY = "visual", "visual_identity"
"""Keys of a film's settings: by what its vectors were made."""
SPREAD = 0.3
"""Of the best score, what a passage loses whose clip looks like one that stands before it."""
ALIKE = 0.8
"""Cosine, beyond the film's mean, from which on two clips begin to look alike."""
FEWEST = 8
"""Clips of a film from which on its mean tells what all of them have in common."""
_SAMPLE = 64  # clips that make the mean: enough, and quick in any film

Vectors = NDArray[np.float32]
Place = tuple[str, int]
"""A film's id and a clip's number."""


class TextTower(Protocol):
    """The half of a CLIP-like model that reads questions."""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""

    @property
    def identity(self) -> str:
        """Hash of its content."""

    @property
    def weight(self) -> float:
        """Of its ranking, where that of the words (BM25) counts 1."""

    def encode_text(self, text: str) -> Vectors:
        """Give the vector of a question, ``(dim,)``, of length one."""


class PictureSearch:
    """Finds clips by their looks, given words.

    Args:
        store: The index.
        load: Gives the model; called with the first question that needs it.
        notify: Hears why nothing, or not everything, can be found so.
    """

    def __init__(
        self,
        store: IndexView,
        load: Callable[[], TextTower],
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._load = load
        self._notify = notify
        self._model: TextTower | None = None
        self._is_loaded = False
        self._visuals: dict[str, tuple[list[int], Vectors]] = {}

    @property
    def weight(self) -> float:
        """Of this ranking, where that of the words counts 1."""
        return self._model.weight if self._model else 0.0

    def search(
        self, query: str, *, films: Sequence[str] | None = None, limit: int = 50
    ) -> list[tuple[Place, float]]:
        """Find the clips that look most as a question says: place and cosine, the best first.

        Args:
            query: Any words.
            films: Ids of the films to look in; ``None``: all.
            limit: Clips at most.
        """
        wanted = [one.id for one in self._store.films()] if films is None else films
        model = self._loaded(wanted)
        if model is None:
            return []
        vector = model.encode_text(query)
        found: list[tuple[Place, float]] = []
        for film in wanted:
            numbers, vectors = self._of_film(film)
            if not numbers or vectors.shape[1] != len(vector):
                continue
            scores = vectors @ vector
            best = np.argsort(-scores, kind="stable")[:limit]
            found += [((film, numbers[place]), float(scores[place])) for place in best]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:limit]

    def _loaded(self, films: Sequence[str]) -> TextTower | None:
        if not self._is_loaded:
            self._is_loaded = True
            try:
                self._model = self._load()
            except ModelError as error:
                self._notify(f"{str(error).rstrip('.')}; pictures are not searched.")
                return None
            self._check(self._model, [one for one in self._store.films() if one.id in films])
        return self._model

    def _check(self, model: TextTower, films: Sequence[FilmRecord]) -> None:
        """Say which films were not indexed by this very model."""
        named = [one for one in films if one.settings.get(NAME) == model.name]
        if other := [one for one in named if not _by(one, model)]:
            self._notify(
                f"{model.name} is not what it was when {_listed(other)} was indexed; "
                "its pictures are not searched. Index it again."
            )
        if absent := [one for one in films if one not in named and _is_film(one)]:
            self._notify(
                f"{_listed(absent)} was indexed without {model.name}; "
                "its pictures are not searched."
            )

    def _of_film(self, film_id: str) -> tuple[list[int], Vectors]:
        if film_id not in self._visuals:
            film = self._store.film(film_id)
            is_ours = film is not None and self._model is not None and _by(film, self._model)
            empty: tuple[list[int], Vectors] = ([], np.zeros((0, 0), np.float32))
            numbers, vectors = self._store.visuals(film_id) if is_ours else empty
            self._visuals[film_id] = numbers, vectors.astype(np.float32)
        return self._visuals[film_id]


def spread(store: IndexView, matches: Sequence[Match], limit: int) -> list[Match]:
    """Choose passages, so that clips which look alike do not crowd out the others.

    Maximal marginal relevance (Carbonell and Goldstein 1998) over the clips' looks, less what is
    common to the film. What is *said* is never put back: talk goes on before the same picture.

    Args:
        store: The index.
        matches: The best first.
        limit: Passages to choose.

    Returns:
        The chosen ones with what was left of their scores, the best first.
    """
    likeness = _likeness(store, matches)
    if likeness is None:
        return list(matches[:limit])
    scores = np.array([one.score for one in matches])
    most_alike = np.zeros(len(matches))
    chosen: list[Match] = []
    waiting = np.ones(len(matches), bool)
    while waiting.any() and len(chosen) < limit:
        marginal = scores - SPREAD * scores[0] * most_alike
        place = int(np.argmax(np.where(waiting, marginal, -np.inf)))
        waiting[place] = False
        chosen.append(replace(matches[place], score=float(marginal[place])))
        most_alike = np.maximum(most_alike, likeness[place])
    return chosen


def mean_direction(vectors: NDArray[Any]) -> Vectors:
    """Average vectors ``(n, dim)`` and bring the mean to length one."""
    mean: Vectors = np.asarray(vectors, np.float32).mean(0)
    return unit_length(mean[None])[0]


def unit_length(vectors: Vectors) -> Vectors:
    """Bring vectors ``(n, dim)`` to length one; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-12))


def _likeness(store: IndexView, matches: Sequence[Match]) -> NDArray[np.float64] | None:
    """How much alike the clips of each two passages look, 0 to 1; ``None`` if nothing is known."""
    likeness = np.zeros((len(matches), len(matches)))
    is_known = False
    for film in {one.passage.film for one in matches}:
        places = [
            place
            for place, one in enumerate(matches)
            if one.passage.film == film and one.passage.kind == "seen"
        ]
        last = store.last_visual(film) if len(places) > 1 else None
        if last is None or last + 1 < FEWEST:
            continue
        looks = store.visuals_of(film, {matches[place].passage.clip for place in places})
        places = [place for place in places if matches[place].passage.clip in looks]
        common = store.visuals_of(film, {last * part // (_SAMPLE - 1) for part in range(_SAMPLE)})
        if not places or not common:
            continue
        mean = np.stack(list(common.values())).astype(np.float32).mean(0)
        own = np.stack([looks[matches[place].passage.clip] for place in places])
        beyond = unit_length(own.astype(np.float32) - mean)
        alike = np.clip((beyond @ beyond.T - ALIKE) / (1 - ALIKE), 0.0, 1.0)
        likeness[np.ix_(places, places)] = alike
        is_known = True
    return likeness if is_known else None


def _by(film: FilmRecord, model: TextTower) -> bool:
    return film.settings.get(IDENTITY) == model.identity


def _is_film(film: FilmRecord) -> bool:
    """Whether there are pictures at all, and not subtitles alone."""
    return bool(film.settings.get("frames"))


def _listed(films: Sequence[FilmRecord]) -> str:
    more = f" and {len(films) - 1} more" if len(films) > 1 else ""
    return f"{films[0].name}{more}"
