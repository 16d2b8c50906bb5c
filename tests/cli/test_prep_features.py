"""``goldfish prep features``: its account, what training makes of it, and what --verify finds."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_TINY = Path(__file__).parents[1] / "unit" / "training" / "conftest.py"
_spec = spec_from_file_location("tiny_features", _TINY)
assert _spec and _spec.loader
_tiny = module_from_spec(_spec)
_spec.loader.exec_module(_tiny)
tokenizer, config, base, data = _tiny.tokenizer, _tiny.config, _tiny.base, _tiny.data


@pytest.fixture
def features(goldfish, base, data, tmp_path):
    """Run ``goldfish prep features`` on the tiny data, into a store of the test's own."""

    def run(*words, files=("captions.json", "instructions.json")):
        sources = [data / name for name in files]
        places = ("--videos", data / "videos", "--features", tmp_path / "store")
        return goldfish(
            "prep", "features", *sources, *places, "--model", base, "--profile", "tiny", *words
        )

    return run


def test_clips_are_encoded_once_and_training_encodes_none(features, goldfish, base, data, tmp_path):
    result = features("--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert list(facts) == ["kind", "read", "written", "dropped", "output", "seconds"]
    assert (facts["read"], facts["written"]) == (6, 6), "two files about the same six clips"
    shards = {path.name for path in (tmp_path / "store").glob("*.safetensors")}
    trained = goldfish(
        *("train", "3", "--data", data / "instructions.json", "--videos", data / "videos"),
        *("--from", base, "--out", tmp_path / "runs", "--features", tmp_path / "store"),
        *("--profile", "tiny", "--set", "stage3.max_steps=1", "--set", "stage3.validation=0"),
    )
    assert trained.exit_code == 0, trained.stderr
    assert {path.name for path in (tmp_path / "store").glob("*.safetensors")} == shards


def test_a_sound_store_is_verified_and_a_damaged_one_ends_with_exit_code_3(features, tmp_path):
    assert features().exit_code == 0
    sound = features("--verify", "--sample", "2")
    assert sound.exit_code == 0, sound.stderr
    assert "2 clips encoded again" in sound.stderr
    (shard,) = (tmp_path / "store").glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 255
    shard.write_bytes(content)
    damaged = features("--verify", "--json")
    assert damaged.exit_code == 3
    assert shard.name in damaged.stderr
    assert json.loads(damaged.stdout)["dropped"] == {"damaged": 1}


def test_there_must_be_a_store_to_verify(features):
    result = features("--verify")
    assert result.exit_code == 3
    assert "There is no feature store" in result.stderr
