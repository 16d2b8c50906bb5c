"""General models of Transformers, tiny and random, with their real processors."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ask_parts import hear, make_frames
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import RepetitionPenaltyLogitsProcessor
from vlm_parts import save_llava, save_qwen

from goldfish_cli.backends.base import GenerationSettings, Reply, Turn
from goldfish_cli.backends.choose import load_backend
from goldfish_cli.backends.transformers import ShownVideo, TransformersModel
from goldfish_cli.errors import CheckpointError, ModelError
from goldfish_cli.profiles import Profile

HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None
FRAMES = make_frames(1.25, 2.5, 7.125, 9.0, size=(64, 48))
CAPTIONS = ["", "hello", "", ""]
SAVERS: dict[str, Callable[[Path], Path]] = {"llava": save_llava, "qwen": save_qwen}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVERS.items()}


@pytest.fixture(params=list(SAVERS))
def model(
    request: pytest.FixtureRequest, folders: dict[str, Path], profile: Profile
) -> TransformersModel:
    loaded = load_backend(str(folders[request.param]), profile, offline=True)
    assert isinstance(loaded, TransformersModel)
    return loaded


def ask(model: TransformersModel, video: ShownVideo, question: str, **settings: float) -> Reply:
    generation = GenerationSettings(max_new_tokens=12, **settings)  # type: ignore[arg-type]
    pieces, reply = hear(model.stream(video, CAPTIONS, [Turn(question)], generation))
    assert "".join(pieces) == reply.text
    return reply


def prompt_of(model: TransformersModel, video: ShownVideo) -> str:
    assert video.prompt is not None
    return str(model.processor.tokenizer.decode(video.prompt[1]["input_ids"][0]))


def count_calls(model: TransformersModel) -> list[int]:
    calls: list[int] = []
    towers = [
        module
        for name, module in model.model.named_modules()
        if name.endswith(("vision_tower", "visual"))
    ]
    towers[0].register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_an_answer_is_that_of_generate(model: TransformersModel) -> None:
    video = model.encode(FRAMES)
    reply = ask(model, video, "What?")
    assert video.prompt is not None
    inputs = video.prompt[1]
    ids = model.model.generate(**inputs, max_new_tokens=12, do_sample=False, eos_token_id=257)
    new = ids[0, inputs["input_ids"].shape[1] :]
    assert reply.text == model.processor.tokenizer.decode(new, skip_special_tokens=True).strip()
    assert reply.answer_tokens == 12
    assert reply.prompt_tokens == model.count_tokens(video, CAPTIONS, [Turn("What?")])


def test_several_questions_pass_the_vision_encoder_once(model: TransformersModel) -> None:
    video = model.encode(FRAMES)
    calls = count_calls(model)
    replies = [ask(model, video, question) for question in ("What?", "Who is it?", "What?")]
    assert len(calls) == 1
    assert replies[0] == replies[2]
    ask(model, model.encode(make_frames(1.0, 2.0, 3.0, 4.0, size=(64, 48), seed=1)), "What?")
    assert len(calls) == 2


@pytest.mark.skipif(HAS_TORCHVISION, reason="with torchvision the video is shown as a video")
def test_frames_are_shown_as_images_with_their_times_and_captions(
    model: TransformersModel,
) -> None:
    video = model.encode(FRAMES)
    assert model.count_tokens(video, CAPTIONS, [Turn("What?")])
    prompt = prompt_of(model, video)
    for mark in ("<image>", "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"):
        prompt = prompt.replace(mark, "")
    assert prompt == (
        "user: Frame at 1.2 s: Frame at 2.5 s: Subtitles: hello Frame at 7.1 s: "
        "Frame at 9.0 s: What?\nassistant: "
    )


@pytest.mark.skipif(HAS_TORCHVISION, reason="with torchvision the video is shown as a video")
def test_a_video_model_without_torchvision_says_that_it_sees_images(
    folders: dict[str, Path], profile: Profile
) -> None:
    qwen = TransformersModel.load(str(folders["qwen"]), profile)
    llava = TransformersModel.load(str(folders["llava"]), profile)
    assert not qwen.as_video
    assert "torchvision" in qwen.notes[0]
    assert llava.notes == ()


@pytest.mark.skipif(not HAS_TORCHVISION, reason="video processors need torchvision")
def test_a_video_is_shown_with_the_true_times_of_its_frames(
    folders: dict[str, Path], profile: Profile
) -> None:
    qwen = TransformersModel.load(str(folders["qwen"]), profile)
    video = qwen.encode(FRAMES)
    reply = ask(qwen, video, "What?")
    prompt = prompt_of(qwen, video)
    assert qwen.as_video
    assert "<1.9 seconds>" in prompt  # two frames become one: the middle of 1.25 and 2.5
    assert "<8.1 seconds>" in prompt
    assert "2.5 s: hello" in prompt
    assert reply.visual_tokens == 8


@pytest.mark.skipif(HAS_TORCHVISION, reason="with torchvision the video is shown as a video")
def test_visual_tokens_are_counted(model: TransformersModel) -> None:
    assert ask(model, model.encode(FRAMES), "What?").visual_tokens == 4 * len(FRAMES)


@pytest.mark.parametrize("marker", ["<image>", "<|image_pad|>", "</s>"])
def test_a_question_cannot_pose_as_a_frame_or_end_the_turn(
    model: TransformersModel, marker: str
) -> None:
    video = model.encode(FRAMES)
    plain = ask(model, video, "What?")
    tricky = ask(model, video, f"What?{marker}")
    assert tricky.visual_tokens == plain.visual_tokens
    assert (tricky.prompt_tokens or 0) - (plain.prompt_tokens or 0) == len(marker)


def test_drawing_depends_on_the_seed_alone(model: TransformersModel) -> None:
    video = model.encode(FRAMES)
    first, again, other = (
        ask(model, video, "What?", temperature=1.5, seed=seed).text for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_repetition_penalty_counts_the_answer_and_not_the_prompt(
    model: TransformersModel,
) -> None:
    video = model.encode(FRAMES)
    reply = ask(model, video, "What?", repetition_penalty=1.5)
    assert video.prompt is not None
    inputs = video.prompt[1]
    length = inputs["input_ids"].shape[1]
    penalty = RepetitionPenaltyLogitsProcessor(1.5, prompt_ignore_length=length)
    ids = model.model.generate(
        **inputs,
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=257,
        logits_processor=[penalty],
    )
    new = model.processor.tokenizer.decode(ids[0, length:], skip_special_tokens=True)
    assert reply.text == new.strip()


def test_an_answer_that_nobody_hears_to_the_end_stops(model: TransformersModel) -> None:
    steps: list[int] = []
    model.model.register_forward_hook(lambda *_: steps.append(1))
    video = model.encode(FRAMES)
    stream = model.stream(
        video, CAPTIONS, [Turn("What?")], GenerationSettings(max_new_tokens=10_000)
    )
    next(stream)
    stream.close()
    assert len(steps) < 500


def test_an_error_inside_the_model_reaches_the_caller(model: TransformersModel) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no such kernel")

    model.model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="no such kernel"):
        ask(model, model.encode(FRAMES), "What?")


def test_the_context_leaves_room_for_the_answer(folders: dict[str, Path], profile: Profile) -> None:
    llava = TransformersModel.load(str(folders["llava"]), profile)
    assert llava.context_limit(profile, GenerationSettings(100)) == 512 - 100


def test_large_frames_are_shown_smaller_with_their_shape_kept(model: TransformersModel) -> None:
    (picture,) = model.encode(make_frames(0.0, size=(1600, 900))).pictures
    assert isinstance(picture, Image.Image)
    assert picture.size == (768, 432)


def test_missing_weights_are_named(
    folders: dict[str, Path], tmp_path: Path, profile: Profile
) -> None:
    for file in folders["llava"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(name for name in weights if name.endswith("q_proj.weight"))
    del weights[gone]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="q_proj"):
        TransformersModel.load(str(tmp_path), profile)


def test_a_model_without_a_processor_is_refused(
    folders: dict[str, Path], tmp_path: Path, profile: Profile
) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folders["llava"] / name).read_bytes())
    with pytest.raises(ModelError, match=r"processor|pictures"):
        TransformersModel.load(str(tmp_path), profile)


def test_code_that_comes_with_a_model_is_not_run(
    folders: dict[str, Path], tmp_path: Path, profile: Profile
) -> None:
    marker = tmp_path / "ran"
    config = (folders["llava"] / "config.json").read_text().rstrip().removesuffix("}")
    config = config.replace('"llava"', '"mystery"', 1)
    config += ', "auto_map": {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.M"}}'
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass C: ...\nclass M: ...\n")
    with pytest.raises(ModelError):
        TransformersModel.load(str(tmp_path), profile)
    assert not marker.exists()


def test_frames_keep_their_colours(folders: dict[str, Path], profile: Profile) -> None:
    llava = TransformersModel.load(str(folders["llava"]), profile)
    frame = make_frames(0.0)[0]
    frame.image[:] = (255, 0, 0)
    video = llava.encode([frame])
    llava.count_tokens(video, [""], [Turn("?")])
    red, green, blue = video.pixels["pixel_values"][0].mean((1, 2)).tolist()
    assert red > green + 1
    assert red > blue + 1
    assert np.isfinite(green)


def test_it_answers_from_text_alone(model: TransformersModel) -> None:
    nothing = model.encode(())
    _, reply = hear(model.stream(nothing, (), [Turn("Sum up.")], GenerationSettings(4)))
    assert (reply.answer_tokens, reply.visual_tokens) == (4, 0)
    assert prompt_of(model, nothing) == "user: Sum up.\nassistant: "
    assert reply.prompt_tokens == model.count_tokens(nothing, (), [Turn("Sum up.")])
