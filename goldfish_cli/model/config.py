"""What a Goldfish model is made of: encoder, pooling, language model, and what it was built on."""

from copy import deepcopy
from typing import Any, Literal

from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, AutoConfig
from transformers.models.blip_2.configuration_blip_2 import Blip2VisionConfig

Pooling = Literal["concat", "mean", "none"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GoldfishConfig(PreTrainedConfig):
    """A vision encoder, a projector and a language model, joined (arXiv:2404.03413).

    Args:
        vision_config: A ``Blip2VisionConfig`` or its dictionary; the default is EVA-CLIP ViT-g/14.
        text_config: The configuration of any causal language model, or its dictionary with
            ``model_type``; the default is Llama-2-7B.
        pooling: How neighbouring visual tokens of a frame become one: ``concat`` joins their
            channels, ``mean`` averages them, ``none`` keeps each.
        pooling_size: How many consecutive tokens, in raster order, become one.
        image_token_id: The id that marks a visual token in ``input_ids``. It may lie outside the
            vocabulary: it is never looked up in the embedding table.
        image_mean: Mean of each colour channel, of values in 0 to 1.
        image_std: Standard deviation of each colour channel.
        num_frames: Frames per clip that the model was trained with.
        prompt_style: Name of the prompt template, see ``prompt_styles.STYLES``.
        base_models: For ``vision_encoder`` and ``language_model``: the name and the content hash
            of the frozen weights that this model was trained upon.
    """

    model_type = "goldfish"
    sub_configs = {"vision_config": Blip2VisionConfig, "text_config": AutoConfig}  # noqa: RUF012 - read by Transformers as a plain class attribute

    def __init__(
        self,
        vision_config: Blip2VisionConfig | dict[str, Any] | None = None,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        *,
        pooling: Pooling = "concat",
        pooling_size: int = 4,
        image_token_id: int = 32000,
        image_mean: tuple[float, ...] | list[float] = IMAGENET_MEAN,
        image_std: tuple[float, ...] | list[float] = IMAGENET_STD,
        num_frames: int = 45,
        prompt_style: str = "goldfish",
        base_models: dict[str, dict[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(vision_config, Blip2VisionConfig):
            # the library's own default, 1e-10, would leave a new encoder blind
            vision_config = Blip2VisionConfig(
                **{"initializer_range": 0.02, **(vision_config or {})}
            )
        if not isinstance(text_config, PreTrainedConfig):
            fields = dict(text_config or {"model_type": "llama"})
            text_config = CONFIG_MAPPING[fields.get("model_type", "llama")](**fields)
        # copies, as the base class resets fields of its parts that live models depend on
        self.vision_config = deepcopy(vision_config)
        self.text_config = deepcopy(text_config)
        self.pooling = pooling
        self.pooling_size = pooling_size
        self.image_token_id = image_token_id
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)
        self.num_frames = num_frames
        self.prompt_style = prompt_style
        self.base_models = base_models or {}
        kwargs.setdefault("tie_word_embeddings", text_config.tie_word_embeddings)
        super().__init__(**kwargs)
        if pooling not in ("concat", "mean", "none"):
            raise ValueError(f"pooling must be concat, mean or none, not {pooling!r}.")
        if pooling != "none" and self.patches_per_frame % pooling_size:
            raise ValueError(
                f"{self.patches_per_frame} patches cannot be pooled in groups of {pooling_size}."
            )

    @property
    def image_size(self) -> int:
        """Side of the square frame that the encoder takes, in pixels."""
        return _side(self.vision_config.image_size)

    @property
    def patches_per_frame(self) -> int:
        """Patches of one frame: the encoder's tokens without its class token."""
        return patches_of(self.vision_config)

    @property
    def tokens_per_frame(self) -> int:
        """Visual tokens that one frame costs in the language model's context."""
        return self.patches_per_frame // (1 if self.pooling == "none" else self.pooling_size)

    @property
    def pooled_dim(self) -> int:
        """Channels of one pooled token: the projector's input width."""
        width: int = self.vision_config.hidden_size
        return width * self.pooling_size if self.pooling == "concat" else width


def patches_of(config: Blip2VisionConfig) -> int:
    """Count the patches of a frame of the encoder's own size."""
    return (_side(config.image_size) // _side(config.patch_size)) ** 2


def _side(size: int | list[int] | tuple[int, int]) -> int:
    """Return the side of a square, which the library lets be given as a pair."""
    return size if isinstance(size, int) else size[0]


AutoConfig.register("goldfish", GoldfishConfig, exist_ok=True)
