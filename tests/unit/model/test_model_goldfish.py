"""The joined model: interleaving, loss on answers only, batches, generation, saving."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_parts import IMAGE_TOKEN_ID, TEXT, VISION, tiny_config
from torch import Tensor
from torch.nn import functional
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.generation.streamers import BaseStreamer

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.projector import VisualProjector, pool_tokens

PAD = 258


def sample(num_frames: int, text: list[int], answer: list[int]) -> tuple[Tensor, Tensor]:
    ids, labels = [256], [-100]
    for frame in range(num_frames):
        ids += [10 + frame, *[IMAGE_TOKEN_ID] * 4]
        labels += [-100] * 5
    ids += text + answer
    labels += [-100] * len(text) + answer
    return torch.tensor(ids), torch.tensor(labels)


def pad(rows: list[Tensor], value: int, side: str) -> Tensor:
    length = max(len(row) for row in rows)
    return torch.stack(
        [
            functional.pad(
                row,
                (length - len(row), 0) if side == "left" else (0, length - len(row)),
                value=value,
            )
            for row in rows
        ]
    )


def test_visual_tokens_stand_in_order_where_their_placeholders_are(
    model: GoldfishForConditionalGeneration,
) -> None:
    ids, _ = sample(2, [1, 2, 3], [])
    features = torch.randn(2, 4, 64)
    embeddings = model.embed(ids[None], image_features=features)[0]
    visual = model.projector(features).flatten(0, 1)
    assert torch.equal(embeddings[ids == IMAGE_TOKEN_ID], visual)
    is_text = ids != IMAGE_TOKEN_ID
    assert torch.equal(embeddings[is_text], model.get_input_embeddings()(ids[is_text]))


def test_pixels_and_their_stored_features_give_the_same_logits(
    model: GoldfishForConditionalGeneration,
) -> None:
    ids, _ = sample(3, [1, 2], [])
    pixels = torch.randn(3, 3, 16, 16)
    stored = model.encode_frames(pixels, chunk=2)
    assert stored.shape == (3, 4, 64)
    live = model(ids[None], pixel_values=pixels).logits
    torch.testing.assert_close(model(ids[None], image_features=stored).logits, live)


def test_too_few_visual_tokens_are_refused(model: GoldfishForConditionalGeneration) -> None:
    ids, _ = sample(2, [1], [])
    with pytest.raises(ValueError, match="8 places for visual tokens, but 4"):
        model.embed(ids[None], image_features=torch.randn(1, 4, 64))
    with pytest.raises(ValueError, match="8 places for visual tokens, but 0"):
        model.embed(ids[None])


def test_a_model_without_encoder_answers_from_features_and_refuses_pixels() -> None:
    model = GoldfishForConditionalGeneration(tiny_config(), with_vision_encoder=False).eval()
    ids, _ = sample(1, [1], [])
    assert model(ids[None], image_features=torch.randn(1, 4, 64)).logits.shape == (1, 7, 264)
    with pytest.raises(ValueError, match="without its vision encoder"):
        model(ids[None], pixel_values=torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_the_loss_on_answer_rows_equals_the_full_cross_entropy(family: str) -> None:
    text = TEXT | {"model_type": family, "head_dim": 8, "final_logit_softcapping": 3.0}
    torch.manual_seed(0)
    model = GoldfishForConditionalGeneration(
        GoldfishConfig(dict(VISION), text, image_token_id=IMAGE_TOKEN_ID)
    ).eval()
    first, first_labels = sample(2, [1, 2, 3], [7, 8, 257])
    second, second_labels = sample(1, [5], [9, 257])
    ids = pad([first, second], PAD, "right")
    labels = pad([first_labels, second_labels], -100, "right")
    inputs = {
        "attention_mask": (ids != PAD).long(),
        "image_features": torch.randn(3, 4, 64),
    }
    answers = model(ids, labels=labels, **inputs)
    full = model(ids, **inputs).logits
    expected = functional.cross_entropy(full[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(answers.loss, expected)
    shared = model(ids, labels=labels, num_items_in_batch=10, **inputs).loss
    torch.testing.assert_close(shared, expected * 5 / 10)


def test_the_gradient_of_the_answer_loss_equals_that_of_the_full_loss(
    model: GoldfishForConditionalGeneration,
) -> None:
    ids, labels = sample(1, [1, 2], [7, 257])
    features = torch.randn(1, 4, 64)
    model(ids[None], labels=labels[None], image_features=features).loss.backward()
    weight = model.projector.linear.weight
    ours = weight.grad.clone()
    weight.grad = None
    logits = model(ids[None], image_features=features).logits
    functional.cross_entropy(logits[0, :-1], labels[1:]).backward()
    torch.testing.assert_close(ours, weight.grad)


def test_a_batch_without_labels_is_refused(model: GoldfishForConditionalGeneration) -> None:
    ids = torch.tensor([[256, 1, 2]])
    with pytest.raises(ValueError, match="No label"):
        model(ids, labels=torch.full_like(ids, -100))


@settings(max_examples=15, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=2, max_size=4),
    side=st.sampled_from(["left", "right"]),
)
def test_samples_of_a_batch_do_not_see_each_other(shapes: list[tuple[int, int]], side: str) -> None:
    torch.manual_seed(0)
    model = GoldfishForConditionalGeneration(tiny_config()).eval()
    rows = [sample(frames, list(range(1, 1 + length)), [])[0] for frames, length in shapes]
    features = [torch.randn(frames, 4, 64) for frames, _ in shapes]
    ids = pad(rows, PAD, side)
    mask = pad([torch.ones_like(row) for row in rows], 0, side)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(
            ids, attention_mask=mask, position_ids=positions, image_features=torch.cat(features)
        ).logits
        for row, own, together, present in zip(rows, features, logits, mask.bool(), strict=True):
            alone = model(row[None], image_features=own).logits[0]
            torch.testing.assert_close(together[present], alone, atol=1e-5, rtol=0)


def test_a_left_padded_batch_generates_what_each_prompt_generates_alone(
    model: GoldfishForConditionalGeneration,
) -> None:
    rows = [sample(2, [1, 2, 3, 4], [])[0], sample(1, [9], [])[0]]
    features = [torch.randn(2, 4, 64), torch.randn(1, 4, 64)]
    ids = pad(rows, PAD, "left")
    mask = pad([torch.ones_like(row) for row in rows], 0, "left")
    options = {"max_new_tokens": 12, "do_sample": False, "repetition_penalty": 1.5}
    together = model.generate(
        ids, attention_mask=mask, image_features=torch.cat(features), eos_token_id=None, **options
    )
    assert together.shape == (2, 12)
    for row, own, answer in zip(rows, features, together, strict=True):
        alone = model.generate(row[None], image_features=own, eos_token_id=None, **options)[0]
        assert alone.tolist() == answer.tolist()


def test_the_repetition_penalty_counts_new_tokens_only(
    model: GoldfishForConditionalGeneration,
) -> None:
    ids, _ = sample(1, [5, 6], [])
    features = torch.randn(1, 4, 64)
    penalised = model.generate(
        ids[None],
        image_features=features,
        max_new_tokens=10,
        do_sample=False,
        eos_token_id=None,
        repetition_penalty=5.0,
    )[0].tolist()
    expected: list[int] = []
    with torch.no_grad():
        for _ in range(10):
            now = torch.cat([ids, torch.tensor(expected, dtype=torch.long)])
            scores = model(now[None], image_features=features).logits[0, -1]
            for token in set(expected):
                scores[token] = scores[token] / 5 if scores[token] > 0 else scores[token] * 5
            expected.append(int(scores.argmax()))
    assert penalised == expected


def test_generation_streams_each_token_as_it_comes(
    model: GoldfishForConditionalGeneration,
) -> None:
    class Collector(BaseStreamer):
        def __init__(self) -> None:
            self.tokens: list[int] = []
            self.ended = False

        def put(self, value: Tensor) -> None:
            self.tokens += value.flatten().tolist()

        def end(self) -> None:
            self.ended = True

    ids, _ = sample(1, [5, 6], [])
    collector = Collector()
    answer = model.generate(
        ids[None],
        image_features=torch.randn(1, 4, 64),
        max_new_tokens=6,
        do_sample=False,
        streamer=collector,
    )
    assert collector.tokens == answer[0].tolist()
    assert collector.ended


@pytest.mark.parametrize("tied", [True, False])
def test_a_saved_model_loads_by_the_auto_classes_with_the_same_logits(
    tmp_path: Path, tied: bool
) -> None:
    text = TEXT | {"tie_word_embeddings": tied}
    config = GoldfishConfig(
        dict(VISION), text, image_token_id=IMAGE_TOKEN_ID, pooling="mean", num_frames=5
    )
    model = GoldfishForConditionalGeneration(config).eval()
    ids, _ = sample(2, [1, 2], [])
    pixels = torch.randn(2, 3, 16, 16)
    logits = model(ids[None], pixel_values=pixels).logits
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(loaded, GoldfishForConditionalGeneration)
    assert torch.equal(loaded(ids[None], pixel_values=pixels).logits, logits)
    again = AutoConfig.from_pretrained(tmp_path)
    assert (again.pooling, again.num_frames, again.tokens_per_frame) == ("mean", 5, 4)


def test_a_frozen_encoder_stays_out_of_training_mode(
    model: GoldfishForConditionalGeneration,
) -> None:
    model.train()
    assert model.vision_encoder.training
    model.choose_trainable(projector=True, adapter=False)
    assert model.projector.training
    assert not model.vision_encoder.training
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning == {"projector.linear.weight", "projector.linear.bias"}


def test_concat_joins_consecutive_tokens_in_raster_order() -> None:
    tokens = torch.arange(2 * 8 * 3).reshape(2, 8, 3).float()
    pooled = pool_tokens(tokens, "concat", 4)
    assert pooled.shape == (2, 2, 12)
    assert torch.equal(pooled[1, 1], tokens[1, 4:8].flatten())
    assert torch.equal(pool_tokens(tokens, "mean", 4)[1, 1], tokens[1, 4:8].mean(0))
    assert pool_tokens(tokens, "none", 4) is tokens
    with pytest.raises(ValueError, match="8 visual tokens cannot be pooled in groups of 3"):
        pool_tokens(tokens, "mean", 3)


def test_the_projector_computes_in_its_own_format() -> None:
    projector = VisualProjector(8, 4)
    assert projector(torch.randn(1, 2, 8, dtype=torch.bfloat16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("pooling", "size", "tokens", "width"),
    [("concat", 4, 4, 64), ("concat", 16, 1, 256), ("mean", 4, 4, 16), ("none", 4, 16, 16)],
)
def test_the_configuration_knows_what_a_frame_costs(
    pooling: str, size: int, tokens: int, width: int
) -> None:
    config = tiny_config(pooling=pooling, pooling_size=size)
    assert (config.tokens_per_frame, config.pooled_dim) == (tokens, width)
    model = GoldfishForConditionalGeneration(config)
    assert model.encode_frames(torch.randn(1, 3, 16, 16)).shape == (1, tokens, width)
    assert model.encode_frames(torch.empty(0, 3, 16, 16)).shape == (0, tokens, width)


def test_a_configuration_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="16 patches cannot be pooled in groups of 5"):
        tiny_config(pooling_size=5)
    with pytest.raises(ValueError, match="not 'max'"):
        tiny_config(pooling="max")
