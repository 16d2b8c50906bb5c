"""The native model as a video language model: Goldfish checkpoints and reference ``.pth`` files."""

from collections.abc import Generator, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from goldfish_cli.backends.base import GenerationSettings, Reply, Request, Turn, drain
from goldfish_cli.backends.generation import TextPieces, TokenChooser, end_tokens
from goldfish_cli.media.video import Frame, Image
from goldfish_cli.model.fingerprints import fingerprint_of
from goldfish_cli.model.fitting import check_fits
from goldfish_cli.model.frame_encoder import feature_identity, name_bases
from goldfish_cli.model.loader import LoadedModel, load_config, load_model
from goldfish_cli.model.memory import MemoryPlanner
from goldfish_cli.model.preprocessing import preprocess_frames, resize_frame
from goldfish_cli.model.prompts import encode_prompt
from goldfish_cli.profiles import Profile

MOST_ROWS = 32
"""Answers that are made at the same time; more gain little and wait for the longest."""
SMALL_MODEL_PARAMETERS = 50_000_000  # below it threads wait for each other longer than they work


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The part of a prompt that all questions share, as the language model remembers it."""

    ids: tuple[int, ...]
    cache: Cache


@dataclass(slots=True)
class NativeVideo:
    """Frames after the frozen encoder."""

    times: tuple[float, ...]
    """Seconds."""
    features: Tensor
    """Pooled, before the projector: ``(frames, tokens_per_frame, pooled_dim)``."""
    prefix: _Prefix | None = field(default=None, repr=False)
    """Kept from one question to the next; frees with the video."""

    def select(self, indices: Sequence[int]) -> "NativeVideo":
        """Keep only these frames, by position."""
        times = tuple(self.times[index] for index in indices)
        return NativeVideo(times, self.features[list(indices)])


class NativeModel:
    """Answers with the joined model of this package.

    Args:
        loaded: The model, its tokenizer and its name.
        profile: Says how many frames the encoder takes at once.
        rows: Answers that ``reply_all`` makes at the same time, at most.
    """

    def __init__(self, loaded: LoadedModel, profile: Profile, *, rows: int = 1) -> None:
        self.model = loaded.model
        self.tokenizer = loaded.tokenizer
        self.config = loaded.config
        self.name = loaded.name
        self.notes = tuple(loaded.notes)
        self._chunk = profile.encoder_chunk
        self._rows = rows
        self._device = loaded.device
        self._dtype: torch.dtype = loaded.model.get_input_embeddings().weight.dtype
        self._style = loaded.style
        self._end_ids = end_tokens(loaded.tokenizer, loaded.model, loaded.model.language_model)

    @classmethod
    def load(cls, name: str, profile: Profile, *, offline: bool = False) -> "NativeModel":
        """Load ``minnow``, a checkpoint folder or a reference ``.pth``.

        Raises:
            ModelError: If it is incomplete, or its base models cannot be had.
            DoesNotFitError: If it is too large for the profile.
        """
        if profile.threads:
            torch.set_num_threads(profile.threads)
        planner = MemoryPlanner(load_config(name, offline=offline))
        check_fits(planner, profile)
        loaded = load_model(name, profile, offline=offline)
        is_small = loaded.model.num_parameters() < SMALL_MODEL_PARAMETERS
        if is_small and loaded.device.type == "cpu" and not profile.threads:
            torch.set_num_threads(1)
        return cls(loaded, profile, rows=min(MOST_ROWS, planner.rows_that_fit(profile)))

    @cached_property
    def identity(self) -> str:
        """Hash the weights as they are loaded."""
        return fingerprint_of(self.model)

    @property
    def follows_instructions(self) -> bool:
        """Whether it is large enough; minnow and its like know the questions they were taught."""
        return self.model.num_parameters() >= SMALL_MODEL_PARAMETERS

    @property
    def frames_at_once(self) -> int:
        """What the profile says."""
        return self._chunk

    def encoder_identity(self) -> str:
        """Name the encoder as training and ``goldfish prep features`` do."""
        return self._encoder_identity

    @cached_property
    def _encoder_identity(self) -> str:
        config = deepcopy(self.config)
        name_bases(config, self.name)
        return feature_identity(config, self._dtype)

    def num_frames(self, profile: Profile) -> int:
        """Return the profile's number of frames, else that of the training."""
        return profile.max_frames or int(self.config.num_frames)

    def context_limit(self, profile: Profile, settings: GenerationSettings) -> int:
        """Return the profile's limit, or what the positions leave beside an answer if less."""
        positions = getattr(self.config.text_config, "max_position_embeddings", None)
        if positions is None:
            return profile.max_context_tokens
        return min(profile.max_context_tokens, positions - settings.max_new_tokens)

    def shrink(self, picture: Image) -> Image:
        """Bring a picture to the encoder's size, as ``encode`` would."""
        return resize_frame(picture, self.config.image_size)

    @torch.inference_mode()
    def encode(self, frames: Iterable[Frame]) -> NativeVideo:
        """Preprocess and encode frames, a chunk at a time."""
        times, features = [], []
        stream = iter(frames)
        while chunk := list(islice(stream, self._chunk)):
            features.append(self._encode_chunk(chunk))
            times += [frame.time for frame in chunk]
        if not features:  # a control without frames: only what is said and asked
            size = self.config.image_size
            features = [self.model.encode_frames(torch.empty(0, 3, size, size))]
        return NativeVideo(tuple(times), torch.cat(features))

    def encode_clips(self, clips: Sequence[Sequence[Frame]]) -> list[NativeVideo]:
        """Encode several clips as one run of frames, so that no chunk but the last is half empty.

        A frame's features are those of ``encode`` but for rounding: a product of matrices of
        another height may add up in another order.
        """
        whole = self.encode(frame for clip in clips for frame in clip)
        encoded, first = [], 0
        for clip in clips:
            last = first + len(clip)
            encoded.append(NativeVideo(whole.times[first:last], whole.features[first:last]))
            first = last
        return encoded

    def features_of(self, video: NativeVideo) -> Tensor:
        """Give the encoder's output, ``(frames, tokens_per_frame, pooled_dim)``."""
        return video.features

    def restore(self, times: Sequence[float], features: Tensor) -> NativeVideo:
        """Take features back in the model's own number format, where it computes."""
        return NativeVideo(tuple(times), features.to(self._device, self._dtype))

    @torch.inference_mode()
    def mean_feature(self, video: NativeVideo) -> NDArray[np.float32]:
        """Average over frames, tokens, and the patches that one token joins."""
        width: int = self.config.vision_config.hidden_size
        mean: Tensor = video.features.float().reshape(-1, width).mean(0)
        return mean.cpu().numpy()

    def _encode_chunk(self, frames: Sequence[Frame]) -> Tensor:
        config = self.config
        pixels = preprocess_frames(
            [frame.image for frame in frames],
            config.image_size,
            config.image_mean,
            config.image_std,
        )
        return self.model.encode_frames(pixels, chunk=self._chunk)

    def count_tokens(
        self, video: NativeVideo, captions: Sequence[str], turns: Sequence[Turn]
    ) -> int:
        """Count the tokens of a prompt, visual ones included."""
        return len(self._prompt_ids(captions, turns))

    @torch.inference_mode()
    def stream(
        self,
        video: NativeVideo,
        captions: Sequence[str],
        turns: Sequence[Turn],
        settings: GenerationSettings,
    ) -> Generator[str, None, Reply]:
        """Answer token by token, in this thread, so that Ctrl-C stops it at once.

        What comes before the question is the same for all questions about a video, so it passes
        the language model once and its keys and values are kept with the video.
        """
        ids = self._prompt_ids(captions, turns)
        prefix, logits = self._read_prompt(video, ids)
        chooser = TokenChooser(settings, logits.device)
        pieces = TextPieces(self.tokenizer)
        tokens: list[int] = []
        finished = False
        while True:
            tokens.append(chooser.choose(logits, torch.tensor([tokens], device=logits.device)))
            finished = tokens[-1] in self._end_ids
            if not finished and (piece := pieces.add(tokens[-1])):
                yield piece
            if finished or len(tokens) >= settings.max_new_tokens:
                break
            logits = self._read(tokens[-1:], prefix.cache)
        if piece := pieces.finish():
            yield piece
        video.prefix = _rewound(prefix)
        visual = ids.count(self.config.image_token_id)
        return Reply(pieces.text, len(ids), visual, len(tokens), finished)

    def reply_all(
        self,
        video: NativeVideo,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        """Answer several questions about the same frames, as many at a time as there is room for.

        The frames pass the language model once for all of them. The rows of a batch are rounded
        otherwise than one alone: an answer can differ where two tokens are as likely as each other.
        """
        replies: list[Reply] = []
        for first in range(0, len(conversations), self._rows):
            part = conversations[first : first + self._rows]
            replies += self._reply_together(video, captions, part, settings)
        return replies

    @torch.inference_mode()
    def _reply_together(
        self,
        video: NativeVideo,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        prompts = [self._prompt_ids(captions, turns) for turns in conversations]
        prefix = self._read_prefix(video, prompts[0])
        cache = _copied(prefix.cache, len(prompts))
        if len(prompts) == 1 or cache is None:
            video.prefix = prefix
            return [drain(self.stream(video, captions, turns, settings)) for turns in conversations]
        batch = _Batch([ids[len(prefix.ids) :] for ids in prompts], len(prefix.ids), self._device)
        tokens = self._continue(self._read_rows(batch.ids, batch, cache), batch, cache, settings)
        video.prefix = prefix
        return [self._reply_of(ids, told) for ids, told in zip(prompts, tokens, strict=True)]

    def reply_each(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Reply]:
        """Answer questions about different videos, as many at a time as there is room for.

        Rows are rounded otherwise than one alone, as in ``reply_all``.
        """
        replies: list[Reply] = []
        for first in range(0, len(requests), self._rows):
            replies += self._reply_each(requests[first : first + self._rows], settings)
        return replies

    @torch.inference_mode()
    def _reply_each(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Reply]:
        if len(requests) == 1:
            (one,) = requests
            return [drain(self.stream(one.video, one.captions, one.turns, settings))]
        prompts = [self._prompt_ids(one.captions, one.turns) for one in requests]
        batch = _Batch(prompts, 0, self._device)
        cache = DynamicCache(config=self.config.text_config)
        features = torch.cat([one.video.features for one in requests])
        logits = self._read_rows(batch.ids, batch, cache, features if len(features) else None)
        tokens = self._continue(logits, batch, cache, settings)
        return [self._reply_of(ids, told) for ids, told in zip(prompts, tokens, strict=True)]

    def _continue(
        self, logits: Tensor, batch: "_Batch", cache: Cache, settings: GenerationSettings
    ) -> list[list[int]]:
        """Choose the tokens of each row until all have ended; logits are ``(rows, vocabulary)``."""
        rows = range(len(logits))
        choosers = [TokenChooser(settings, self._device) for _ in rows]
        tokens: list[list[int]] = [[] for _ in rows]
        unfinished = set(rows)
        while True:
            for row in sorted(unfinished):
                so_far = torch.tensor([tokens[row]], device=self._device)
                tokens[row].append(choosers[row].choose(logits[row : row + 1], so_far))
                if tokens[row][-1] in self._end_ids or len(tokens[row]) >= settings.max_new_tokens:
                    unfinished.remove(row)
            if not unfinished:
                return tokens
            batch.extend()
            last = torch.tensor([[row[-1]] for row in tokens], device=self._device)
            logits = self._read_rows(last, batch, cache)

    def _read_rows(
        self, ids: Tensor, batch: "_Batch", cache: Cache, features: Tensor | None = None
    ) -> Tensor:
        """Pass the same number of tokens of each row; the logits ``(rows, vocabulary)`` after."""
        output = self.model(
            input_ids=ids,
            image_features=features,
            attention_mask=batch.mask,
            position_ids=batch.positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _reply_of(self, prompt: Sequence[int], tokens: Sequence[int]) -> Reply:
        finished = tokens[-1] in self._end_ids
        pieces = TextPieces(self.tokenizer)
        for token in tokens[:-1] if finished else tokens:
            pieces.add(token)
        pieces.finish()
        visual = sum(token == self.config.image_token_id for token in prompt)
        return Reply(pieces.text, len(prompt), visual, len(tokens), finished)

    def _prompt_ids(self, captions: Sequence[str], turns: Sequence[Turn]) -> list[int]:
        prompt = encode_prompt(
            self.tokenizer,
            captions,
            [(turn.question, turn.answer) for turn in turns],
            tokens_per_frame=self.config.tokens_per_frame,
            image_token_id=self.config.image_token_id,
            style=self._style,
        )
        return prompt.ids

    def _read_prompt(self, video: NativeVideo, ids: list[int]) -> tuple[_Prefix, Tensor]:
        """Pass a prompt through the model, the frames only if they are not remembered.

        Always in the same two parts, remembered or not, so that an answer does not depend on
        which questions came before it.
        """
        prefix = self._read_prefix(video, ids)
        return prefix, self._read(ids[len(prefix.ids) :], prefix.cache)

    def _read_prefix(self, video: NativeVideo, ids: list[int]) -> _Prefix:
        """Pass what comes before the question through the model, unless it is remembered."""
        is_visual = [token == self.config.image_token_id for token in ids]
        after_frames = len(ids) - is_visual[::-1].index(True) if any(is_visual) else 1
        shared = tuple(ids[:after_frames])
        prefix, video.prefix = video.prefix, None  # an interrupted answer leaves it unusable
        if prefix is None or prefix.ids != shared:
            prefix = _Prefix(shared, DynamicCache(config=self.config.text_config))
            self._read(shared, prefix.cache, video.features if any(is_visual) else None)
        return prefix

    def _read(self, ids: Sequence[int], cache: Cache, features: Tensor | None = None) -> Tensor:
        """Pass tokens through the model and return the logits ``(1, vocabulary)`` that follow."""
        input_ids = torch.tensor([list(ids)], device=self._device)
        output = self.model(
            input_ids=input_ids,
            image_features=features,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def _rewound(prefix: _Prefix) -> _Prefix | None:
    """Forget what came after the shared part; ``None`` if this kind of cache cannot."""
    if not all(type(layer) is DynamicLayer for layer in prefix.cache.layers):
        return None  # a sliding window has already dropped its oldest keys
    surplus = prefix.cache.get_seq_length() - len(prefix.ids)
    prefix.cache.crop(-surplus)
    return prefix


class _Batch:
    """Rows of different lengths side by side after a part that all share, padded on the left.

    Args:
        rows: The tokens of each.
        shared: Tokens before them, which the cache holds.
        device: Where the model computes.
    """

    def __init__(self, rows: Sequence[Sequence[int]], shared: int, device: torch.device) -> None:
        longest = max(map(len, rows))
        padded = [[0] * (longest - len(row)) + list(row) for row in rows]
        self.ids = torch.tensor(padded, device=device)  # (rows, longest)
        is_token = torch.tensor(
            [[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device
        )
        self.mask = torch.cat([is_token.new_ones(len(rows), shared), is_token], dim=1)
        self.positions = (shared + is_token.cumsum(1) - 1).clamp(min=0)

    def extend(self) -> None:
        """Make room for one more token of each row."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.positions = self.positions[:, -1:] + 1


def _copied(cache: Cache, rows: int) -> DynamicCache | None:
    """Give each row a cache of its own; ``None`` if this kind of cache cannot be copied."""
    copy = DynamicCache()
    for number, layer in enumerate(cache.layers):
        if type(layer) is not DynamicLayer or layer.keys is None or layer.values is None:
            return None
        keys, values = (one.expand(rows, -1, -1, -1) for one in (layer.keys, layer.values))
        copy.update(keys, values, number)
    return copy
