"""Questions per second of `goldfish eval`, against asking them one by one in one process.

Run: python benchmarks/eval.py --data instructions.json --videos videos [--videos-asked 20]
Made for a folder of `goldfish prep shapes`; answers are compared, and must be equal.
"""

import argparse
import time
from pathlib import Path

import torch

from goldfish_cli.backends.base import GenerationSettings
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.evaluation.benchmarks.registry import find_benchmark
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.runner import Asking, Runner, find_video
from goldfish_cli.evaluation.showing import Viewing
from goldfish_cli.inference.clip import Look
from goldfish_cli.inference.conversation import answer_questions
from goldfish_cli.profiles import load_profile

TARGET = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default="shapes")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--videos-asked", type=int, default=20)
    parser.add_argument("--model", default="minnow")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    profile = load_profile("cpu", threads=1)
    benchmark = find_benchmark(chosen.bench)
    every = benchmark.read(chosen.data)
    names = list(dict.fromkeys(item.video for item in every))[: chosen.videos_asked]
    items = [item for item in every if item.video in set(names)]
    settings = GenerationSettings(profile.max_new_tokens)
    model = NativeModel.load(chosen.model, profile, offline=True)
    asking = Asking(model, benchmark, MediaFolder(chosen.videos), Viewing(), profile, settings)
    runs = {"one by one": one_by_one, "goldfish eval": together}
    seconds: dict[str, tuple[float, float]] = {}
    answers: dict[str, dict[str, str]] = {}
    for name, run in runs.items():
        run(asking, items[:2])  # nothing is loaded while the clock runs
        wall, cpu = time.perf_counter(), time.process_time()
        answers[name] = run(asking, items)
        seconds[name] = time.perf_counter() - wall, time.process_time() - cpu
    same = sum(
        answers["one by one"][item.id] == answers["goldfish eval"][item.id] for item in items
    )
    print(f"{len(items)} questions about {len(names)} videos, {chosen.model}, one thread\n")
    print("| way | questions/s | questions/CPU s |\n|---|---|---|")
    for name, (wall, cpu) in seconds.items():
        print(f"| {name} | {len(items) / wall:.1f} | {len(items) / cpu:.1f} |")
    ratio = seconds["one by one"][1] / seconds["goldfish eval"][1]
    print(f"\n{ratio:.1f} times as many a CPU second (aim {TARGET:g}),")
    print(f"{same} of {len(items)} answers equal")
    return 0 if ratio >= TARGET and same == len(items) else 1


def one_by_one(asking: Asking, items: list[EvalItem]) -> dict[str, str]:
    found = {}
    for item in items:
        path = find_video(asking.videos, asking.benchmark, item.video)
        (answer,) = answer_questions(
            asking.model,
            Look(path),
            [asking.benchmark.prompt(item)],
            profile=asking.profile,
            settings=asking.settings,
        )
        found[item.id] = answer.answer
    return found


def together(asking: Asking, items: list[EvalItem]) -> dict[str, str]:
    return {
        one.prediction.id: one.prediction.prediction
        for done in Runner(asking).run(items, ("full",), {})
        for one in done
    }


if __name__ == "__main__":
    raise SystemExit(main())
