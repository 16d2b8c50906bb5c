"""Encode every clip of the training data once and keep the result in the feature store."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import Group, Rejected
from goldfish_cli.errors import InputError
from goldfish_cli.model.bases import Placement, find_base, load_vision_encoder
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import LoadedModel
from goldfish_cli.model.preprocessing import preprocess_frames


def feature_identity(model: GoldfishForConditionalGeneration) -> str:
    """Name all that the features of a frame depend on: encoder, number format, pixels, pooling.

    The encoder itself need not be in memory.
    """
    config = model.config
    vision = config.vision_config
    return repr(
        (
            config.base_models["vision_encoder"]["hash"],
            str(_dtype(model)),
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            config.pooling,
            config.pooling_size,
            vision.num_attention_heads,
            vision.layer_norm_eps,
            vision.hidden_act,
        )
    )


@contextmanager
def vision_encoder(loaded: LoadedModel, *, offline: bool = False) -> Iterator[None]:
    """Give a model that was loaded without its encoder the encoder for as long as it is needed.

    Raises:
        ModelError: If the encoder is not there.
    """
    model = loaded.model
    if model.vision_encoder is not None:
        yield
        return
    name = model.config.base_models["vision_encoder"]["name"]
    path = find_base(name, "vision_encoder", offline=offline)
    placement = Placement(loaded.device, _dtype(model))
    model.vision_encoder = load_vision_encoder(path, placement, image_size=model.config.image_size)
    try:
        yield
    finally:
        model.vision_encoder = None


def find_missing(reader: ClipReader, groups: Iterable[Group]) -> tuple[list[Group], list[Rejected]]:
    """Return the groups whose features are not stored, and the samples without media."""
    missing, rejected = [], []
    for group in groups:
        try:
            if reader.store is None or reader.key(group[0]) not in reader.store:
                missing.append(group)
        except InputError as error:
            rejected.append(Rejected(group[0].id, str(error)))
    return missing, rejected


def encode_groups(
    model: GoldfishForConditionalGeneration,
    reader: ClipReader,
    groups: Iterable[Group],
    *,
    chunk: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[Rejected]:
    """Fill the reader's store with what it does not hold yet.

    A stopped run loses at most the shard it was filling; the next one continues after it.

    Args:
        model: Whose encoder makes the features.
        reader: Opens the media; has a store.
        groups: What to encode; clips that are stored already cost nothing.
        chunk: Frames that go through the encoder at once.
        done: Hears how many groups are done.

    Returns:
        The samples whose media cannot be read.
    """
    store = reader.store
    if store is None:
        raise ValueError("The reader has no feature store.")
    config = model.config
    rejected = []
    with store:
        for number, group in enumerate(groups, start=1):
            try:
                if reader.key(group[0]) not in store:
                    clip = reader.decode(group[0])
                    pixels = preprocess_frames(
                        clip.frames, config.image_size, config.image_mean, config.image_std
                    )
                    reader.keep(group[0], clip, model.encode_frames(pixels, chunk=chunk))
            except InputError as error:
                rejected.append(Rejected(group[0].id, str(error)))
            done(number)
    return rejected


def _dtype(model: GoldfishForConditionalGeneration) -> torch.dtype:
    """The format of weights that are not quantized; the embedding table never is."""
    dtype: torch.dtype = model.get_input_embeddings().weight.dtype
    return dtype
