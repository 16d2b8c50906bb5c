from pathlib import Path

import pytest
import torch
from ask_parts import hear, make_frames, save_goldfish

from goldfish_cli.backends.base import GenerationSettings, Reply, Request, Turn
from goldfish_cli.backends.native import NativeModel, NativeVideo
from goldfish_cli.errors import DoesNotFitError
from goldfish_cli.model.loader import load_config
from goldfish_cli.model.memory import MemoryPlanner
from goldfish_cli.profiles import Profile

FRAMES = make_frames(0.5, 1.5, 2.5)
CAPTIONS = ["hello there", "", "bye"]


def ask(
    model: NativeModel, video: NativeVideo, question: str, **settings: float
) -> tuple[str, Reply]:
    pieces, reply = hear(
        model.stream(
            video,
            CAPTIONS[: len(video.times)],
            [Turn(question)],
            GenerationSettings(max_new_tokens=24, **settings),  # type: ignore[arg-type]
        )
    )
    assert "".join(pieces) == reply.text
    return reply.text, reply


def generated(model: NativeModel, video: NativeVideo, question: str, **options: object) -> str:
    """The answer by ``generate`` of Transformers, from the same prompt."""
    ids = torch.tensor([model._prompt_ids(CAPTIONS, [Turn(question)])])
    new = model.model.generate(
        ids, image_features=video.features, max_new_tokens=24, top_k=0, **options
    )
    return str(model.tokenizer.decode(new[0], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("question", ["What?", "Who is it?", "Ω?"])
def test_greedy_answers_are_those_of_generate(native: NativeModel, question: str) -> None:
    video = native.encode(FRAMES)
    expected = generated(native, video, question, do_sample=False)
    assert ask(native, video, question)[0] == expected != ""


def test_a_repetition_penalty_is_that_of_generate(native: NativeModel) -> None:
    video = native.encode(FRAMES)
    expected = generated(native, video, "What?", do_sample=False, repetition_penalty=1.5)
    plain, _ = ask(native, video, "What?")
    assert ask(native, video, "What?", repetition_penalty=1.5)[0] == expected != plain


def test_drawn_answers_are_those_of_generate_with_that_seed(native: NativeModel) -> None:
    video = native.encode(FRAMES)
    torch.manual_seed(7)
    expected = generated(native, video, "What?", do_sample=True, temperature=1.3, top_p=0.9)
    assert ask(native, video, "What?", temperature=1.3, top_p=0.9, seed=7)[0] == expected


def test_two_questions_pass_the_encoder_once_and_the_frames_through_the_text_model_once(
    native: NativeModel,
) -> None:
    encoded: list[int] = []
    read: list[int] = []
    assert native.model.vision_encoder is not None
    native.model.vision_encoder.register_forward_hook(
        lambda module, args, output: encoded.append(len(args[0]))
    )
    native.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["inputs_embeds"].shape[1]),
        with_kwargs=True,
    )
    video = native.encode(FRAMES)
    _, first = ask(native, video, "What?")
    num_first = sum(read)
    _, second = ask(native, video, "Who?")
    assert encoded == [2, 1]  # in chunks of two
    assert num_first == (first.prompt_tokens or 0) + (first.answer_tokens or 0) - 1
    ids = native._prompt_ids(CAPTIONS, [Turn("Who?")])
    after_frames = ids[::-1].index(native.config.image_token_id)
    assert sum(read) - num_first == after_frames + (second.answer_tokens or 0) - 1


def test_an_answer_does_not_depend_on_the_questions_before_it(native: NativeModel) -> None:
    alone = ask(native, native.encode(FRAMES), "Who?")
    video = native.encode(FRAMES)
    ask(native, video, "What?")
    assert ask(native, video, "Who?") == alone


def test_an_interrupted_answer_leaves_the_video_as_it_was(native: NativeModel) -> None:
    video = native.encode(FRAMES)
    expected = ask(native, video, "Who?")
    stream = native.stream(video, CAPTIONS, [Turn("What?")], GenerationSettings(max_new_tokens=24))
    next(stream)
    stream.close()
    assert ask(native, video, "Who?") == expected


def test_other_captions_are_another_prompt(native: NativeModel) -> None:
    video = native.encode(FRAMES)
    ask(native, video, "What?")
    short = GenerationSettings(max_new_tokens=12)
    silent = native.stream(video, ["", "", ""], [Turn("What?")], short)
    fresh = native.stream(native.encode(FRAMES), ["", "", ""], [Turn("What?")], short)
    assert hear(silent)[1] == hear(fresh)[1]


def test_a_conversation_is_part_of_the_prompt(native: NativeModel) -> None:
    video = native.encode(FRAMES)
    turns = [Turn("What?", "A cat."), Turn("Who?")]
    with_past = hear(native.stream(video, CAPTIONS, turns, GenerationSettings(4)))[1]
    assert with_past.prompt_tokens == native.count_tokens(video, CAPTIONS, turns)
    assert with_past.prompt_tokens > native.count_tokens(video, CAPTIONS, turns[1:])


def test_selected_frames_are_those_encoded_alone(native: NativeModel) -> None:
    chosen = native.encode(FRAMES).select([0, 2])
    alone = native.encode([FRAMES[0], FRAMES[2]])
    assert chosen.times == alone.times == (0.5, 2.5)
    assert torch.allclose(chosen.features, alone.features, atol=1e-6)


def test_visual_tokens_are_counted(native: NativeModel) -> None:
    reply = ask(native, native.encode(FRAMES), "What?")[1]
    assert reply.visual_tokens == len(FRAMES) * native.config.tokens_per_frame


def test_the_context_leaves_room_for_the_answer(native: NativeModel, profile: Profile) -> None:
    positions = native.config.text_config.max_position_embeddings
    assert native.context_limit(profile, GenerationSettings(200)) == profile.max_context_tokens
    wide = profile.model_copy(update={"max_context_tokens": 10_000})
    assert native.context_limit(wide, GenerationSettings(200)) == positions - 200


def test_a_model_with_a_sliding_window_answers_as_generate_does(
    tmp_path: Path, profile: Profile
) -> None:
    folder = save_goldfish(tmp_path, model_type="mistral", num_key_value_heads=2, sliding_window=8)
    model = NativeModel.load(str(folder), profile)
    video = model.encode(FRAMES)
    for question in ("What?", "Who?"):
        expected = generated(model, video, question, do_sample=False)
        assert ask(model, video, question)[0] == expected


QUESTIONS = ("What?", "Who is it?", "Ω?", "And then what is seen to happen?", "Who?")


@pytest.mark.parametrize(
    "settings",
    [
        GenerationSettings(max_new_tokens=24),
        GenerationSettings(max_new_tokens=24, repetition_penalty=1.5),
        GenerationSettings(max_new_tokens=24, temperature=1.3, seed=7),
    ],
    ids=["greedy", "penalty", "drawn"],
)
@pytest.mark.parametrize("rows", [1, 2, 8])
def test_answers_made_side_by_side_are_those_made_alone(
    native: NativeModel, rows: int, settings: GenerationSettings
) -> None:
    native._rows = rows
    conversations = [[Turn(question)] for question in QUESTIONS]
    together = native.reply_all(native.encode(FRAMES), CAPTIONS, conversations, settings)
    video = native.encode(FRAMES)
    alone = [hear(native.stream(video, CAPTIONS, turns, settings))[1] for turns in conversations]
    assert together == alone
    assert len({reply.text for reply in together}) > 1


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_questions_about_different_videos_side_by_side_are_answered_as_alone(
    native: NativeModel, rows: int
) -> None:
    native._rows = rows
    settings = GenerationSettings(max_new_tokens=24)
    videos = [native.encode(make_frames(*range(count), seed=count)) for count in (3, 1, 0, 2, 4)]
    requests = [
        Request(video, ("said",) * len(video.times), (Turn(question),))
        for video, question in zip(videos, QUESTIONS, strict=True)
    ]
    together = native.reply_each(requests, settings)
    alone = [
        hear(native.stream(one.video, one.captions, one.turns, settings))[1] for one in requests
    ]
    assert together == alone
    assert len({reply.text for reply in together}) > 1


def test_frames_pass_the_text_model_once_for_all_questions_side_by_side(
    native: NativeModel,
) -> None:
    native._rows = 8
    shapes: list[tuple[int, int]] = []
    native.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["inputs_embeds"].shape[:2])),
        with_kwargs=True,
    )
    video = native.encode(FRAMES)
    turns = [[Turn(question)] for question in QUESTIONS]
    first = native.reply_all(video, CAPTIONS, turns, GenerationSettings(max_new_tokens=4))
    assert [rows for rows, _ in shapes] == [1] + [len(QUESTIONS)] * 4
    shapes.clear()
    assert native.reply_all(video, CAPTIONS, turns, GenerationSettings(max_new_tokens=4)) == first
    assert [rows for rows, _ in shapes] == [len(QUESTIONS)] * 4  # the frames are remembered


def test_a_sliding_window_answers_one_after_another(tmp_path: Path, profile: Profile) -> None:
    folder = save_goldfish(tmp_path, model_type="mistral", num_key_value_heads=2, sliding_window=8)
    model = NativeModel.load(str(folder), profile)
    model._rows = 4
    settings = GenerationSettings(max_new_tokens=12)
    turns = [[Turn(question)] for question in QUESTIONS]
    together = model.reply_all(model.encode(FRAMES), CAPTIONS, turns, settings)
    alone = [hear(model.stream(model.encode(FRAMES), CAPTIONS, one, settings))[1] for one in turns]
    assert together == alone


def test_a_small_budget_makes_fewer_answers_at_a_time(
    goldfish_folder: Path, profile: Profile
) -> None:
    planner = MemoryPlanner(load_config(str(goldfish_folder)))
    needed = planner.plan(profile).total
    tight = profile.model_copy(update={"memory_gib": needed * 1.0001})
    wide = profile.model_copy(update={"memory_gib": needed + 4.0})
    assert planner.rows_that_fit(tight) == 1
    assert planner.rows_that_fit(wide) > 8


def test_a_model_beyond_the_budget_is_refused_before_it_is_loaded(goldfish_folder: Path) -> None:
    small = Profile(name="small", device="cpu", memory_gib=0.01)
    with pytest.raises(DoesNotFitError, match=r"0\.0 GiB of profile small"):
        NativeModel.load(str(goldfish_folder), small)
