import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldfish_cli.backends.base import GenerationSettings
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.features import FeatureStore, feature_key
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.errors import UsageError
from goldfish_cli.evaluation.benchmarks.prompts import as_asked
from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS
from goldfish_cli.evaluation.items import Benchmark, EvalItem
from goldfish_cli.evaluation.predictions import CONDITIONS, Condition, Prediction
from goldfish_cli.evaluation.runner import Asking, Done, Runner, choose, find_video
from goldfish_cli.evaluation.showing import Viewing
from goldfish_cli.inference.clip import Look
from goldfish_cli.inference.conversation import answer_questions
from goldfish_cli.media.sampling import FramePlan
from goldfish_cli.media.video import media_hash
from goldfish_cli.profiles import Profile

BENCHMARK = Benchmark("test", "Test", lambda _: [], as_asked, "", "", "")
ITEMS = [
    EvalItem("1", "one", "What?", ("a",)),
    EvalItem("2", "one", "Who is it?", ("b",), start=0.5, end=1.5),
    EvalItem("3", "two.mp4", "What?", ("c",)),
    EvalItem("4", "one", "And then?", ("d",), second_question="What follows?"),
]


@pytest.fixture
def asking(model: NativeModel, profile: Profile, video_folder: Path) -> Asking:
    return Asking(
        model,
        BENCHMARK,
        MediaFolder(video_folder),
        Viewing(),
        profile,
        GenerationSettings(profile.max_new_tokens),
    )


def run(
    asking: Asking,
    items: Sequence[EvalItem] = ITEMS,
    conditions: Sequence[Condition] = ("full",),
    known: Any = None,
) -> dict[tuple[str, Condition], Done]:
    done = [one for group in Runner(asking).run(items, conditions, known or {}) for one in group]
    found = {(one.prediction.id, one.prediction.condition): one for one in done}
    assert len(found) == len(done)
    return found


def known_of(done: dict[tuple[str, Condition], Done]) -> dict[tuple[str, Condition], Prediction]:
    return {key: one.prediction for key, one in done.items()}


def test_answers_are_those_of_ask(asking: Asking, model: NativeModel, video_folder: Path) -> None:
    done = run(asking)
    assert {key for key, _ in done} == {"1", "2", "3", "4"}
    expected = list(
        answer_questions(
            model, Look(video_folder / "one.mp4"), ["What?", "And then?"], profile=asking.profile
        )
    )
    assert done["1", "full"].prediction.prediction == expected[0].answer
    four = done["4", "full"].prediction
    assert four.prediction == expected[1].answer
    (again,) = answer_questions(
        model, Look(video_folder / "one.mp4"), ["What follows?"], profile=asking.profile
    )
    assert four.second == again.answer
    assert done["1", "full"].prediction.subtitles == "one.srt"
    assert done["3", "full"].prediction.subtitles == "none"
    assert done["3", "full"].prediction.duration == pytest.approx(3.0, abs=0.11)


def test_a_video_is_decoded_and_encoded_once_for_all_its_questions(
    asking: Asking, model: NativeModel
) -> None:
    frames: list[int] = []
    assert model.model.vision_encoder is not None
    hook = model.model.vision_encoder.register_forward_hook(
        lambda module, args, output: frames.append(len(args[0]))
    )
    run(asking)
    hook.remove()
    assert sum(frames) == 2 * 4  # two videos of four frames, four questions


def test_features_in_a_store_spare_the_encoder_and_are_those_of_training(
    asking: Asking, model: NativeModel, tmp_path: Path
) -> None:
    encoded: list[int] = []
    assert model.model.vision_encoder is not None
    hook = model.model.vision_encoder.register_forward_hook(
        lambda module, args, output: encoded.append(len(args[0]))
    )
    store = FeatureStore(tmp_path)
    first = run(replace(asking, features=store))
    store.flush()
    assert sum(encoded) == 8
    again = run(replace(asking, features=FeatureStore(tmp_path)))
    hook.remove()
    assert sum(encoded) == 8
    told = {key: one.prediction.prediction for key, one in first.items()}
    assert {key: one.prediction.prediction for key, one in again.items()} == told
    plan = FramePlan("uniform", 4)
    media = media_hash(asking.videos.root / "one.mp4")
    assert feature_key(media, repr(plan), model.encoder_identity()) in store


def test_what_was_answered_under_the_same_settings_is_not_asked_again(asking: Asking) -> None:
    first = run(asking, conditions=CONDITIONS)
    again = run(asking, conditions=CONDITIONS, known=known_of(first))
    assert all(one.reused for one in again.values())
    assert known_of(again) == known_of(first)


@pytest.mark.parametrize(
    "change",
    [
        {"viewing": Viewing(num_frames=2)},
        {"viewing": Viewing(subtitles="none")},
        {"settings": GenerationSettings(3)},
        {"benchmark": replace(BENCHMARK, prompt=lambda item: f"Say: {item.question}")},
    ],
    ids=["frames", "subtitles", "generation", "prompt"],
)
def test_other_settings_ask_again(asking: Asking, change: dict[str, Any]) -> None:
    first = run(asking)
    again = run(replace(asking, **change), known=known_of(first))
    assert not again["1", "full"].reused


def test_another_video_under_the_same_name_is_asked_again(
    asking: Asking, tmp_path: Path, video_folder: Path
) -> None:
    first = run(asking, ITEMS[2:3])
    (tmp_path / "two.mp4").write_bytes((video_folder / "three.mp4").read_bytes())
    moved = replace(asking, videos=MediaFolder(tmp_path))
    assert not run(moved, ITEMS[2:3], known=known_of(first))["3", "full"].reused
    (tmp_path / "two.mp4").write_bytes((video_folder / "two.mp4").read_bytes())
    copied = tmp_path / "copy"
    copied.mkdir()
    (copied / "two.mp4").write_bytes((video_folder / "two.mp4").read_bytes())
    same = replace(asking, videos=MediaFolder(copied))
    assert run(same, ITEMS[2:3], known=known_of(first))["3", "full"].reused


def test_missing_and_broken_videos_are_named_and_the_others_answered(asking: Asking) -> None:
    items = [*ITEMS, EvalItem("5", "absent", "What?", ("x",)), EvalItem("6", "broken", "?!a", ())]
    done = run(asking, items, ("full", "blind"))
    assert done["5", "full"].prediction.problem == "there is no such video"
    assert "broken.mp4" in done["6", "full"].prediction.problem
    assert not done["1", "full"].prediction.problem
    again = run(asking, items, ("full",), known_of(done))
    assert not again["5", "full"].reused  # it may have come since


def test_the_conditions_show_what_they_say(asking: Asking) -> None:
    seen = run(asking, conditions=CONDITIONS)
    assert {c for i, c in seen if i == "2"} == set(CONDITIONS)
    assert {c for i, c in seen if i == "1"} == {"full", "blind", "subtitles", "other video"}
    assert {c for i, c in seen if i == "3"} == {"full", "blind", "other video"}  # nothing is said
    frames = {c: seen["2", c].prediction.frames for c in CONDITIONS}
    assert frames == {"full": 4, "blind": 0, "subtitles": 4, "other video": 4, "moment": 4}
    keys = {seen["2", c].prediction.key for c in CONDITIONS}
    assert len(keys) == len(CONDITIONS)


def test_another_videos_frames_take_this_videos_times_and_subtitles(
    asking: Asking, model: NativeModel, video_folder: Path
) -> None:
    done = run(asking, conditions=("other video",))
    (swapped,) = answer_questions(
        model,
        Look(video_folder / "two.mp4", subtitles="none"),
        ["What?"],
        profile=asking.profile,
    )
    assert run(asking, ITEMS[2:3], ("other video",)) == {}  # there is no other one
    assert swapped.answer != ""
    assert done["1", "other video"].prediction.subtitles == "one.srt"


def test_the_moment_is_the_part_between_the_annotated_times(
    asking: Asking, model: NativeModel, video_folder: Path
) -> None:
    done = run(asking, conditions=("moment",))
    look = Look(video_folder / "one.mp4", start=0.5, end=1.5)
    (expected,) = answer_questions(model, look, ["Who is it?"], profile=asking.profile)
    assert done["2", "moment"].prediction.prediction == expected.answer


def test_where_times_bound_the_question_they_bound_what_is_shown(asking: Asking) -> None:
    cutting = replace(asking, benchmark=replace(BENCHMARK, cuts=True))
    part = run(cutting, conditions=("full", "moment"))
    assert ("2", "moment") not in part
    moment = run(asking, conditions=("moment",))["2", "moment"].prediction
    assert part["2", "full"].prediction.prediction == moment.prediction


def test_times_beyond_the_video_are_a_problem_of_that_question(asking: Asking) -> None:
    item = EvalItem("7", "one", "What?", ("x",), start=50.0, end=60.0)
    done = run(asking, [item], ("full", "moment"))
    assert not done["7", "full"].prediction.problem
    assert "beyond the end" in done["7", "moment"].prediction.problem


def test_a_question_that_does_not_fit_leaves_the_others_answered(asking: Asking) -> None:
    tight = asking.profile.model_copy(update={"max_context_tokens": 120})
    items = [ITEMS[0], EvalItem("8", "one", "Why? " * 200, ("x",))]
    done = run(replace(asking, profile=tight), items)
    assert not done["1", "full"].prediction.problem
    assert "120" in done["8", "full"].prediction.problem


def test_an_empty_question_is_a_problem_of_that_question(asking: Asking) -> None:
    done = run(asking, [ITEMS[0], EvalItem("9", "one", "?", ("x",))])
    assert not done["1", "full"].prediction.problem
    assert "holds no words" in done["9", "full"].prediction.problem


def test_subtitles_can_have_a_folder_of_their_own(
    asking: Asking, tmp_path: Path, video_folder: Path
) -> None:
    (tmp_path / "two.en.srt").write_text((video_folder / "one.srt").read_text())
    apart = replace(asking, viewing=Viewing(subtitles=tmp_path))
    done = run(apart)
    assert done["3", "full"].prediction.subtitles == "two.en.srt"
    assert done["1", "full"].prediction.subtitles == "none"


def test_a_video_is_found_under_the_name_that_its_set_gives_to_files(asking: Asking) -> None:
    named = replace(BENCHMARK, also_named=lambda video: (video.removeprefix("v_"),))
    done = run(replace(asking, benchmark=named), [EvalItem("1", "v_one", "What?", ("a",))])
    assert not done["1", "full"].prediction.problem


def test_a_video_outside_the_folder_is_refused(asking: Asking) -> None:
    with pytest.raises(UsageError, match="outside the folder"):
        run(asking, [EvalItem("1", "../one.mp4", "What?", ("a",))])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shards_share_no_video_and_leave_no_question_out(count: int) -> None:
    parts = [choose(ITEMS, limit=None, shard=(number, count)) for number in range(1, count + 1)]
    assert sorted(item.id for part in parts for item in part) == ["1", "2", "3", "4"]
    videos = [{item.video for item in part} for part in parts]
    assert sum(map(len, videos)) == len(set().union(*videos))


def test_a_limit_takes_the_first_questions() -> None:
    assert [item.id for item in choose(ITEMS, limit=2, shard=None)] == ["1", "2"]


def test_folders_in_the_annotations_tell_videos_of_one_name_apart(
    tmp_path: Path, video_folder: Path
) -> None:
    rows = [{"video": f"{one}/clip.mp4", "question": "What?", "answer": "x"} for one in "ab"]
    (tmp_path / "own.json").write_text(json.dumps(rows))
    items = BENCHMARKS["custom"].read([tmp_path / "own.json"])
    assert [item.video for item in items] == ["a/clip", "b/clip"]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(video_folder / "one.mp4", tmp_path / folder / "clip.mp4")
    shutil.copy(video_folder / "two.mp4", tmp_path / "clip.mp4")  # none of the two
    found = [find_video(MediaFolder(tmp_path), BENCHMARK, item.video) for item in items]
    assert found == [tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mp4"]


def test_a_video_in_a_subfolder_is_found_if_it_is_the_only_one_of_its_name(
    tmp_path: Path, video_folder: Path
) -> None:
    (tmp_path / "task").mkdir()
    shutil.copy(video_folder / "one.mp4", tmp_path / "task" / "clip.mp4")
    assert find_video(MediaFolder(tmp_path), BENCHMARK, "clip") == tmp_path / "task" / "clip.mp4"
    (tmp_path / "other").mkdir()
    shutil.copy(video_folder / "two.mp4", tmp_path / "other" / "clip.mp4")
    assert find_video(MediaFolder(tmp_path), BENCHMARK, "clip") is None
