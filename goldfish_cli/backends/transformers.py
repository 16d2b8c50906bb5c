"""Any image-text-to-text model of Transformers as a video language model."""

import functools
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image as pillow
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature
from transformers.models.auto.modeling_auto import AutoModelForImageTextToText
from transformers.video_utils import VideoMetadata

from goldfish_cli.backends.base import GenerationSettings, Reply, Request, Turn, drain
from goldfish_cli.backends.generation import TextPieces, TokenChooser, end_tokens
from goldfish_cli.backends.messages import Part, chat_messages, frame_parts, transcript_part
from goldfish_cli.backends.pictures import shrink
from goldfish_cli.backends.processors import load_processor, takes_videos
from goldfish_cli.backends.token_stream import generated_tokens
from goldfish_cli.errors import CheckpointError
from goldfish_cli.media.video import Frame, Image
from goldfish_cli.model.bases import Placement, find_base, silent_transformers
from goldfish_cli.model.devices import choose_device, choose_dtype
from goldfish_cli.model.fingerprints import fingerprint_of, weight_files
from goldfish_cli.profiles import Profile

NUM_FRAMES = 16
_TICKS = 1000  # a second; frames are numbered in milliseconds, so that any rate is exact
_VISUAL_TOKENS = ("image_token_id", "image_token_index", "video_token_id", "video_token_index")
_UNQUANTIZED = (  # the names that models give to what sees and what joins it to the text
    "vision_tower", "vision_model", "visual", "multi_modal_projector", "connector", "merger",
    "embed_vision", "aligner", "lm_head",
)  # fmt: skip


@dataclass(slots=True)
class ShownVideo:
    """Frames as pictures, and what was made of them for the model."""

    times: tuple[float, ...]
    """Seconds."""
    pictures: tuple[pillow.Image, ...]
    pixels: dict[str, Tensor] = field(default_factory=dict)
    """What the vision encoder takes: the same tensors for all questions, so it runs once."""
    prompt: tuple[Any, BatchFeature] | None = None
    """The last question and its inputs, which are counted first and then answered."""

    def select(self, indices: Sequence[int]) -> "ShownVideo":
        """Keep only these frames, by position."""
        return ShownVideo(
            tuple(self.times[index] for index in indices),
            tuple(self.pictures[index] for index in indices),
        )


class TransformersModel:
    """Answers with a general model and its own chat template.

    Args:
        name: As it was asked for.
        model: In evaluation mode.
        processor: With an image processor, a tokenizer and a chat template.
    """

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        self.name = name
        self.model = model
        self.processor = processor
        self.as_video = takes_videos(processor)
        self.notes = (
            ()
            if self.as_video or getattr(model.config, "video_token_id", None) is None
            else ("The video is shown as images; with torchvision it would be shown as a video.",)
        )
        self._end_tokens = end_tokens(processor.tokenizer, model)
        self._visual_tokens = {
            token
            for field in _VISUAL_TOKENS
            if (token := getattr(model.config, field, None)) is not None
        }
        for modality in ("image", "video"):
            _encode_once(model.base_model, f"get_{modality}_features")

    @classmethod
    def load(cls, name: str, profile: Profile, *, offline: bool = False) -> "TransformersModel":
        """Load a folder, or a model of the Hugging Face hub.

        Code that comes with a model is never run.

        Raises:
            ModelError: If it is not here and cannot be fetched, or cannot be shown pictures.
            CheckpointError: If weights are missing.
            ProfileError: If the machine does not have what the profile asks for.
        """
        if profile.threads:
            torch.set_num_threads(profile.threads)
        folder = find_base(name, "language_model", offline=offline)
        device = choose_device(profile)
        size = sum(file.stat().st_size for file in weight_files(folder))
        dtype = choose_dtype(profile, device, size)
        options = Placement(device, dtype, profile.quantization).loading_options()
        if "quantization_config" in options:
            options["quantization_config"].llm_int8_skip_modules = list(_UNQUANTIZED)
        processor = load_processor(folder)
        try:
            loader: Any = AutoModelForImageTextToText  # its type hides the loading report
            with silent_transformers():
                model, report = loader.from_pretrained(
                    folder, local_files_only=True, output_loading_info=True, **options
                )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}",
                hint="It must be a whole model of the kind image-text-to-text",
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise CheckpointError(f"{name} lacks {missing[0]}.", hint="Copy the folder again")
        return cls(name, model.eval(), processor)

    @functools.cached_property
    def identity(self) -> str:
        """Hash the weights as they are loaded."""
        return fingerprint_of(self.model)

    @property
    def follows_instructions(self) -> bool:
        """Yes: it was made for conversations."""
        return True

    def num_frames(self, profile: Profile) -> int:
        """Return the profile's number of frames, else 16."""
        return profile.max_frames or NUM_FRAMES

    def context_limit(self, profile: Profile, settings: GenerationSettings) -> int | None:
        """Return what the positions leave beside an answer.

        The profile's limit is not applied: it is meant for the native model's 64 tokens a frame.
        """
        text = self.model.config.get_text_config()
        positions = getattr(text, "max_position_embeddings", None)
        return positions - settings.max_new_tokens if positions else None

    def shrink(self, picture: Image) -> Image:
        """Bring a picture to at most 768 pixels a side."""
        return shrink(picture)

    def encode(self, frames: Iterable[Frame]) -> ShownVideo:
        """Keep frames as pictures; the model encodes them with the first question."""
        shown = [(frame.time, pillow.fromarray(shrink(frame.image))) for frame in frames]
        return ShownVideo(tuple(time for time, _ in shown), tuple(image for _, image in shown))

    def count_tokens(
        self, video: ShownVideo, captions: Sequence[str], turns: Sequence[Turn]
    ) -> int:
        """Count the tokens of a prompt, visual ones included."""
        return int(self._inputs(video, captions, turns)["input_ids"].shape[1])

    def stream(
        self,
        video: ShownVideo,
        captions: Sequence[str],
        turns: Sequence[Turn],
        settings: GenerationSettings,
    ) -> Generator[str, None, Reply]:
        """Answer in pieces, while the model generates in a thread of its own."""
        inputs = self._inputs(video, captions, turns)
        prompt = inputs["input_ids"]
        pieces = TextPieces(self.processor.tokenizer)
        num_tokens, finished = 0, False
        for token in generated_tokens(
            self.model,
            inputs,
            TokenChooser(settings, self.model.device),
            max_new_tokens=settings.max_new_tokens,
            end_tokens=self._end_tokens,
        ):
            num_tokens += 1
            finished = token in self._end_tokens
            if not finished and (piece := pieces.add(token)):
                yield piece
        if piece := pieces.finish():
            yield piece
        visual = sum(int((prompt == token).sum()) for token in self._visual_tokens)
        return Reply(pieces.text, prompt.shape[1], visual, num_tokens, finished)

    def reply_all(
        self,
        video: ShownVideo,
        captions: Sequence[str],
        conversations: Sequence[Sequence[Turn]],
        settings: GenerationSettings,
    ) -> list[Reply]:
        """Answer one question after another: architectures pad pictures each in its own way."""
        requests = [Request(video, tuple(captions), tuple(turns)) for turns in conversations]
        return self.reply_each(requests, settings)

    def reply_each(self, requests: Sequence[Request], settings: GenerationSettings) -> list[Reply]:
        """Answer one question after another, as ``reply_all`` does."""
        return [
            drain(self.stream(one.video, one.captions, one.turns, settings)) for one in requests
        ]

    def _inputs(
        self, video: ShownVideo, captions: Sequence[str], turns: Sequence[Turn]
    ) -> BatchFeature:
        """Process a prompt, once for counting and answering it."""
        key = (tuple(captions), tuple(turns))
        if video.prompt is None or video.prompt[0] != key:
            options: dict[str, Any] = {"return_tensors": "pt"}
            if self.as_video and video.pictures:
                options |= {"video_metadata": [_metadata(video)], "do_sample_frames": False}
            inputs = self.processor.apply_chat_template(
                chat_messages(self._parts(video, captions), turns),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                sanitize_control_tokens=True,  # a question cannot pose as a frame or a turn
                processor_kwargs=options,
            ).to(self.model.device, dtype=self.model.dtype)
            for name in [name for name in inputs if name.startswith("pixel_values")]:
                inputs[name] = video.pixels.setdefault(name, inputs[name])
            video.prompt = (key, inputs)
        return video.prompt[1]

    def _parts(self, video: ShownVideo, captions: Sequence[str]) -> list[Part]:
        if self.as_video and video.pictures:
            frames = np.stack([np.asarray(picture) for picture in video.pictures])
            return [{"type": "video", "video": frames}, *transcript_part(video.times, captions)]
        pictures = [{"type": "image", "image": picture} for picture in video.pictures]
        return frame_parts(video.times, pictures, captions)


def _metadata(video: ShownVideo) -> VideoMetadata:
    """Number frames by milliseconds, so that processors compute their true times at any rate."""
    indices = [round(time * _TICKS) for time in video.times]
    width, height = video.pictures[0].size
    return VideoMetadata(
        total_num_frames=indices[-1] + 1,
        fps=float(_TICKS),
        width=width,
        height=height,
        duration=(indices[-1] + 1) / _TICKS,
        frames_indices=indices,
    )


def _encode_once(model: Any, name: str) -> None:
    """Let a model remember what its vision encoder made of the pixels that it saw last."""
    encode = getattr(model, name, None)
    if encode is None:
        return
    seen: list[Any] = [None, None]  # pixels, features

    @functools.wraps(encode)  # generate looks at the parameters
    def remembering(*args: Any, **kwargs: Any) -> Any:
        pixels = args[0] if args else next(iter(kwargs.values()), None)
        if pixels is None or seen[0] is not pixels:
            seen[:] = pixels, encode(*args, **kwargs)
        return seen[1]

    setattr(model, name, remembering)
