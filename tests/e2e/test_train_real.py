"""All three stages on videos and annotations that nobody here made, from nothing to an answer."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

CLIPS = {
    "ysTmUTQ5wZE_17_45": "IG-VLM__ysTmUTQ5wZE_17_45.mp4",
    "v_TpB_zMG3XBA": "Qwen3-VL__v_TpB_zMG3XBA.mp4",
}
PAIRS = ("PAIRED_msvd_ysTmUTQ5wZE_17_45.json", "PAIRED_videochatgpt_v_TpB_zMG3XBA.json")


@pytest.fixture
def goldfish(repository: Path, tmp_path: Path):
    """Run a command in a process of its own and return its stdout."""

    def run(*words: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "goldfish_cli", *map(str, words)],
            env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.timeout(300)
def test_real_videos_go_from_files_to_answers(goldfish, shared_folder: Path, tmp_path: Path):
    clips, pictures = tmp_path / "clips", tmp_path / "pictures"
    clips.mkdir()
    pictures.mkdir()
    captions = []
    for name, file in CLIPS.items():
        shutil.copy(shared_folder / "data" / "videos" / file, clips / f"{name}.mp4")
        with av.open(str(clips / f"{name}.mp4")) as video:
            next(video.decode(video=0)).to_image().save(pictures / f"{name}.jpg")
        caption = f"What can be seen in {name}."
        (pictures / f"{name}.txt").write_text(caption)
        captions.append({"image_id": name, "caption": caption})
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    goldfish("prep", "laion", pictures, "--out", "laion")
    data = ["--data", "laion", "--data", "captions.json"]
    for name in PAIRS:
        data += ["--data", shared_folder / "data" / "qa" / name]
    settings = []
    for stage in (1, 2, 3):
        for change in ("max_steps=3", "batch_size=2", "validation=0"):
            settings += ["--set", f"stage{stage}.{change}"]
    out = goldfish(
        *("train", "all", *data, "--videos", clips, "--from", "minnow", "--out", "runs"),
        *("--profile", "tiny", "--features", "features", "--recipe", "minnow", "--json", *settings),
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["stage"] for line in lines if "checkpoint" in line] == [1, 2, 3]
    assert lines[-2]["loss"] > 1  # it knows nothing of pandas
    question = "what is climbing a single step?"
    answer = json.loads(
        goldfish(
            *("ask", clips / "ysTmUTQ5wZE_17_45.mp4", question, "--json"),
            *("--model", lines[-1]["checkpoint"]),
        )
    )
    assert answer["question"] == question and answer["answer"]
