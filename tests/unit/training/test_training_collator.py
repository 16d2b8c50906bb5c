"""Batches: padded to their own length, labelled on answers only, and no talk between samples."""

import pytest
import torch

from goldfish_cli.data.clips import Clip
from goldfish_cli.data.dataset import Example
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.cues import Cue
from goldfish_cli.training.collator import Collator, fit_mask


def example(*dialogues, config, seed=0, captions=("", "hello", "")):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, config.tokens_per_frame, config.pooled_dim)
    clip = Clip(
        (0.0, 1.0, 2.0), (Cue(1, 2, "hello"),), features=torch.randn(shape, generator=generator)
    )
    return Example(f"clip{seed}", clip, captions, dialogues)


@pytest.fixture
def collator(tokenizer, config):
    return Collator(tokenizer, config, max_context_tokens=400, max_text_tokens=40)


def inputs(batch):
    return {key: value for key, value in batch.items() if key not in ("num_tokens", "rejected")}


def test_labels_are_the_answer_and_its_end_and_nothing_else(collator, config, tokenizer):
    batch = collator([example((("who?", "a fish"),), config=config)])
    labels = batch["labels"][0]
    assert tokenizer.decode(labels[labels != -100]) == "a fish</s>"


def test_a_batch_is_as_long_as_its_longest_sample_and_padding_is_never_a_label(collator, config):
    short = example((("a?", "b"),), config=config)
    long = example((("a long question?", "and a long answer"),), config=config, seed=1)
    batch = collator([short, long])
    lengths = batch["attention_mask"].sum(1)
    assert batch["input_ids"].shape[1] == lengths.max()
    assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
    assert batch["num_tokens"] == lengths.sum()


def test_a_sample_has_the_same_loss_alone_and_beside_a_longer_one(collator, config, model):
    short = example((("a?", "b"),), config=config)
    long = example((("a long question?", "and a long answer"),), config=config, seed=1)
    losses, counts = [], []
    for batch in (collator([short]), collator([long]), collator([short, long])):
        losses.append(model(**inputs(batch)).loss)
        counts.append((batch["labels"] != -100).sum())
    together = (losses[0] * counts[0] + losses[1] * counts[1]) / counts[2]
    torch.testing.assert_close(losses[2], together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("packing", [False, True])
def test_lengths_in_steps_teach_the_same(tokenizer, config, model, packing):
    limits = {"max_context_tokens": 160, "max_text_tokens": 40, "packing": packing}
    examples = mixed_examples(config)
    plain = Collator(tokenizer, config, **limits)(examples)
    longer = Collator(tokenizer, config, **limits, length_multiple=64)(examples)
    assert plain["input_ids"].shape[1] % 64 != 0 == longer["input_ids"].shape[1] % 64
    assert longer["num_tokens"] == plain["num_tokens"]
    (loss, gradients), (expected, wanted) = (
        losses_and_gradients(model, batch, "sdpa") for batch in (longer, plain)
    )
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_questions_side_by_side_have_the_loss_of_each_alone(collator, config, model, attention):
    model.set_attn_implementation({"text_config": attention})
    assert model.language_model.config._attn_implementation == attention
    dialogues = [(("what?", "a fish"),), (("why is it so?", "no"),), (("what?", "nothing"),)]
    alone = [collator([example(d, config=config)]) for d in dialogues]
    shared = collator([example(*dialogues, config=config)])
    shared["attention_mask"] = fit_mask(shared["attention_mask"], attention, torch.float32)
    total = sum(model(**inputs(b)).loss * (b["labels"] != -100).sum() for b in alone)
    count = sum((b["labels"] != -100).sum() for b in alone)
    assert (shared["labels"] != -100).sum() == count
    torch.testing.assert_close(model(**inputs(shared)).loss, total / count, atol=1e-5, rtol=1e-5)
    assert shared["num_tokens"] < 0.6 * sum(b["num_tokens"] for b in alone)


def test_rows_with_one_and_with_several_questions_share_a_batch(collator, config, model):
    one = example((("what?", "a fish"),), config=config)
    two = example((("what?", "a fish"),), (("why?", "no"),), config=config, seed=1)
    parts = [collator([one]), collator([two])]
    batch = collator([one, two])
    counts = [(part["labels"] != -100).sum() for part in parts]
    expected = sum(model(**inputs(p)).loss * n for p, n in zip(parts, counts, strict=True))
    torch.testing.assert_close(
        model(**inputs(batch)).loss, expected / sum(counts), atol=1e-5, rtol=1e-5
    )


def mixed_examples(config):
    return [
        example((("a?", "b"),), config=config),
        example(
            (("a much longer question about it?", "with a long answer"),), config=config, seed=1
        ),
        example((("what?", "a fish"),), (("why?", "no"),), config=config, seed=2),
        example((("who?", "me"), ("why?", "so")), config=config, seed=3),
        example((("where?", "here"),), config=config, seed=4),
    ]


def losses_and_gradients(model, batch, attention):
    model.zero_grad()
    batch["attention_mask"] = fit_mask(batch["attention_mask"], attention, torch.float32)
    loss = model(**inputs(batch)).loss
    loss.backward()
    return loss.detach(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_samples_teach_what_they_teach_in_rows_of_their_own(
    tokenizer, config, model, attention
):
    model.set_attn_implementation({"text_config": attention})
    limits = {"max_context_tokens": 160, "max_text_tokens": 40}
    examples = mixed_examples(config)
    plain = Collator(tokenizer, config, **limits)(examples)
    packed = Collator(tokenizer, config, packing=True, **limits)(examples)
    assert len(packed["input_ids"]) < len(plain["input_ids"]) == 5
    assert packed["input_ids"].shape[1] <= 200
    assert packed["num_tokens"] == plain["num_tokens"]
    names = [name for row in packed["sample_ids"] for name in row.split(", ")]
    assert sorted(names) == sorted(plain["sample_ids"])
    (loss, gradients), (expected, wanted) = (
        losses_and_gradients(model, batch, attention) for batch in (packed, plain)
    )
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == wanted.keys() and len(wanted) > 10
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-4)


def packed_pair(tokenizer, config, *, seeds=(1, 2), answers=("b", "c")):
    """Two short samples in the row beside that of a long one."""
    collator = Collator(tokenizer, config, packing=True, max_context_tokens=300, max_text_tokens=9)
    long = example((("a question? " * 6, "no"),), config=config, seed=7)
    pair = [
        example((("a?", answer),), config=config, seed=seed)
        for seed, answer in zip(seeds, answers, strict=True)
    ]
    batch = collator([pair[0], long, pair[1]])
    assert list(batch["sample_ids"]) == [f"clip{seeds[0]}, clip{seeds[1]}", "clip7"]
    return batch, [len(collator.row(one).ids) for one in pair]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("changed", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize(
    "change",
    [{"answers": ("d", "e")}, {"seeds": (3, 4)}],
    ids=["tokens", "features"],
)
def test_a_packed_sample_neither_sees_nor_moves_its_neighbours(
    tokenizer, config, model, attention, changed, change
):
    model.set_attn_implementation({"text_config": attention})
    usual = {"seeds": (1, 2), "answers": ("b", "c")}
    ((key, others),) = change.items()
    values = list(usual[key])
    values[changed] = others[changed]
    logits = []
    for options in (usual, usual | {key: tuple(values)}):
        batch, lengths = packed_pair(tokenizer, config, **options)
        batch["attention_mask"] = fit_mask(batch["attention_mask"], attention, torch.float32)
        batch.pop("labels")
        logits.append(model(**inputs(batch)).logits)
    places = [slice(0, lengths[0]), slice(lengths[0], sum(lengths))]
    before, after = ([one[0, place] for place in places] for one in logits)
    torch.testing.assert_close(after[1 - changed], before[1 - changed], atol=0, rtol=0)
    torch.testing.assert_close(logits[1][1], logits[0][1], atol=0, rtol=0)
    assert not torch.allclose(after[changed], before[changed], atol=1e-3)


def test_each_packed_sample_counts_its_positions_from_its_own_begin(tokenizer, config):
    batch, (length, other) = packed_pair(tokenizer, config)
    assert batch["position_ids"][0, : length + other].tolist() == [*range(length), *range(other)]


def test_a_row_is_never_longer_than_the_limits_or_the_longest_sample(tokenizer, config):
    examples = mixed_examples(config)
    lengths = [len(Collator(tokenizer, config).row(e).ids) for e in examples]
    unlimited = Collator(tokenizer, config, packing=True)(examples)
    assert unlimited["input_ids"].shape[1] == max(lengths)
    tight = Collator(tokenizer, config, packing=True, max_context_tokens=9, max_text_tokens=9)
    with pytest.raises(AnnotationError):
        tight(examples)


def test_a_conversation_is_learnt_at_each_of_its_answers(collator, config, tokenizer):
    batch = collator([example((("who?", "me"), ("why?", "so")), config=config)])
    labels = batch["labels"][0]
    assert tokenizer.decode(labels[labels != -100]) == "me</s>so</s>"


def test_frames_that_do_not_fit_the_context_are_left_out_of_the_features(tokenizer, config):
    collator = Collator(tokenizer, config, max_context_tokens=42)
    batch = collator([example((("who?", "me"),), config=config)])
    kept = len(batch["image_features"])
    assert 0 < kept < 3
    assert (batch["input_ids"] == config.image_token_id).sum() == kept * config.tokens_per_frame


def test_a_sample_that_never_fits_is_reported_and_the_others_are_used(tokenizer, config):
    collator = Collator(tokenizer, config, max_context_tokens=42)
    long = example((("who? " * 50, "me"),), config=config, seed=1)
    batch = collator([long, example((("who?", "me"),), config=config)])
    assert len(batch["input_ids"]) == 1
    assert [item.id for item in batch["rejected"]] == ["clip1"]
    with pytest.raises(AnnotationError, match="context"):
        collator([long])


def test_the_same_question_twice_has_the_loss_of_each_alone(collator, config, model):
    dialogues = [(("what?", "a fish"),), (("what?", "nothing"),)]
    alone = [collator([example(d, config=config)]) for d in dialogues]
    shared = collator([example(*dialogues, config=config)])
    counts = [(batch["labels"] != -100).sum() for batch in alone]
    total = sum(model(**inputs(b)).loss * n for b, n in zip(alone, counts, strict=True))
    torch.testing.assert_close(
        model(**inputs(shared)).loss, total / sum(counts), atol=1e-5, rtol=1e-5
    )
