"""Draw how minnow learnt: pre-training and the three stages, from the logs of `make minnow`.

Run: python benchmarks/minnow_curves.py --work .minnow --write docs/minnow.png
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

PRE_TRAINING = {
    "encoder.jsonl": (
        "vision encoder",
        {"patches": "object patches right", "frames": "whole frames right"},
    ),
    "language_model.jsonl": (
        "language model on storyboards",
        {"answers_right": "answers right", "action_loss": "action loss"},
    ),
}
STAGES = ("stage1_image_align", "stage2_video_pretrain", "stage3_video_instruct_final")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".minnow"))
    parser.add_argument("--write", type=Path, default=Path("docs/minnow.png"))
    chosen = parser.parse_args()
    parts = [name for name in PRE_TRAINING if (chosen.work / name).exists()]
    width = 1 + 4 * (len(parts) + 1)
    figure, axes = plt.subplots(1, len(parts) + 1, figsize=(width, 3.6), constrained_layout=True)
    for panel, name in zip(axes, parts, strict=False):  # an encoder may be from an earlier run
        title, keys = PRE_TRAINING[name]
        _draw(panel, _read(chosen.work / name), keys)
        panel.set(title=title, xlabel="step")
    for stage in STAGES:
        log = [
            line
            for line in _read(chosen.work / "runs" / stage / "train_log.jsonl")
            if "loss" in line
        ]
        axes[-1].plot([line["step"] for line in log], [line["loss"] for line in log], label=stage)
    axes[-1].set(title="goldfish train: loss", xlabel="step", yscale="log")
    axes[-1].legend(fontsize=8)
    figure.savefig(chosen.write, dpi=110)


def _read(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _draw(axis: plt.Axes, lines: list[dict[str, float]], names: dict[str, str]) -> None:
    for key, label in names.items():
        axis.plot([line["step"] for line in lines], [line[key] for line in lines], label=label)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    main()
