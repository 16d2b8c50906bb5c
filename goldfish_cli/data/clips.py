"""Turn a sample into something to look at: frames decoded now, or features stored before."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from goldfish_cli.data.annotations import Sample
from goldfish_cli.data.features import FeatureRecord, FeatureStore, HashBook, feature_key
from goldfish_cli.data.images import decode_image, read_image_bytes
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.embedded_subtitles import read_embedded_subtitles
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.subtitle_files import read_subtitle_file, shift_cues
from goldfish_cli.media.subtitles import Cue, align_cues
from goldfish_cli.media.video import Image, VideoInfo, media_hash, probe

_IMAGE_PLAN = "image"


@dataclass(frozen=True, slots=True)
class Clip:
    """What a sample shows: pixels or features, and when each frame is."""

    times: tuple[float, ...]  # seconds, one a frame
    cues: tuple[Cue, ...]
    start: float = 0.0  # of the clip's own clock, seconds
    frames: tuple[Image, ...] = ()  # (height, width, 3) uint8 each
    features: Tensor | None = None  # (frames, tokens, dim)


class ClipReader:
    """Opens the media of samples in one way, the same that is used for answering.

    Args:
        plan: Which frames of a video to look at.
        max_words: Word budget of the subtitles of one clip.
        store: Where encoder output is kept; ``None`` decodes each time.
        encoder: Hash of the encoder that fills the store.
        hashes: Remembers the hashes of media; ``None`` computes them each time.
        prepare: Applied to each picture as it is decoded, such as to make it smaller.
    """

    def __init__(
        self,
        plan: FramePlan,
        *,
        max_words: int,
        store: FeatureStore | None = None,
        encoder: str = "",
        hashes: HashBook | None = None,
        prepare: Callable[[Image], Image] = lambda picture: picture,
    ) -> None:
        self._prepare = prepare
        self.plan = plan
        self.max_words = max_words
        self.store = store
        self._encoder = encoder
        self._hashes = hashes
        self._keys: dict[tuple[Path, tuple[int, int] | None], str] = {}
        self._cues: dict[Path, tuple[Cue, ...]] = {}

    def read(self, sample: Sample) -> Clip:
        """Return features where they are stored, else decode.

        Raises:
            InputError: If the media is missing or cannot be read.
        """
        if self.store is None or not self.is_stored(sample):
            return self.decode(sample)
        key = self.key(sample)
        record = self.store.record(key)
        stored = tuple(Cue(*cue) for cue in record.cues)
        cues = self._sidecar(sample, record.start) or stored
        return Clip(record.times, cues, record.start, features=self.store.features(key))

    def decode(self, sample: Sample) -> Clip:
        """Open the media and return its frames.

        Raises:
            InputError: If the media is missing or cannot be read.
        """
        path = _existing(sample)
        if sample.kind == "image":
            pixels = decode_image(read_image_bytes(path, sample.region), sample.id)
            return Clip((0.0,), (), frames=(self._prepare(pixels),))
        info = probe(path)
        frames = sample_frames(path, self.plan, info=info, prepare=self._prepare)
        cues = self._sidecar(sample, info.start) or _embedded_cues(path, info)
        times = tuple(frame.time for frame in frames)
        return Clip(times, cues, info.start, frames=tuple(frame.image for frame in frames))

    def keep(self, sample: Sample, clip: Clip, features: Tensor) -> None:
        """Put the features of a decoded clip into the store."""
        if self.store is None:
            raise ValueError("This reader has no feature store.")
        cues = tuple((cue.start, cue.end, cue.text) for cue in clip.cues)
        own = () if sample.subtitles else cues  # a sidecar is read anew: it may be corrected
        self.store.add(self.key(sample), features, FeatureRecord(clip.times, clip.start, own))

    def is_stored(self, sample: Sample) -> bool:
        """Tell whether the sample's features are in the store.

        Raises:
            InputError: If the media is missing.
        """
        return self.store is not None and self.key(sample) in self.store

    def flush(self) -> None:
        """Write to disk what was kept."""
        if self.store is not None:
            self.store.flush()

    def key(self, sample: Sample) -> str:
        """Return the name of the sample's features in the store.

        Raises:
            InputError: If the media is missing.
        """
        place = (_existing(sample), sample.region)
        if place not in self._keys:
            plan = _IMAGE_PLAN if sample.kind == "image" else repr(self.plan)
            self._keys[place] = feature_key(self._media_hash(sample), plan, self._encoder)
        return self._keys[place]

    def captions(self, clip: Clip) -> list[str]:
        """Return what is said at each frame, within the budget of words; ``""`` for nothing."""
        return align_cues(clip.cues, clip.times, max_words=self.max_words)

    def _sidecar(self, sample: Sample, start: float) -> tuple[Cue, ...]:
        if sample.subtitles is None:
            return ()
        if sample.subtitles not in self._cues:
            self._cues[sample.subtitles] = read_subtitle_file(sample.subtitles).cues
        return shift_cues(self._cues[sample.subtitles], start)

    def _media_hash(self, sample: Sample) -> str:
        path = _existing(sample)
        if sample.region is not None:
            return hashlib.sha256(read_image_bytes(path, sample.region)).hexdigest()
        known = self._hashes.get(path) if self._hashes else None
        if known is None:
            known = media_hash(path)
            if self._hashes:
                self._hashes.note(path, known)
        return known


def _existing(sample: Sample) -> Path:
    if sample.media is None:
        raise AnnotationError(f"There is no video or image of the name {sample.id}.")
    return sample.media


def _embedded_cues(path: Path, info: VideoInfo) -> tuple[Cue, ...]:
    return read_embedded_subtitles(path, info).cues if info.subtitles else ()
