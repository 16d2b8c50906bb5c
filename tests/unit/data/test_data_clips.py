"""Clips: the same frames and words from the file and from the store."""

from pathlib import Path

import pytest
import torch

from goldfish_cli.data.annotations import Sample
from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.features import FeatureStore, HashBook
from goldfish_cli.errors import AnnotationError, InputError
from goldfish_cli.media.sampling import FramePlan

PLAN = FramePlan("uniform", 4)
TURNS = (("q", "a"),)


def test_words_are_said_at_the_frames_where_they_are_heard(clip, tmp_path):
    cues = tmp_path / "x.srt"
    cues.write_text("1\n00:00:01,000 --> 00:00:01,400\nthe code is seven\n")
    reader = ClipReader(PLAN, max_words=10)
    seen = reader.read(Sample("x", clip, "video", TURNS, cues))
    said = reader.captions(seen)
    assert len(said) == len(seen.times) == 4
    assert [text for text in said if text] == ["the code is seven"]
    assert seen.times[said.index("the code is seven")] >= 1.0


def test_a_stored_clip_is_read_without_its_video(clip, tmp_path):
    video = tmp_path / "x.mp4"
    video.write_bytes(clip.read_bytes())
    sample = Sample("x", video, "video", TURNS)
    store = FeatureStore(tmp_path / "store", dtype="float32")
    reader = ClipReader(PLAN, max_words=10, store=store, encoder="e", hashes=_book(tmp_path))
    decoded = reader.read(sample)
    assert decoded.features is None
    features = torch.randn(4, 2, 8)
    reader.keep(sample, decoded, features)
    store.flush()
    stored = reader.read(sample)
    assert torch.equal(stored.features, features)
    assert stored.times == decoded.times
    assert not stored.frames


def test_a_copy_under_another_name_is_the_same_clip(clip, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    reader = ClipReader(PLAN, max_words=10, store=FeatureStore(tmp_path / "s"), encoder="e")
    assert reader.key(Sample("a", clip, "video", TURNS)) == reader.key(
        Sample("b", copy, "video", TURNS)
    )


@pytest.mark.parametrize("change", [{"plan": FramePlan("uniform", 5)}, {"encoder": "other"}])
def test_another_plan_or_encoder_is_another_clip(clip, tmp_path, change):
    store = FeatureStore(tmp_path / "s")
    sample = Sample("a", clip, "video", TURNS)
    one = ClipReader(**{"plan": PLAN, "encoder": "e"}, max_words=10, store=store)
    other = ClipReader(**({"plan": PLAN, "encoder": "e"} | change), max_words=10, store=store)
    assert one.key(sample) != other.key(sample)


def test_missing_and_broken_media_are_named(tmp_path):
    reader = ClipReader(PLAN, max_words=10)
    with pytest.raises(AnnotationError, match="lost"):
        reader.read(Sample("lost", None, "video", TURNS))
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="broken"):
        reader.read(Sample("broken", tmp_path / "broken.mp4", "video", TURNS))


def _book(folder: Path) -> HashBook:
    return HashBook(folder / "hashes.jsonl")
