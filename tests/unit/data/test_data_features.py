"""The feature store: whole or absent, found again by content, read without copying."""

import json
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from goldfish_cli.data.feature_check import check_shard, shard_files
from goldfish_cli.data.features import FeatureRecord, FeatureStore, HashBook, feature_key
from goldfish_cli.errors import InputError


def features(seed=0):
    return torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(seed))


RECORD = FeatureRecord((0.5, 1.5, 2.5), 0.25, ((0.0, 1.0, "día"),))


def test_what_was_stored_is_read_back_by_another_store(tmp_path):
    store = FeatureStore(tmp_path, dtype="float32")
    store.add("a", features(1), RECORD)
    store.add("b", features(2), FeatureRecord((0.0,)))
    store.flush()
    again = FeatureStore(tmp_path, dtype="float32")
    assert len(again) == 2
    assert torch.equal(again.features("a"), features(1))
    assert again.record("a") == RECORD


def test_half_precision_is_the_default_and_close(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("a", features(), RECORD)
    store.flush()
    stored = FeatureStore(tmp_path).features("a")
    assert stored.dtype == torch.float16
    torch.testing.assert_close(stored.float(), features(), atol=2e-3, rtol=1e-3)


def test_records_of_another_precision_are_not_taken(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("a", features(), RECORD)
    store.flush()
    assert "a" not in FeatureStore(tmp_path, dtype="float32")


def test_records_can_be_read_before_they_are_written(tmp_path):
    store = FeatureStore(tmp_path, dtype="float32")
    store.add("a", features(), RECORD)
    assert "a" in store
    assert torch.equal(store.features("a"), features())
    assert not list(tmp_path.glob("*.safetensors"))


def test_shards_are_written_as_they_fill_so_that_a_kill_costs_little(tmp_path):
    store = FeatureStore(tmp_path, shard_bytes=features().numel() * 2 * 2)
    for number in range(5):
        store.add(str(number), features(number), RECORD)
    assert len(FeatureStore(tmp_path)) == 4


def test_a_shard_that_was_not_finished_is_ignored(tmp_path):
    (tmp_path / "abc.partial").write_bytes(b"half a shard")
    assert len(FeatureStore(tmp_path)) == 0


def test_a_damaged_shard_is_named(tmp_path):
    (tmp_path / "abc.safetensors").write_bytes(b"half a shard")
    with pytest.raises(InputError, match=r"abc\.safetensors"):
        FeatureStore(tmp_path)


def test_two_writers_of_one_store_do_not_harm_each_other(tmp_path):
    one, two = FeatureStore(tmp_path), FeatureStore(tmp_path)
    one.add("a", features(1), RECORD)
    two.add("a", features(1), RECORD)
    two.add("b", features(2), RECORD)
    one.flush()
    two.flush()
    assert len(FeatureStore(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    store = FeatureStore(tmp_path / "store")
    store.add("a", features(), RECORD)
    (tmp_path / "store").rmdir()
    with pytest.raises(InputError, match="cannot be written"):
        store.flush()


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_keys_differ_when_anything_that_made_them_differs(parts):
    assert feature_key(*parts[0]) != feature_key(*parts[1]) or "\0" in "".join(map("".join, parts))


def test_hashes_are_remembered_until_the_file_changes(tmp_path):
    media = tmp_path / "clip.mp4"
    media.write_bytes(b"one")
    book = HashBook(tmp_path / "hashes.jsonl")
    assert book.get(media) is None
    book.note(media, "h1")
    assert HashBook(tmp_path / "hashes.jsonl").get(media) == "h1"
    media.write_bytes(b"other")
    assert HashBook(tmp_path / "hashes.jsonl").get(media) is None


def test_a_line_cut_off_by_a_kill_does_no_harm(tmp_path):
    media = tmp_path / "clip.mp4"
    media.write_bytes(b"one")
    HashBook(tmp_path / "hashes.jsonl").note(media, "h1")
    with (tmp_path / "hashes.jsonl").open("a") as file:
        file.write('["/some/path", 3')
    assert HashBook(tmp_path / "hashes.jsonl").get(media) == "h1"


def test_the_same_features_make_the_same_shard(tmp_path):
    for name in ("one", "two"):
        store = FeatureStore(tmp_path / name)
        store.add("a", features(1), RECORD)
        store.flush()
    (one,), (two,) = ((tmp_path / name).glob("*.safetensors") for name in ("one", "two"))
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


def test_a_shard_has_the_permissions_of_other_files(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("a", features(), RECORD)
    store.flush()
    (tmp_path / "other").touch()
    (shard,) = shard_files(tmp_path)
    assert shard.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_slow_work_is_written_before_a_shard_is_full(tmp_path):
    store = FeatureStore(tmp_path, flush_s=0.0)
    store.add("a", features(), RECORD)
    assert len(FeatureStore(tmp_path)) == 1


def test_what_a_killed_run_left_is_swept_once_it_is_old(tmp_path):
    old, new = tmp_path / "old.partial", tmp_path / "new.partial"
    for path in (old, new):
        path.write_bytes(b"half a shard")
    os.utime(old, (0, 0))
    FeatureStore(tmp_path)
    assert not old.exists() and new.exists()


def test_damaged_shards_are_collected_where_they_are_asked_for(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("a", features(), RECORD)
    store.flush()
    (tmp_path / "abc.safetensors").write_bytes(b"half a shard")
    unreadable = {}
    assert len(FeatureStore(tmp_path, unreadable=unreadable)) == 1
    assert [path.name for path in unreadable] == ["abc.safetensors"]


def test_checking_a_shard_finds_values_that_are_no_numbers(tmp_path):
    store = FeatureStore(tmp_path)
    broken = features()
    broken[0, 0, 0] = float("nan")
    store.add("a", broken, RECORD)
    store.add("b", features(2), FeatureRecord((0.0,)))
    store.add("c", features(3), RECORD)
    store.flush()
    (shard,) = shard_files(tmp_path)
    assert [(found.key, found.reason) for found in check_shard(shard)] == [
        ("a", "its features hold values that are no numbers"),
        ("b", "3 frames have other times"),
    ]


def test_a_store_of_the_layout_before_digests_is_read(tmp_path):
    records = {"a": {"times": [0.5], "start": 0.0, "cues": [[0.0, 1.0, "día"]]}}
    header = {"dtype": "float16", "records": json.dumps(records)}
    save_file({"a": features()[:1].half()}, tmp_path / "old.safetensors", header)
    store = FeatureStore(tmp_path)
    assert store.record("a") == FeatureRecord((0.5,), 0.0, ((0.0, 1.0, "día"),))
    assert store.features("a").shape == (1, 4, 8)
    (found,) = check_shard(tmp_path / "old.safetensors")
    assert "without a hash" in found.reason
