"""Shapes World keeps to its rules, tells the truth, and makes the same files twice."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.data.shapes.language import (
    FAMILIES,
    caption,
    facts,
    inflected,
    sample_questions,
    word,
)
from goldfish_cli.data.shapes.render import MIN_CONTRAST, Painter, sample_look
from goldfish_cli.data.shapes.training_wordings import TRAINING
from goldfish_cli.data.shapes.wordings import HELD_OUT, OTHER_WORDS
from goldfish_cli.data.shapes.world import (
    ACTIONS,
    MAX_CLIP_SECONDS,
    MAX_SIZE,
    MIN_CLIP_SECONDS,
    MIN_GROWTH,
    MIN_SIZE,
    MIN_TRAVEL,
    Clip,
    Event,
    State,
    sample_clip,
)
from goldfish_cli.data.shapes.writer import ShapesPlan, read_timeline, write_shapes
from goldfish_cli.errors import AnnotationError
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.subtitles import find_subtitles
from goldfish_cli.media.video import probe

SEEDS = st.integers(0, 2**32 - 1)
CLOSE = 1e-6


def clip_of(seed: int) -> Clip:
    return sample_clip(np.random.default_rng(seed))


def red_then_blue() -> Clip:
    still, far = State(0.5, 0.5, 0.3), State(0.2, 0.5, 0.3)
    red = Event("red", "circle", "moves left", 0.0, 2.0, still, far)
    blue = Event("blue", "square", "grows", 2.0, 4.0, State(0.5, 0.5, 0.2), State(0.5, 0.5, 0.4))
    return Clip((red, blue), "then", 4.0, 1.0)


@given(seed=SEEDS)
@settings(max_examples=200, deadline=None)
def test_a_clip_keeps_the_rules_of_the_world(seed: int) -> None:
    clip = clip_of(seed)
    assert 1 <= len(clip.events) <= 3
    assert MIN_CLIP_SECONDS - CLOSE <= clip.duration <= MAX_CLIP_SECONDS + CLOSE
    assert len({event.name for event in clip.events}) == len(clip.events)
    for event in clip.events:
        assert -CLOSE <= event.start < event.end <= clip.duration + CLOSE
        for state in (event.first, event.last):
            assert MIN_SIZE - CLOSE <= state.size <= MAX_SIZE + CLOSE
            reach = state.size / 2 / clip.aspect
            assert reach - CLOSE <= state.x <= 1 - reach + CLOSE
            assert state.size / 2 - CLOSE <= state.y <= 1 - state.size / 2 + CLOSE


@given(seed=SEEDS)
@settings(max_examples=200, deadline=None)
def test_an_action_looks_like_its_name(seed: int) -> None:
    for event in clip_of(seed).events:
        dx, dy = event.last.x - event.first.x, event.last.y - event.first.y
        steps = {"left": -dx, "right": dx, "up": -dy, "down": dy}
        verb, _, direction = event.action.partition(" ")
        ratio = event.last.size / event.first.size
        if verb == "moves":
            assert steps[direction] >= MIN_TRAVEL - CLOSE
        elif verb == "grows":
            assert ratio >= MIN_GROWTH - CLOSE
        elif verb == "shrinks":
            assert 1 / ratio >= MIN_GROWTH - CLOSE
        else:
            assert event.first == event.last
        assert (1 <= event.blink_hz <= 3) == (verb == "blinks")


@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_events_follow_one_another_or_run_together(seed: int) -> None:
    clip = clip_of(seed)
    for one, two in zip(clip.events, clip.events[1:], strict=False):
        if clip.relation == "then":
            assert one.end <= two.start + CLOSE
        else:
            assert two.start < one.end and one.start < two.end


@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_events_are_told_as_they_begin_and_from_the_left_where_two_begin_at_once(seed: int) -> None:
    order = [(event.start, event.first.x) for event in clip_of(seed).events]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("wording", "event", "worded"),
    [
        ("{event_doing}", "red circle moves left", "red circle moving left"),
        ("{event_past}", "star grows", "star grew"),
    ],
)
def test_an_event_can_be_worded_as_going_on_or_gone(wording: str, event: str, worded: str) -> None:
    assert wording.format(**inflected({"event": event})) == worded


@pytest.mark.parametrize("action", [*ACTIONS, *(o for row in OTHER_WORDS.values() for o in row)])
def test_every_way_to_say_an_action_has_a_past_and_goes_on(action: str) -> None:
    forms = inflected({"action": action})
    assert forms["acted"].split()[0] != action.split()[0]
    assert "ing" in forms["doing"].split()[0]


def test_captions_join_events_by_then_or_while() -> None:
    clip = red_then_blue()
    assert caption(clip) == "A red circle moves left, then a blue square grows."
    together = Clip(clip.events, "while", 4.0, 1.0)
    assert caption(together) == "A red circle moves left while a blue square grows."


def test_the_answers_are_the_canonical_ones() -> None:
    known = {
        (fact.form, *fact.slots.values()): fact.answer
        for fact in facts(red_then_blue(), np.random.default_rng(0))
    }
    assert known["colour", "square"] == "blue"
    assert known["shape", "red"] == "circle"
    assert known["action", "red circle"] == "moves left"
    assert known["direction", "circle"] == "left"
    assert known["who", "grows"] == "blue square"
    assert known["existence", "star"] == "no"
    assert known["existence", "blue square"] == "yes"
    assert known["count",] == "two"
    assert known["first",] == "A red circle moves left."
    assert known["last",] == "A blue square grows."
    assert known["after", "red circle moves left"] == "A blue square grows."
    assert known["before", "blue square grows"] == "A red circle moves left."
    assert known["colour", "star"] == "There is no star."


@given(seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_a_question_about_one_object_never_fits_two(seed: int) -> None:
    clip = clip_of(seed)
    for fact in facts(clip, np.random.default_rng(seed)):
        if fact.family == "colour":
            assert sum(e.shape == fact.slots["object"] for e in clip.events) == 1
        if fact.family == "who":
            assert sum(e.action == fact.slots["action"] for e in clip.events) == 1


def test_every_form_has_six_training_wordings_and_two_kept_out() -> None:
    assert TRAINING.keys() == HELD_OUT.keys()
    for form, templates in TRAINING.items():
        assert len(set(templates)) >= 6
        assert len(set(HELD_OUT[form])) >= 2
        assert not set(templates) & set(HELD_OUT[form])


@given(seed=SEEDS)
@settings(max_examples=50, deadline=None)
def test_no_wording_leaves_a_slot_open(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for fact in facts(clip_of(seed), rng):
        for held_out in (False, True):
            assert not set("{}") & set(word(fact, rng, held_out=held_out))


def test_families_come_equally_often() -> None:
    rng = np.random.default_rng(3)
    drawn = [q.family for _ in range(200) for q in sample_questions(sample_clip(rng), rng, 6)]
    shares = {family: drawn.count(family) / len(drawn) for family in FAMILIES}
    assert set(shares) == set(drawn)
    assert all(0.01 < share < 0.2 for share in shares.values())


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_an_object_is_drawn_in_its_colour_where_the_truth_says_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = sample_clip(rng)
    look = sample_look(rng, clip)
    painter = Painter(clip, look, 96, 96, rng)
    event, colour = clip.events[-1], np.array(look.palette[-1]) * 255  # nothing covers the last
    moment = next(t for t in np.linspace(event.start, event.end, 200) if event.state(t))
    state = event.state(moment)
    assert state is not None
    picture = painter.frame(moment).astype(float)
    centre = picture[int(state.y * 96), int(state.x * 96)]
    assert np.abs(centre - colour).max() < 90  # noise, flicker and soft focus stay below that
    ground = look.background.reshape(-1, 3).mean(0)
    assert np.linalg.norm(np.array(look.palette[-1]) - ground) > MIN_CONTRAST / 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shapes") / "train"
    list(write_shapes(out, small_plan()))
    return out


def small_plan(seed: int = 4) -> ShapesPlan:
    return ShapesPlan("train", seed, 6, 5, 3, False, min_height=112, max_height=120)


def test_the_files_are_real_videos_of_the_told_length(made: Path) -> None:
    truths = read_timeline(made)
    assert len(truths) == 6
    for truth in truths:
        info = probe(made / "videos" / f"{truth['id']}.mp4")
        assert (info.width, info.height) == (truth["video"]["width"], truth["video"]["height"])
        assert info.duration == pytest.approx(truth["duration"], abs=1.1 / truth["video"]["fps"])


def test_narration_is_found_as_subtitles(made: Path) -> None:
    for truth in read_timeline(made):
        video = made / "videos" / f"{truth['id']}.mp4"
        cues = find_subtitles(video, "auto", info=probe(video)).cues
        assert [cue.text for cue in cues] == [said["text"] for said in truth["narration"]]


def test_a_clip_decodes_to_what_was_drawn(made: Path) -> None:
    truth = next(t for t in read_timeline(made) if t["events"][0]["action"] != "blinks")
    event = truth["events"][0]
    video = made / "videos" / f"{truth['id']}.mp4"
    times = FramePlan("fps", 50, fps=2.0, start=event["start"] + 0.2, end=event["end"] - 0.2)
    for frame in sample_frames(video, times):
        spread = frame.image.reshape(-1, 3).astype(float).std(0).max()
        assert spread > 5, f"nothing to be seen at {frame.time:.2f} s"


def test_annotations_name_their_clips(made: Path) -> None:
    captions = json.loads((made / "captions.json").read_text())
    instructions = json.loads((made / "instructions.json").read_text())
    assert {item["image_id"] for item in captions} == {f"train-{i:06d}" for i in range(6)}
    assert len(instructions) == 18
    assert all({"video_id", "q", "a", "length"} <= item.keys() for item in instructions)


def test_pictures_lie_in_webdataset_tars(made: Path) -> None:
    with tarfile.open(made / "images" / "00000.tar") as tar:
        names = tar.getnames()
        assert sum(name.endswith(".jpg") for name in names) == 5
        member = tar.extractfile("00000000.json")
        assert member is not None
        assert json.load(member)["caption"].startswith("A ")


def test_the_same_plan_makes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    list(write_shapes(tmp_path / "again", small_plan(), workers=2))
    assert_same_content(tmp_path / "again", made)


def test_a_stopped_run_continues_without_drawing_twice(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    before = write_shapes(out, small_plan())
    for _ in range(3):
        next(before)
    before.close()
    after = list(write_shapes(out, small_plan()))
    assert [step.reused for step in after] == [True] * 3 + [False] * 4
    assert_same_content(out, made)


def test_another_plan_does_not_mix_into_a_folder(made: Path) -> None:
    with pytest.raises(AnnotationError, match="seed"):
        next(write_shapes(made, small_plan(seed=5)))


def test_splits_share_no_clip() -> None:
    plans = [ShapesPlan(split, 1, 1, 0, 0, False) for split in ("train", "val", "test")]
    from goldfish_cli.data.shapes.writer import clip_rng

    assert len({caption(sample_clip(clip_rng(plan, 0))) for plan in plans}) == 3


def assert_same_content(one: Path, other: Path) -> None:
    """Every file byte by byte; videos by what they show, for x264 varies a few bytes."""
    names = [
        sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file()) for root in (one, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        if name.suffix == ".mp4":
            np.testing.assert_allclose(pictures(one / name), pictures(other / name), atol=4)
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def pictures(video: Path) -> np.ndarray:
    """The mean tones of the quarters of six frames."""
    frames = sample_frames(video, FramePlan("uniform", 6))
    return np.array(
        [
            quarter.mean((0, 1))
            for frame in frames
            for half in np.array_split(frame.image, 2)
            for quarter in np.array_split(half, 2, axis=1)
        ]
    )
