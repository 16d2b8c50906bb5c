"""What an index holds of a film as a run begins, and how a run brings it up to date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore


class KnownClips:
    """The clips of one film.

    Looks and thumbnails belong to a span of the film, whatever its clip's number is and whatever
    was said of it.
    """

    def __init__(self, store: IndexStore, film: FilmRecord) -> None:
        self._store = store
        self._film = film.id
        self.clips = {clip.number: clip for clip in store.clips(film.id)}
        self.told = {clip.key: clip for clip in self.clips.values() if not clip.failed}
        """Clips by what their summary depends on."""
        self._numbers = {(one.start, one.end): number for number, one in self.clips.items()}
        self._visuals = dict(zip(*store.visuals(film.id), strict=True))
        self._has_thumbnail = set(store.thumbnail_numbers(film.id))
        # Where borders may move, numbers may: what is there has to be read before it is replaced.
        moves = not film.borders_key
        self._thumbnails = {
            number: store.thumbnail(film.id, number) for number in self._has_thumbnail if moves
        }

    def has_visual(self, start: float, end: float) -> bool:
        """Whether the looks of a part of the film are known."""
        return self._numbers.get((start, end)) in self._visuals

    def has_thumbnail(self, start: float, end: float) -> bool:
        """Whether there is a picture of a part of the film."""
        return self._numbers.get((start, end)) in self._has_thumbnail

    def put(
        self, clip: ClipRecord, visual: NDArray[np.float16] | None, thumbnail: bytes | None
    ) -> None:
        """Store a clip; what is not new is taken from where its span was before."""
        before = self._numbers.get((clip.start, clip.end))
        is_moved = before != clip.number
        if before is not None and is_moved:
            visual = self._visuals.get(before) if visual is None else visual
            thumbnail = thumbnail or self._thumbnails.get(before)
        if self.clips.get(clip.number) == clip and visual is None and thumbnail is None:
            return
        with self._store.transaction():
            if is_moved:
                self._store.drop_visuals(self._film, clip.number)
            self._store.put_clip(self._film, clip, visual=visual, thumbnail=thumbnail)
