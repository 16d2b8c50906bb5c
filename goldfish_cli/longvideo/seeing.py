"""The pictures of a film's clips: through the encoder in batches, and what is kept of them.

Clips and stored features in, encoded clips and visual vectors out. What the model says of a clip
is not asked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from goldfish_cli.backends.base import KeepsFeatures, VideoLanguageModel
from goldfish_cli.longvideo.visuals import OWN, mean_direction
from goldfish_cli.media.film import FilmClip
from goldfish_cli.media.video import Image

if TYPE_CHECKING:
    from goldfish_cli.data.features import FeatureStore
    from goldfish_cli.longvideo.visual_models import VisualModel

MOST_PICTURES = 8
"""Pictures of a clip, spread evenly, whose features make its visual vector by ``--visual``."""
MOST_CLIPS = 16
"""Clips that wait for a full batch of frames."""


@dataclass(frozen=True, slots=True)
class SeenClip:
    """A clip after its pictures were looked at."""

    clip: FilmClip
    encoded: Any = None
    """The backend's ``EncodedVideo``; ``None`` if nothing needed it, or nothing could be seen."""
    visual: NDArray[np.float16] | None = None
    """Its visual vector, if there is one and it was not known."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a clip is not there yet."""

    summary: bool
    visual: bool


@dataclass
class Seer:
    """Looks at the clips of one film.

    Args:
        model: Describes the clips.
        film: The film's id.
        plan: In words, how the frames of a clip are chosen.
        pictures: A CLIP-like model for the visual vectors; ``None``: the model's own encoder.
        features: Where the encoder's output is kept; ``None`` keeps none.
    """

    model: VideoLanguageModel
    film: str
    plan: str
    pictures: VisualModel | None = None
    features: FeatureStore | None = None
    _encoder: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Ask the model once what its encoder is."""
        if isinstance(self.model, KeepsFeatures):
            self._encoder = self.model.encoder_identity()

    @property
    def visual_name(self) -> str | None:
        """By what the visual vectors are made; ``None``: there are none."""
        if self.pictures is not None:
            return self.pictures.name
        return OWN if self._encoder else None

    @property
    def visual_identity(self) -> str | None:
        """Hash of what makes the visual vectors."""
        if self.pictures is not None:
            return self.pictures.identity
        digest = hashlib.sha256(self._encoder.encode()).hexdigest()[:24]
        return f"{OWN}-{digest}" if self._encoder else None

    def has_features(self, start: float, end: float) -> bool:
        """Whether the encoder's output of a clip is kept."""
        return self.features is not None and self._key(start, end) in self.features

    def needs_frames(self, start: float, end: float, needs: Needs) -> bool:
        """Whether a clip has to be decoded for what it lacks."""
        if needs.visual and self.pictures is not None:
            return True
        return (needs.summary or needs.visual) and not self.has_features(start, end)

    def batches(self, clips: Iterable[FilmClip]) -> Iterator[list[FilmClip]]:
        """Gather clips until their frames fill the encoder; their order stays.

        Memory holds the frames of one batch: at most what the encoder takes at once, and those of
        the clip that fills it.
        """
        most = self.model.frames_at_once if isinstance(self.model, KeepsFeatures) else 1
        batch: list[FilmClip] = []
        waiting = 0
        for clip in clips:
            batch.append(clip)
            waiting += len(clip.frames)
            if not waiting or waiting >= most or len(batch) >= MOST_CLIPS:
                yield batch
                batch, waiting = [], 0
        if batch:
            yield batch

    def see(self, batch: Sequence[FilmClip], needs: Sequence[Needs]) -> list[SeenClip]:
        """Encode what has to be encoded, all of it together.

        Args:
            batch: Clips, with frames where ``needs_frames`` says so.
            needs: What each of them lacks.
        """
        own_visual = self.pictures is None and bool(self._encoder)
        wanted = [
            clip
            for clip, lacks in zip(batch, needs, strict=True)
            if lacks.summary or (lacks.visual and own_visual)
        ]
        encoded = self._encode(wanted)
        return [
            SeenClip(
                clip,
                encoded.get(clip.number),
                self._visual(clip, encoded.get(clip.number)) if lacks.visual else None,
            )
            for clip, lacks in zip(batch, needs, strict=True)
        ]

    def _encode(self, clips: Sequence[FilmClip]) -> dict[int, Any]:
        """Give the encoded form of each clip by number: from the store, else by the encoder."""
        model = self.model
        if not isinstance(model, KeepsFeatures):
            return {clip.number: model.encode(clip.frames) for clip in clips if clip.frames}
        found: dict[int, Any] = {}
        fresh = []
        for clip in clips:
            if self.has_features(clip.start, clip.end):
                found[clip.number] = self._stored(model, clip)
            elif clip.frames:
                fresh.append(clip)
        if not fresh:
            return found
        for clip, video in zip(
            fresh, model.encode_clips([one.frames for one in fresh]), strict=True
        ):
            found[clip.number] = self._kept(model, clip, video)
        return found

    def _kept(self, model: KeepsFeatures, clip: FilmClip, video: Any) -> Any:
        """Store a clip's features and use them as they are stored: the same now as next time."""
        if self.features is None:
            return video
        from goldfish_cli.data.features import FeatureRecord

        record = FeatureRecord(tuple(video.times), clip.start)
        self.features.add(self._key(clip.start, clip.end), model.features_of(video), record)
        return self._stored(model, clip)

    def _stored(self, model: KeepsFeatures, clip: FilmClip) -> Any:
        assert self.features is not None
        key = self._key(clip.start, clip.end)
        return model.restore(self.features.record(key).times, self.features.features(key))

    def _visual(self, clip: FilmClip, encoded: Any) -> NDArray[np.float16] | None:
        if self.pictures is not None:
            shown = _spread(clip.pictures, MOST_PICTURES)
            if not shown:
                return None
            return mean_direction(self.pictures.encode_pictures(shown)).astype(np.float16)
        if encoded is None or not isinstance(self.model, KeepsFeatures):
            return None
        return mean_direction(self.model.mean_feature(encoded)[None]).astype(np.float16)

    def _key(self, start: float, end: float) -> str:
        from goldfish_cli.data.features import feature_key

        return feature_key(self.film, f"{self.plan}, {start!r} to {end!r}", self._encoder)


def _spread(pictures: Sequence[Image], count: int) -> list[Image]:
    """Choose pictures evenly, each from the middle of its share."""
    count = min(count, len(pictures))
    return [pictures[(2 * place + 1) * len(pictures) // (2 * count)] for place in range(count)]
