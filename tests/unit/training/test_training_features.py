"""Features made before training: training finds them, they are whole, and as the encoder says."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from goldfish_cli.data.dataset import Source
from goldfish_cli.data.features import FeatureRecord, FeatureStore
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import PreparedFile, provenance
from goldfish_cli.training.feature_check import relative_difference, verify_features
from goldfish_cli.training.features import FeatureJob, FeatureRun, store_features
from goldfish_cli.training.recipes import load_recipe
from goldfish_cli.training.stages import StageRun, Watcher, run_stage

SHORT = {
    f"stage{stage}.{key}": value
    for stage in (1, 2, 3)
    for key, value in {"max_steps": "2", "batch_size": "2", "validation": "0"}.items()
}
FILES = ("images.tar", "captions.json", "instructions.json")


@pytest.fixture
def copy(data, tmp_path) -> Path:
    """The tiny data, in a folder that a test may harm."""
    return Path(shutil.copytree(data, tmp_path / "data"))


@pytest.fixture
def run_of(base, profile, copy, tmp_path):
    def make(*names, **changes):
        sources = tuple(Source(copy / name) for name in names or FILES)
        settings = {"model": str(base), "recipe": load_recipe("default", SHORT)}
        settings |= {"profile": profile, "folder": tmp_path / "store", "videos": copy / "videos"}
        return FeatureRun(sources=sources, **(settings | changes))

    return make


def watch():
    phases = []
    return phases, Watcher(phase=lambda name, total, unit: phases.append((name, total)))


def store(run, watcher=None, **options):
    account = Account("features")
    listing = run.folder / "features.jsonl"
    job = FeatureJob(run, FeatureStore(run.folder, **options))
    with PreparedFile(listing, account, provenance=provenance("features", [])) as output:
        store_features(job, output, account, watcher)
    return account, [json.loads(line) for line in listing.read_text().splitlines()]


def verify(run, sample=8):
    job = FeatureJob(run, FeatureStore(run.folder, unreadable={}))
    account = Account("features")
    faults = list(verify_features(job, account, sample=sample))
    account.close()
    return account, faults


def shards(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_training_finds_every_clip_and_opens_no_video(run_of, base, profile, copy, tmp_path):
    run = run_of()
    account, listing = store(run)
    assert (account.num_read, account.num_written) == (10, 10), "four images, six videos, once each"
    assert [row["frames"] for row in listing] == [1] * 4 + [3] * 6
    before = shards(run.folder)
    for video in (copy / "videos").glob("*.mp4"):  # what is opened now cannot be read
        status = video.stat()
        video.write_bytes(bytes(status.st_size))
        os.utime(video, ns=(status.st_atime_ns, status.st_mtime_ns))
    for stage, name in enumerate(FILES, start=1):
        phases, watcher = watch()
        rejected = []
        stage_run = StageRun(
            stage=stage,
            sources=(Source(copy / name),),
            start=str(base),
            out=tmp_path / "runs",
            recipe=run.recipe,
            profile=profile,
            videos=copy / "videos",
            features=run.folder,
        )
        watcher = Watcher(phase=watcher.phase, note=rejected.append)
        run_stage(stage_run, watcher)
        assert "encoding clips" not in [phase for phase, _ in phases]
        assert not [text for text in rejected if "left out" in text]
    assert shards(run.folder) == before


def test_the_same_again_encodes_nothing_and_changes_no_byte(run_of):
    run = run_of()
    store(run)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    phases, watcher = watch()
    account, _ = store(run, watcher)
    assert account.num_written == 10
    assert phases == [("looking up stored features", 10)]
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_store_elsewhere_has_the_same_shards(run_of, tmp_path):
    store(run_of())
    store(run_of(folder=tmp_path / "other"))
    assert shards(tmp_path / "other") == shards(tmp_path / "store")


def test_what_cannot_be_encoded_is_accounted_for(run_of, copy):
    (copy / "videos" / "red-blue.mp4").write_bytes(b"no video")
    (copy / "videos" / "blue-red.mp4").unlink()
    account, listing = store(run_of("instructions.json"))
    assert (account.num_read, account.num_written) == (6, 4)
    assert account.dropped == {"missing-media": 1, "unreadable": 1}
    assert "red-blue" not in {row["id"] for row in listing}


def test_frames_are_as_many_as_the_recipe_says(run_of):
    recipe = load_recipe("default", SHORT | {"stage2.num_frames": "2", "stage3.num_frames": "4"})
    _, listing = store(run_of("captions.json", "instructions.json", recipe=recipe))
    assert [row["frames"] for row in listing] == [2] * 6 + [4] * 6
    _, listing = store(run_of("captions.json", recipe=recipe, stage=3))
    assert [row["frames"] for row in listing] == [4] * 6


def test_a_run_that_is_killed_loses_the_shard_it_was_at(run_of):
    run = run_of("instructions.json")
    code = (
        "import os, signal, sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from goldfish_cli.data.dataset import Source\n"
        "from goldfish_cli.data.features import FeatureStore\n"
        "from goldfish_cli.data.prepare.account import Account\n"
        "from goldfish_cli.data.prepare.output import PreparedFile\n"
        "from goldfish_cli.profiles import load_profile\n"
        "from goldfish_cli.training.features import FeatureJob, FeatureRun, store_features\n"
        "from goldfish_cli.training.recipes import load_recipe\n"
        "from goldfish_cli.training.stages import Watcher\n"
        "data, model, folder = sys.argv[1:]\n"
        "profile = load_profile('tiny', device='cpu', dtype='float32', threads=1)\n"
        "run = FeatureRun((Source(Path(data)),), model, load_recipe('default'), profile,\n"
        "                 Path(folder), Path(data).parent / 'videos')\n"
        "job, account = FeatureJob(run, FeatureStore(run.folder, shard_bytes=1)), Account('f')\n"
        "phases = []\n"
        "def done(count):\n"
        "    if len(phases) == 2 and count == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "watcher = Watcher(phase=lambda *phase: phases.append(phase), done=done)\n"
        "with PreparedFile(run.folder / 'features.jsonl', account, provenance={}) as output:\n"
        "    store_features(job, output, account, watcher)\n"
    )
    words = [sys.executable, "-c", code, run.sources[0].path, run.model, run.folder]
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [str(word) for word in words], env=os.environ | {"PYTHONPATH": str(root)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(FeatureStore(run.folder)) == 4
    phases, watcher = watch()
    account, _ = store(run, watcher)
    assert phases[1] == ("encoding clips", 2)
    assert account.num_written == 6
    assert verify(run)[1] == []


def test_a_sound_store_passes_and_a_sample_is_encoded_again(run_of):
    run = run_of()
    store(run)
    notes = []
    job = FeatureJob(run, FeatureStore(run.folder, unreadable={}))
    account = Account("features")
    assert list(verify_features(job, account, sample=4, watcher=Watcher(note=notes.append))) == []
    assert account.num_written == 10
    assert notes[0].startswith("4 clips encoded again: at most 0.0")


def test_a_flipped_bit_is_found_and_its_clip_named(run_of):
    run = run_of("instructions.json")
    store(run)
    (shard,) = run.folder.glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-3] ^= 1
    shard.write_bytes(content)
    account, faults = verify(run, sample=0)
    assert account.dropped == {"damaged": 1}
    assert shard.name in faults[0].what
    listed = [json.loads(line) for line in (run.folder / "features.jsonl").open()]
    (clip,) = [row["id"] for row in listed if row["key"] in faults[0].what]
    assert f"clip {clip}" in faults[0].what


def test_changed_times_in_the_header_are_found(run_of):
    run = run_of("instructions.json")
    store(run)
    (shard,) = run.folder.glob("*.safetensors")
    content = shard.read_bytes()
    at = content.index(b"times") + content[content.index(b"times") :].index(b"0.")
    shard.write_bytes(content[:at] + b"9" + content[at + 1 :])
    account, faults = verify(run, sample=0)
    assert account.dropped == {"damaged": 1}
    assert faults[0].detail == "its content has changed since it was written"


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_shard_that_cannot_be_read_is_named_and_its_clips_are_not_stored(run_of, content):
    run = run_of("instructions.json")
    store(run)
    (shard,) = run.folder.glob("*.safetensors")
    shard.write_bytes(content)
    account, faults = verify(run)
    assert faults[0].what == shard.name
    assert account.dropped == {"not-stored": 6}
    shard.unlink()
    assert store(run)[0].num_written == 6


def test_media_that_cannot_be_read_are_no_fault_of_the_store(run_of, copy):
    (copy / "videos" / "red-blue.mp4").write_bytes(b"no video")
    (copy / "videos" / "blue-red.mp4").unlink()
    run = run_of("instructions.json")
    store(run)
    account, faults = verify(run)
    assert faults == []
    assert account.dropped == {"missing-media": 1, "unreadable": 1}


def test_features_of_something_else_under_the_same_name_are_found(run_of):
    run = run_of("instructions.json")
    job = FeatureJob(run, FeatureStore(run.folder))
    shape = (3, job.encoder.config.tokens_per_frame, job.encoder.config.pooled_dim)
    for clip in job.clips:
        times = clip.reader.decode(clip.sample).times
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        job.store.add(clip.key, noise, FeatureRecord(times))
    job.store.flush()
    account, faults = verify(run, sample=2)
    assert account.dropped == {"differs": 2}
    assert "encoding it again gives other features" in faults[0].detail


def test_differences_are_relative_and_other_shapes_infinitely_far():
    ones = torch.ones(2, 3)
    assert relative_difference(ones, ones) == 0
    assert relative_difference(ones * 1.01, ones) == pytest.approx(0.01, rel=1e-3)
    assert relative_difference(torch.ones(3), ones) == float("inf")
