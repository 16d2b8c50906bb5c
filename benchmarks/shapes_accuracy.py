"""How often minnow is right about Shapes World, by family, and how often without looking.

Run: python benchmarks/shapes_accuracy.py --clips 300 [--model FOLDER] [--write docs/minnow.md]
It draws the test splits first: training's wordings, and wordings kept out of training.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from pages import write_between

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.evaluation.shapes import Scored, accuracy, answer_shapes
from goldfish_cli.profiles import load_profile

SETS = {"training wordings": False, "held-out wordings": True}
TARGETS = {"count": 0.90, "narration": 0.90, "unanswerable": 0.90}
EASY_TARGET = 0.95
HELD_OUT_TARGET = 0.90


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="minnow")
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, default=Path(".minnow"))
    parser.add_argument("--write", type=Path, help="put the table between the marks of this file")
    parser.add_argument(
        "--folder", type=Path, help="ask about this folder of clips and questions instead"
    )
    parser.add_argument("--wrong", type=Path, help="write the wrong answers as JSON lines")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model = NativeModel.load(chosen.model, load_profile("cpu", threads=1), offline=True)
    num_frames = int(model.config.num_frames)
    results: dict[str, dict[str, tuple[float, int]]] = {}
    mistakes: list[tuple[str, Scored]] = []
    for name, folder in _folders(chosen):
        for blind in (False, True):
            began = time.monotonic()
            scored = list(answer_shapes(model, folder, num_frames=num_frames, blind=blind))
            label = f"{name}, blind" if blind else name
            results[label] = accuracy(scored)
            if not blind:
                mistakes += [(name, one) for one in scored if not one.right]
            print(f"{label}: {len(scored)} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    table, missed = _table(results)
    print(table)
    if chosen.wrong:
        lines = [
            {"set": name, "video": o.video, "family": o.family, "question": o.question,
             "reference": o.reference, "prediction": o.prediction} for name, o in mistakes
        ]  # fmt: skip
        chosen.wrong.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if chosen.write:
        write_between(
            chosen.write, "accuracy", f"{_provenance(chosen.clips, chosen.seed)}\n\n{table}"
        )
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


def _folders(chosen: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Name and folder of each set, drawn first unless one is given."""
    if chosen.folder:
        yield chosen.folder.name, chosen.folder
        return
    for name, held_out in SETS.items():
        folder = chosen.work / f"test-{name.split()[0]}-{chosen.seed}-{chosen.clips}"
        _draw(folder, chosen.clips, chosen.seed, held_out=held_out)
        yield name, folder


def _draw(folder: Path, clips: int, seed: int, *, held_out: bool) -> None:
    command = f"prep shapes --out {folder} --split test --seed {seed} --clips {clips} --images 0"
    command += " --questions 13 --max-height 480" + (" --held-out" if held_out else "")
    subprocess.run(
        [sys.executable, "-m", "goldfish_cli.cli", *command.split(), "--quiet"], check=True
    )


def _table(results: dict[str, dict[str, tuple[float, int]]]) -> tuple[str, list[str]]:
    """The results as Markdown, and what misses its target."""
    heads = list(results)
    families = list(next(iter(results.values())))
    lines = [
        f"| family | n | target | {' | '.join(heads)} |",
        "|---|---|---|" + "---|" * len(heads),
    ]
    missed = []
    for family in families:
        target = TARGETS.get(family, EASY_TARGET)
        cells = []
        for head in heads:
            value, _ = results[head].get(family, (float("nan"), 0))
            cells.append(f"{100 * value:.1f}")
            aim = HELD_OUT_TARGET * target if head.startswith("held-out") else target
            if "blind" not in head and not value >= aim:
                missed.append(f"below target: {family}, {head}: {value:.3f} < {aim:.3f}")
        n = results[heads[0]][family][1]
        lines.append(f"| {family} | {n} | {100 * target:.0f} | {' | '.join(cells)} |")
    totals = [
        sum(v * n for v, n in r.values()) / sum(n for _, n in r.values()) for r in results.values()
    ]
    total = sum(n for _, n in results[heads[0]].values())
    lines.append(f"| all | {total} |  | {' | '.join(f'{100 * t:.1f}' for t in totals)} |")
    return "\n".join(lines), missed


def _provenance(clips: int, seed: int) -> str:
    return (
        f"Exact match in percent, greedy, {clips} clips a set drawn with seed {seed}; "
        f"`python benchmarks/shapes_accuracy.py --clips {clips} --seed {seed}`, "
        f"torch {torch.__version__}, {platform.machine()}, one thread."
    )


if __name__ == "__main__":
    raise SystemExit(main())
