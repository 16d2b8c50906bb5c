"""Small runs of a stage for several tests."""

import json
import signal
from pathlib import Path

from goldfish_cli.data.dataset import Source
from goldfish_cli.training.recipes import load_recipe
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.stages import StageRun, Watcher

FILES = {1: "images.tar", 2: "captions.json", 3: "instructions.json"}


def make_run(stage, start, out, data, profile, *, files=(), **options) -> StageRun:
    settings = {"max_steps": "6", "log_steps": "1", "warmup_steps": "1", "save_steps": "null"}
    settings |= {"validation": "0"} | {k: str(v) for k, v in options.pop("settings", {}).items()}
    recipe = load_recipe("default", {f"stage{stage}.{k}": v for k, v in settings.items()})
    sources = tuple(Source(data / name) for name in files or (FILES[stage],))
    return StageRun(
        stage,
        sources,
        str(start) if start else None,
        out,
        recipe,
        profile,
        videos=data / "videos",
        **options,
    )


def mixed_lengths(data: Path, folder: Path) -> tuple[str, ...]:
    """Name files of short and of long samples, so that it pays to pack them."""
    captions = json.loads((data / "captions.json").read_text())
    for caption in captions[:2]:
        caption["caption"] = " And again: ".join([caption["caption"]] * 5)
    path = folder / "mixed.json"
    path.write_text(json.dumps(captions))
    return str(path), "instructions.json"


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_log(folder / "train_log.jsonl")]


def stop_after(step: int) -> Watcher:
    """Press Ctrl-C at a step."""

    def advance(done: int) -> None:
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return Watcher(done=advance)
