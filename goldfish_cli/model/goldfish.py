"""The joined model: frames pass encoder and projector and take their places among the text."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
)
from transformers.generation.utils import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM, AutoModelForImageTextToText

from goldfish_cli.model.answer_loss import answer_loss
from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.projector import VisualProjector
from goldfish_cli.model.quantized_training import keep_layers_unpacked
from goldfish_cli.model.vision_encoder import VisionEncoder, encode_frames, pooled_features

# Language models whose logits are their output embedding times the last hidden state and nothing
# else. Others (soft caps, logit scales) go through their own forward, which costs more rows.
PLAIN_HEADS = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3", "gpt2", "opt"})
IGNORED_LABEL = -100


class GoldfishForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """A video-language model: ViT, pooling and linear projector, any causal LM (arXiv:2404.03413).

    Args:
        config: The model's configuration.
        with_vision_encoder: ``False`` leaves the encoder out, which is enough to train and to
            answer from stored features.
    """

    config: GoldfishConfig
    config_class = GoldfishConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ["video", "text"]  # noqa: RUF012 - as the library types it
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _no_split_modules = None
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012 - as the library types it

    def __init__(self, config: GoldfishConfig, *, with_vision_encoder: bool = True) -> None:
        super().__init__(config)
        self.vision_encoder = VisionEncoder(config.vision_config) if with_vision_encoder else None
        self.projector = VisualProjector(config.pooled_dim, config.text_config.hidden_size)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_parts(
        cls,
        config: GoldfishConfig,
        *,
        vision_encoder: VisionEncoder | None,
        language_model: PreTrainedModel,
    ) -> "GoldfishForConditionalGeneration":
        """Join loaded parts to a model whose projector is new.

        Args:
            config: Its ``vision_config`` and ``text_config`` must be those of the parts.
            vision_encoder: ``None`` for a model that only takes stored features.
            language_model: As loaded, quantized or not.
        """
        with torch.device("meta"):  # allocates nothing; the parts take the places of the empty ones
            model = cls(config, with_vision_encoder=False)
        model.vision_encoder = vision_encoder
        model.language_model = language_model
        model.generation_config = language_model.generation_config
        projector = VisualProjector(config.pooled_dim, config.text_config.hidden_size)
        model.projector = projector.to(language_model.device)
        model.train(False)
        return model

    def get_input_embeddings(self) -> Any:
        """Return the language model's embedding table."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: Any) -> None:
        """Replace the language model's embedding table."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        """Return the language model's head."""
        return self.language_model.get_output_embeddings()

    def get_decoder(self) -> Any:
        """Return the language model without its head."""
        return self.language_model.get_decoder()

    def train(self, mode: bool = True) -> "GoldfishForConditionalGeneration":
        """Set training mode; a frozen encoder stays out of it, 4-bit layers that learn in it."""
        super().train(mode)
        if self.vision_encoder is not None and not any(
            p.requires_grad for p in self.vision_encoder.parameters()
        ):
            self.vision_encoder.train(False)
        if any(parameter.requires_grad for parameter in self.parameters()):
            keep_layers_unpacked(self.language_model)
        return self

    def choose_trainable(self, *, projector: bool, adapter: bool) -> None:
        """Freeze everything but the parts that a training stage teaches.

        Args:
            projector: Whether the projector learns.
            adapter: Whether the language model's LoRA matrices learn.
        """
        for name, parameter in self.named_parameters():
            in_projector = name.startswith("projector.")
            parameter.requires_grad_(projector if in_projector else adapter and ".lora_" in name)
        self.train(self.training)

    def pooled_features(self, pixel_values: Tensor) -> Tensor:
        """Encode and pool ``(frames, 3, h, w)`` to ``(frames, tokens_per_frame, pooled_dim)``.

        Raises:
            ValueError: If the model was loaded without its vision encoder.
        """
        return pooled_features(self._frozen_encoder(), self.config, pixel_values)

    def encode_frames(self, pixel_values: Tensor, *, chunk: int = 8) -> Tensor:
        """Return the frozen part's output, to be stored and given back as ``image_features``.

        Args:
            pixel_values: ``(frames, 3, height, width)``.
            chunk: Frames that pass the encoder at once; fewer need less memory.

        Returns:
            ``(frames, tokens_per_frame, pooled_dim)``.
        """
        return encode_frames(self._frozen_encoder(), self.config, pixel_values, chunk=chunk)

    def _frozen_encoder(self) -> VisionEncoder:
        if self.vision_encoder is None:
            raise ValueError(
                "This model was loaded without its vision encoder; give it image_features."
            )
        return self.vision_encoder

    def embed(
        self,
        input_ids: Tensor,
        *,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
    ) -> Tensor:
        """Look up text tokens; put projected visual tokens where ``image_token_id`` stands.

        Args:
            input_ids: ``(batch, length)``.
            pixel_values: ``(frames of the whole batch, 3, height, width)``, in the order of their
                placeholders.
            image_features: Instead of pixels: ``(frames, tokens_per_frame, pooled_dim)``, as
                ``encode_frames`` returns them.

        Returns:
            ``(batch, length, text_dim)``.

        Raises:
            ValueError: If placeholders and visual tokens differ in number, or pixels and features
                are both given.
        """
        if pixel_values is not None and image_features is not None:
            raise ValueError("Give pixel_values or image_features, not both.")
        is_image = input_ids == self.config.image_token_id
        embeddings = self.get_input_embeddings()(input_ids.masked_fill(is_image, 0))
        if pixel_values is not None:
            image_features = self.pooled_features(pixel_values)
        num_given = 0 if image_features is None else image_features.shape[:-1].numel()
        num_places = int(is_image.sum())
        if num_given != num_places:
            raise ValueError(
                f"{num_places} places for visual tokens, but {num_given} visual tokens."
            )
        if image_features is None or num_given == 0:
            return embeddings
        weight = self.projector.linear.weight
        visual = self.projector(image_features.to(weight.device)).flatten(
            0, -2
        )  # (places, text_dim)
        visual = visual.to(embeddings.device, embeddings.dtype)
        return embeddings.masked_scatter(is_image.unsqueeze(-1), visual)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Predict the next token at each position.

        Args:
            input_ids: ``(batch, length)``, or ``inputs_embeds`` in its stead.
            attention_mask: ``(batch, length)``, 1 where a token is and 0 on padding.
            labels: ``(batch, length)``, -100 where nothing is to be learnt. With labels only the
                rows that predict one pass the head: a long prompt's logits are never made.
            pixel_values: See ``embed``.
            image_features: See ``embed``.
            inputs_embeds: ``(batch, length, text_dim)``, with the visual tokens already in place.
            position_ids: ``(batch, length)``; ``None`` counts from 0.
            past_key_values: The language model's cache.
            use_cache: Whether to return a cache.
            logits_to_keep: Keep the logits of so many last positions, 0 for all; not with labels.
            num_items_in_batch: The loss's divisor: labels over all accumulated batches; ``None``
                counts this batch's.
            kwargs: Go to the language model.

        Returns:
            Without labels ``logits (batch, length, vocabulary)``; with labels the ``loss`` alone:
            logits are made a few rows at a time and not kept.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("Give input_ids or inputs_embeds.")
            inputs_embeds = self.embed(
                input_ids, pixel_values=pixel_values, image_features=image_features
            )
        inputs = {
            "inputs_embeds": inputs_embeds,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "past_key_values": past_key_values,
            "use_cache": use_cache,
            **kwargs,
        }
        if labels is None:
            return self.language_model(logits_to_keep=logits_to_keep, **inputs)
        inputs["use_cache"] = False
        total = self._summed_loss(labels, inputs)
        if num_items_in_batch is None:
            num_items_in_batch = (labels[:, 1:] != IGNORED_LABEL).sum()
        return CausalLMOutputWithPast(loss=total / num_items_in_batch)

    def _summed_loss(self, labels: Tensor, inputs: dict[str, Any]) -> Tensor:
        """Add up the cross-entropies of all labels; a scalar."""
        targets = labels[:, 1:]
        is_answer = targets != IGNORED_LABEL  # position i predicts the label at i + 1
        if not is_answer.any():
            raise ValueError("No label in the whole batch: its loss would be undefined.")
        if self.config.text_config.model_type in PLAIN_HEADS:
            hidden = self.get_decoder()(**inputs).last_hidden_state[:, :-1]
            return answer_loss(hidden[is_answer], self.get_output_embeddings(), targets[is_answer])
        rows = is_answer.any(0).nonzero().squeeze(1)  # positions at which any sample has a label
        logits = self.language_model(logits_to_keep=rows, **inputs).logits
        return functional.cross_entropy(
            logits[is_answer[:, rows]].float(), targets[is_answer], reduction="sum"
        )

    @torch.no_grad()
    def generate(  # type: ignore[override]
        self,
        input_ids: Tensor | None = None,
        *,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        repetition_penalty: float | None = None,
        logits_processor: LogitsProcessorList | None = None,
        **kwargs: Any,
    ) -> Any:
        """Continue prompts; a batch is padded on the left.

        Args:
            input_ids: See ``forward``.
            attention_mask: See ``forward``; ``None`` means that nothing is padding.
            pixel_values: See ``embed``.
            image_features: See ``embed``.
            inputs_embeds: See ``forward``.
            repetition_penalty: Counts the new tokens only, never the prompt's.
            logits_processor: Further processors.
            kwargs: Go to ``GenerationMixin.generate``, such as ``max_new_tokens``, ``streamer``.

        Returns:
            The new token ids ``(batch, new length)``, without the prompt.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("Give input_ids or inputs_embeds.")
            inputs_embeds = self.embed(
                input_ids, pixel_values=pixel_values, image_features=image_features
            )
        if attention_mask is None:
            attention_mask = torch.ones(
                inputs_embeds.shape[:2], dtype=torch.long, device=inputs_embeds.device
            )
        processors = LogitsProcessorList(logits_processor or [])
        if repetition_penalty is not None and repetition_penalty != 1.0:
            # given the number, Transformers 5 exempts as many new tokens as a row has padding
            processors.append(RepetitionPenaltyLogitsProcessor(repetition_penalty))
        return super().generate(  # type: ignore[misc]  # its self type is a protocol of the library
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            logits_processor=processors,
            **kwargs,
        )


def has_quantized_weights(model: GoldfishForConditionalGeneration) -> bool:
    """Tell whether the language model was loaded with int8 or 4-bit weights."""
    # the library marks the model that from_pretrained returned: the whole one, or its part
    return any(getattr(part, "is_quantized", False) for part in (model, model.language_model))


AutoModelForImageTextToText.register(
    GoldfishConfig, GoldfishForConditionalGeneration, exist_ok=True
)
