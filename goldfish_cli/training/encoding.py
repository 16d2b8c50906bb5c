"""Encode every clip of the training data once and keep the result in the feature store."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from goldfish_cli.data.clips import Clip, ClipReader
from goldfish_cli.data.dataset import Group, Rejected
from goldfish_cli.data.features import FeatureStore, HashBook
from goldfish_cli.errors import InputError
from goldfish_cli.media.sampling import FramePlan
from goldfish_cli.model.bases import Placement, load_vision_encoder
from goldfish_cli.model.checkpoint import base_path
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.frame_encoder import feature_identity
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import LoadedModel
from goldfish_cli.model.preprocessing import preprocess_frames, resize_frame
from goldfish_cli.profiles import Profile
from goldfish_cli.training.recipes import StageRecipe

CLIPS_AHEAD = 2  # decoded clips that may wait for the encoder
FRAMES_PER_SECOND = 1.0  # of the fps sampling


class EncodesFrames(Protocol):
    """A whole model, or its frozen part alone."""

    @property
    def config(self) -> GoldfishConfig:
        """Of the model."""

    def encode_frames(self, pixel_values: Tensor, *, chunk: int = 8) -> Tensor:
        """Encode ``(frames, 3, h, w)`` to ``(frames, tokens_per_frame, pooled_dim)``."""


def open_reader(
    config: GoldfishConfig,
    settings: StageRecipe,
    profile: Profile,
    *,
    store: FeatureStore | None = None,
    dtype: torch.dtype,
) -> ClipReader:
    """Return what reads the clips of a stage: anew each time, or from stored features.

    Args:
        config: Of the model.
        settings: Of the stage, resolved.
        profile: Says how frames are chosen.
        store: Where features are kept; ``None`` decodes each time.
        dtype: That the encoder computes in.
    """
    assert settings.num_frames is not None and settings.subtitle_words is not None  # resolved
    kind = profile.sampling
    plan = FramePlan(kind, settings.num_frames, fps=FRAMES_PER_SECOND if kind == "fps" else None)
    prepare = partial(resize_frame, image_size=config.image_size)
    if store is None:
        return ClipReader(plan, max_words=settings.subtitle_words, prepare=prepare)
    return ClipReader(
        plan,
        max_words=settings.subtitle_words,
        prepare=prepare,
        store=store,
        encoder=feature_identity(config, dtype),
        hashes=HashBook(store.folder / "hashes.jsonl"),
    )


@contextmanager
def vision_encoder(loaded: LoadedModel, *, offline: bool = False) -> Iterator[None]:
    """Give a model that was loaded without its encoder the encoder for as long as it is needed.

    Raises:
        ModelError: If the encoder is not there.
        CheckpointError: If it is not the one that the features are named by.
    """
    model = loaded.model
    if model.vision_encoder is not None:
        yield
        return
    path = base_path(Path(loaded.name), model.config, "vision_encoder", offline=offline)
    placement = Placement(loaded.device, weight_dtype(model))
    model.vision_encoder = load_vision_encoder(path, placement, image_size=model.config.image_size)
    try:
        yield
    finally:
        model.vision_encoder = None


def find_missing(reader: ClipReader, groups: Iterable[Group]) -> tuple[list[Group], list[Rejected]]:
    """Return one group for each clip that is not stored, and the samples without media."""
    missing: dict[str, Group] = {}
    rejected = []
    for group in groups:
        try:
            if not reader.is_stored(group[0]):
                missing.setdefault(reader.key(group[0]), group)
        except InputError as error:
            rejected.append(Rejected(group[0].id, str(error)))
    return list(missing.values()), rejected


def encode_groups(
    model: EncodesFrames,
    reader: ClipReader,
    groups: Iterable[Group],
    *,
    chunk: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[Rejected]:
    """Fill the reader's store; while one clip is encoded, the next is decoded.

    A stopped run loses at most the shard it was filling; the next one continues after it.

    Args:
        model: Whose encoder makes the features.
        reader: Opens the media; has a store.
        groups: What to encode, as ``find_missing`` says.
        chunk: Frames that go through the encoder at once.
        done: Hears how many groups are done.

    Returns:
        The samples whose media cannot be read.
    """
    config = model.config

    def prepare(group: Group) -> tuple[Clip, Tensor]:
        clip = reader.decode(group[0])
        pixels = preprocess_frames(
            clip.frames, config.image_size, config.image_mean, config.image_std
        )
        return clip, pixels

    rejected = []
    try:
        for number, (group, prepared) in enumerate(_ahead(prepare, groups), start=1):
            try:
                clip, pixels = prepared.result()
            except InputError as error:
                rejected.append(Rejected(group[0].id, str(error)))
            else:
                reader.keep(group[0], clip, model.encode_frames(pixels, chunk=chunk))
            done(number)
    finally:
        reader.flush()
    return rejected


def _ahead(
    work: Callable[[Group], tuple[Clip, Tensor]], groups: Iterable[Group]
) -> Iterator[tuple[Group, Future[tuple[Clip, Tensor]]]]:
    """Do the work on the next groups in a thread, in order, while the caller is busy."""
    waiting: deque[tuple[Group, Future[tuple[Clip, Tensor]]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for group in groups:
            waiting.append((group, pool.submit(work, group)))
            if len(waiting) > CLIPS_AHEAD:
                yield waiting.popleft()
        yield from waiting


def weight_dtype(model: GoldfishForConditionalGeneration) -> torch.dtype:
    """Return the format of weights that are not quantized; the embedding table never is."""
    dtype: torch.dtype = model.get_input_embeddings().weight.dtype
    return dtype
