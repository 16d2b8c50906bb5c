"""Parity with MiniGPT4-Video, measured on tensors that its own code wrote (max 1e-4, float32)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_parts import reference_encoder
from safetensors.torch import load_file
from torch import Tensor

from goldfish_cli.media.cues import Cue
from goldfish_cli.media.reference_alignment import ReferenceVariant, reference_captions
from goldfish_cli.model.bases import Placement
from goldfish_cli.model.fingerprints import load_pickle
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import load_model, load_tokenizer
from goldfish_cli.model.preprocessing import preprocess_frames
from goldfish_cli.model.projector import VisualProjector, pool_tokens
from goldfish_cli.model.prompt_styles import STYLES, lay_out, render
from goldfish_cli.model.prompts import IGNORED_LABEL, encode_answer, encode_prompt
from goldfish_cli.model.reference_checkpoint import read_trained, write_trained
from goldfish_cli.model.vision_encoder import interpolate_positions, output_norm
from goldfish_cli.profiles import Profile

PLACEMENT = Placement(torch.device("cpu"), torch.float32)
TOKENS_PER_FRAME = 4
IMAGE_TOKEN_ID = 400
STYLE_OF_KIND = {
    "short_inference": ("reference", "inference"),
    "goldfish": ("reference", "goldfish"),
    "train_video_chatgpt": ("reference-train", "training"),
    "train_cmd": ("reference-train", "training"),
    "eval_dataset": ("reference-eval", "goldfish"),
}


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


@pytest.fixture
def meta(reference: Path) -> dict[str, Any]:
    return json.loads((reference / "e2e_meta.json").read_text())


@pytest.fixture
def imported(reference: Path, tmp_path: Path, profile: Profile) -> GoldfishForConditionalGeneration:
    """The reference's checkpoint, loaded by name upon its two base models."""
    encoder = reference_encoder(load_file(reference / "e2e_frozen_vision.safetensors"), heads=4)
    encoder.save_pretrained(tmp_path)
    bases = {
        "vision_encoder": str(tmp_path),
        "language_model": str(reference / "tiny_llama"),
    }
    path = reference / "e2e_checkpoint_step0.pth"
    return load_model(str(path), profile, bases=bases, offline=True).model


def split(prompt: str) -> tuple[list[str], str]:
    """Take ``<Img><ImageHere><Cap>text ...\\nquestion`` apart."""
    *_, question = prompt.partition("\n")
    frames = prompt.partition("\n")[0].split("<Img><ImageHere>")[1:]
    return [frame.removeprefix("<Cap>").strip() for frame in frames], question


def joined(segments: list[list[int]]) -> list[int]:
    ids = list(segments[0])
    for segment in segments[1:]:
        ids += [IMAGE_TOKEN_ID] * TOKENS_PER_FRAME + segment
    return ids


@pytest.mark.parametrize("size", [56, 224])
def test_encoder_features(reference: Path, size: int) -> None:
    io = load_file(reference / f"eva_img{size}_io.safetensors")
    weights = load_file(reference / f"eva_img{size}_weights.safetensors")
    encoder = reference_encoder(weights, heads=4)
    with torch.no_grad():
        close(encoder(io["pixels"]), io["ln_out"][:, 1:])
        hidden = encoder.embeddings(io["pixels"])
        for number, block in enumerate(encoder.encoder.layers):
            hidden = block(hidden)
            close(hidden, io[f"block{number}"])


def test_position_embeddings_for_another_image_size(reference: Path) -> None:
    expected = load_file(reference / "eva_interp_42.safetensors")
    weights = load_file(reference / "eva_img56_weights.safetensors")
    close(interpolate_positions(expected["pos_embed_src"], 9), expected["pos_embed_dst"], 1e-5)
    with torch.no_grad():
        for image_size in (42, 56):  # fitted when loaded, or when a frame comes
            encoder = reference_encoder(weights, heads=4, image_size=image_size)
            normed = output_norm(expected["vit_out"], encoder.post_layernorm)
            close(encoder(expected["pixels"]), normed[:, 1:])


def test_the_output_norm_computes_in_float32(reference: Path) -> None:
    expected = load_file(reference / "ln_vision.safetensors")
    norm = torch.nn.LayerNorm(32, eps=1e-5)
    norm.load_state_dict({name: expected[f"ln_vision.{name}"] for name in ("weight", "bias")})
    with torch.no_grad():
        close(output_norm(expected["x"], norm), expected["y_from_fp32"], 1e-6)
        half = output_norm(expected["x_fp16"], norm)
    assert torch.equal(half, expected["y_from_fp16"])


def test_pooling_and_projection(reference: Path) -> None:
    expected = load_file(reference / "pooling_projection.safetensors")
    pooled = pool_tokens(expected["vit_ln_no_cls"], "concat", 4)
    assert torch.equal(pooled, expected["pooled"])
    projector = VisualProjector(128, 64)
    projector.linear.load_state_dict(
        {name: expected[f"llama_proj.{name}"] for name in ("weight", "bias")}
    )
    close(projector(pooled), expected["projected"], 1e-5)


def test_preprocessing_is_exact(reference: Path) -> None:
    arrays = np.load(reference / "preprocess.npz")
    names = [name.removeprefix("in_") for name in arrays if name.startswith("in_")]
    assert names
    for name in names:
        expected = arrays[f"out_{name}"]
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        pixels = preprocess_frames([arrays[f"in_{name}"]], expected.shape[-1], mean, std)
        assert np.array_equal(pixels[0].numpy(), expected), name


def test_prompt_strings(reference: Path) -> None:
    cases = json.loads((reference / "prompts.json").read_text())["cases"]
    for case in cases:
        style, variant = STYLE_OF_KIND[case["kind"]]
        indices = case["frame_indices"]
        captions = captions_of(case, variant)  # type: ignore[arg-type]
        assert len(captions) == len(indices)
        turns: list[tuple[str, str | None]] = [(_question(case), None)]
        for answer, question in case.get("turns_answer_question", []):
            turns[-1] = (turns[-1][0], answer)
            turns.append((question, None))
        preface = case.get("previous_caption") or ""
        chunks = lay_out(captions, turns, style=STYLES[style], preface=preface)
        assert render(chunks) == case["prompt"], case["name"]


def captions_of(case: dict[str, Any], variant: ReferenceVariant) -> list[str]:
    cues = [Cue(start, end, text) for start, end, text in case["cues"] or []]
    captions = reference_captions(
        cues, case["frame_indices"], frame_rate=case["fps"], variant=variant
    )
    return [caption.removesuffix(" ") for caption in captions]


def _question(case: dict[str, Any]) -> str:
    return case["question"].removeprefix("(random instruction from the pool, seed 0): ")


def test_token_ids(reference: Path, meta: dict[str, Any]) -> None:
    tokenizer = load_tokenizer(reference / "tiny_llama")
    sizes = {"tokens_per_frame": TOKENS_PER_FRAME, "image_token_id": IMAGE_TOKEN_ID}
    train = meta["train"]
    for instruction, segments in zip(
        train["instruction_input"], train["prompt_segment_ids"], strict=True
    ):
        captions, question = split(instruction)
        style = STYLES["reference-train"]
        prompt = encode_prompt(tokenizer, captions, question, style=style, **sizes)
        assert prompt.ids == [1, *joined(segments)]
    for case in ("single", "batch2"):
        for text, segments in zip(
            meta["generate"][case]["prompts"], meta["generate"][case]["segment_ids"], strict=True
        ):
            captions, question = split(text.removesuffix(" [/INST]"))
            style = STYLES["reference"]
            prompt = encode_prompt(tokenizer, captions, question, style=style, **sizes)
            assert prompt.ids == joined(segments)
    for answer, ids in zip(train["answer"], train["answer_ids_untruncated"], strict=True):
        assert encode_answer(tokenizer, answer).ids == ids
        cut = encode_answer(tokenizer, answer, max_tokens=train["max_txt_len"])
        assert cut.ids == ids[: train["max_txt_len"]]
        assert cut.truncated == (len(ids) > train["max_txt_len"])


def test_an_image_prompt(reference: Path, meta: dict[str, Any]) -> None:
    train = meta["train_image"]
    for instruction, wrapped in zip(
        train["instruction_input"], train["wrapped_prompt"], strict=True
    ):
        question = instruction.removeprefix("<Img><ImageHere></Img> ")
        style = STYLES["reference-train"]
        assert render(lay_out([""], [(question, None)], style=style, media="image")) == wrapped


def test_interleaved_embeddings_logits_and_loss(
    reference: Path, imported: GoldfishForConditionalGeneration, meta: dict[str, Any]
) -> None:
    expected = load_file(reference / "e2e_train_batch.safetensors")
    tokenizer = load_tokenizer(reference / "tiny_llama")
    train = meta["train"]
    pixels = expected["pixels"]
    with torch.no_grad():
        projected = imported.projector(imported.encode_frames(pixels.flatten(0, 1)))
        theirs = load_file(reference / "e2e_projected.safetensors")
        close(projected.unflatten(0, (3, 3)), next(iter(theirs.values())))
        for row, instruction in enumerate(train["instruction_input"]):
            captions, question = split(instruction)
            prompt = encode_prompt(
                tokenizer,
                captions,
                [(question, train["answer"][row])],
                tokens_per_frame=TOKENS_PER_FRAME,
                image_token_id=IMAGE_TOKEN_ID,
                style=STYLES["reference-train"],
                max_answer_tokens=train["max_txt_len"],
            )
            if 1 + train["prompt_token_lengths_untruncated"][row] > 1 + train["max_context_len"]:
                continue  # the reference cuts this prompt's question off; we never do
            present = expected["attention_mask"][row].bool()
            ids = torch.tensor([prompt.ids])
            embeddings = imported.embed(ids, pixel_values=pixels[row])
            close(embeddings[0], expected["inputs_embeds"][row][present], 1e-5)
            logits = imported(ids, pixel_values=pixels[row]).logits[0]
            positions = torch.arange(present.numel())[present]
            assert torch.equal(positions, torch.arange(len(positions)))  # padding comes after
            close(logits, expected["logits"][row][present])
            labels = expected["labels"][row][present]
            ours = torch.tensor(prompt.labels)
            kept = labels != IGNORED_LABEL
            assert torch.equal(ours[kept], labels[kept])
            dropped = set(ours[~kept].tolist()) - {IGNORED_LABEL}
            assert dropped <= {train["pad_token_id"]}  # the reference unlearns its padding word
        given = {"inputs_embeds": expected["inputs_embeds"]}
        given["attention_mask"] = expected["attention_mask"]
        close(imported(**given).logits, expected["logits"])
        close(imported(labels=expected["labels"], **given).loss, expected["loss"], 1e-5)


def test_logits_and_loss_of_an_image_batch(
    reference: Path, imported: GoldfishForConditionalGeneration, meta: dict[str, Any]
) -> None:
    expected = load_file(reference / "e2e_train_image_batch.safetensors")
    given = {name: expected[name] for name in ("inputs_embeds", "attention_mask")}
    with torch.no_grad():
        close(imported(**given).logits, expected["logits"])
        loss = imported(labels=expected["labels"], **given).loss
    close(loss, expected["loss"], 1e-5)
    assert loss.item() == pytest.approx(meta["train_image"]["loss"], abs=1e-4)


@pytest.mark.parametrize("case", ["single", "single_rep1", "batch2"])
def test_greedy_answers(
    reference: Path,
    imported: GoldfishForConditionalGeneration,
    meta: dict[str, Any],
    case: str,
) -> None:
    generate = meta["generate"][case]
    expected = load_file(reference / f"e2e_generate_{case}.safetensors")
    pixels = load_file(reference / "e2e_train_batch.safetensors")["pixels"]
    rows = [joined(segments) for segments in generate["segment_ids"]]
    length = max(map(len, rows))
    ids = torch.tensor([[0] * (length - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
    frames = pixels[: len(rows)].flatten(0, 1)
    with torch.no_grad():
        embeddings = imported.embed(ids, pixel_values=frames) * mask.unsqueeze(-1)
        close(embeddings, expected["inputs_embeds"], 1e-5)
        prefill = imported(
            inputs_embeds=expected["inputs_embeds"], attention_mask=expected["attention_mask"]
        ).logits
        present = expected["attention_mask"].bool()
        close(prefill[present], expected["logits_prefill"][present])
    for visual in (
        {"pixel_values": frames},
        {"image_features": imported.encode_frames(frames)},
    ):
        answer = imported.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=generate["kwargs"]["max_new_tokens"],
            do_sample=False,
            repetition_penalty=generate["kwargs"]["repetition_penalty"],
            **visual,
        )
        assert answer.tolist() == generate["generated_ids"]


def test_a_checkpoint_goes_out_as_it_came_in(reference: Path) -> None:
    content = load_pickle(reference / "e2e_checkpoint_step0.pth")
    trained = read_trained(content)
    assert (len(trained.lora), trained.lora_alpha) == (8, 1)
    written = write_trained(trained.projector, trained.lora)
    assert written.keys() == content["model"].keys()
    assert all(torch.equal(tensor, content["model"][name]) for name, tensor in written.items())
