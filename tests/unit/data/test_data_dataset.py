"""Mixtures: every draw is known in advance, weights count, unreadable samples are never silent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.annotations import Sample
from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import (
    DrawOrder,
    Mixture,
    Source,
    expand_source,
    read_groups,
    split_groups,
)
from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.media.sampling import FramePlan

READER = ClipReader(FramePlan("uniform", 4), max_words=10)


def groups(name, count):
    turns = (("q", "a"),)
    return [(Sample(f"{name}{n}", Path(f"{name}{n}"), "video", turns),) for n in range(count)]


def seen(mixture, draws):
    return [mixture.group(draw)[0].id for draw in draws]


@given(size=st.integers(1, 50), epochs=st.integers(1, 3), seed=st.integers(0, 5))
def test_each_epoch_shows_every_draw_once_in_an_order_of_its_own(size, epochs, seed):
    order = list(DrawOrder(size, size * epochs, seed=seed))
    for epoch in range(epochs):
        part = order[epoch * size : (epoch + 1) * size]
        assert sorted(part) == list(range(epoch * size, (epoch + 1) * size))


@given(size=st.integers(1, 50), total=st.integers(1, 120), skip=st.integers(0, 120))
def test_a_run_can_be_entered_anywhere(size, total, skip):
    order = list(DrawOrder(size, total, seed=1))
    assert len(order) == total
    assert list(DrawOrder(size, total, seed=1))[skip:] == order[skip:]


def test_another_seed_is_another_order():
    assert list(DrawOrder(30, 30, seed=1)) != list(DrawOrder(30, 30, seed=2))


def test_a_weight_of_two_shows_each_sample_twice_in_an_epoch():
    mixture = Mixture([(groups("a", 3), 2.0), (groups("b", 2), 1.0)], READER)
    ids = seen(mixture, range(len(mixture)))
    assert sorted(ids) == sorted(["a0", "a1", "a2"] * 2 + ["b0", "b1"])


def test_half_a_weight_shows_each_sample_every_other_epoch():
    mixture = Mixture([(groups("a", 4), 0.5), (groups("b", 1), 1.0)], READER)
    first = set(seen(mixture, range(len(mixture))))
    second = set(seen(mixture, range(len(mixture), 2 * len(mixture))))
    assert {"a0", "a1", "a2", "a3"} < first | second
    assert first & second == {"b0"}


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    weights=st.lists(st.sampled_from([0.5, 1.0, 1.5, 3.0]), min_size=3, max_size=3),
    draw=st.integers(0, 500),
)
def test_any_draw_has_a_group(sizes, weights, draw):
    sources = [(groups(str(n), size), weights[n]) for n, size in enumerate(sizes)]
    if sum(round(size * weights[n]) for n, size in enumerate(sizes)) == 0:
        return
    assert len(Mixture(sources, READER).group(draw)) == 1


def test_captions_without_instructions_are_refused():
    captions = [(Sample("a", Path("a"), "video", (("", "A fish."),)),)]
    with pytest.raises(AnnotationError, match="instructions"):
        Mixture([(captions, 1.0)], READER)


def test_no_samples_at_all_are_refused():
    with pytest.raises(AnnotationError, match="no samples"):
        Mixture([([], 1.0)], READER)


def test_unreadable_media_are_replaced_and_reported(tmp_path, clip):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    turns = (("q", "a"),)
    samples = [(Sample("bad", bad, "video", turns),), (Sample("good", clip, "video", turns),)]
    example = Mixture([(samples, 1.0)], READER)[0]
    assert example.id == "good"
    assert len(example.clip.frames) == 4
    assert [item.id for item in example.rejected] == ["bad"]
    assert "bad.mp4" in example.rejected[0].reason


def test_nothing_but_unreadable_media_ends_the_run(tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    mixture = Mixture([([(Sample("bad", bad, "video", (("q", "a"),)),)], 1.0)], READER)
    with pytest.raises(AnnotationError, match=r"bad\.mp4"):
        mixture[0]


def test_instructions_vary_but_a_draw_always_has_the_same(clip):
    captions = [(Sample("a", clip, "video", (("", "A fish."),)),)]
    mixture = Mixture([(captions, 1.0)], READER, instructions=("Tell.", "Say."), seed=3)
    asked = [mixture[draw].dialogues[0][0][0] for draw in range(12)]
    assert set(asked) == {"Tell.", "Say."}
    assert asked == [mixture[draw].dialogues[0][0][0] for draw in range(12)]


@given(share=st.floats(0, 0.9), count=st.integers(0, 60))
def test_a_clip_is_learnt_from_or_measured_on_never_both(share, count):
    twice = groups("a", count) + groups("a", count)
    train, held = split_groups(twice, share)
    assert len(train) + len(held) == len(twice)
    assert not {g[0].id for g in train} & {g[0].id for g in held}


def test_questions_about_one_clip_are_grouped_and_conversations_stay_alone(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "b.mp4").touch()
    items = [{"video_id": name, "q": f"{n}?", "a": "x"} for n in range(3) for name in "ab"]
    items.append({"video_id": "a", "conversations": [{"q": "1", "a": "2"}, {"q": "3", "a": "4"}]})
    path = tmp_path / "qa.json"
    path.write_text(__import__("json").dumps(items))
    found = read_groups(Source(path), None, per_clip=2)
    assert sorted(len(group) for group in found) == [1, 1, 1, 2, 2]
    assert all(len({sample.media for sample in group}) == 1 for group in found)


def test_sources_are_files_with_weights_folders_of_tars_or_patterns(tmp_path):
    for number in range(3):
        (tmp_path / f"{number:02d}.tar").touch()
    assert expand_source("a.json") == [Source(Path("a.json"))]
    assert expand_source("a.json:2.5") == [Source(Path("a.json"), 2.5)]
    assert expand_source("C:a.json") == [Source(Path("C:a.json"))]
    assert [s.path.name for s in expand_source(f"{tmp_path}:2")] == ["00.tar", "01.tar", "02.tar"]
    assert expand_source(f"{tmp_path}/{{00..01}}.tar:2") == [
        Source(tmp_path / "00.tar", 2.0),
        Source(tmp_path / "01.tar", 2.0),
    ]
    with pytest.raises(UsageError, match="above 0"):
        expand_source("a.json:0")
