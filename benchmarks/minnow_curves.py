"""Draw how minnow learnt: pre-training and the three stages, from the logs of `make minnow`.

Run: python benchmarks/minnow_curves.py --work .minnow --write docs/minnow.png
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

STAGES = ("stage1_image_align", "stage2_video_pretrain", "stage3_video_instruct_final")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".minnow"))
    parser.add_argument("--write", type=Path, default=Path("docs/minnow.png"))
    chosen = parser.parse_args()
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), constrained_layout=True)
    encoder = _read(chosen.work / "encoder.jsonl")
    _draw(axes[0], encoder, {"patches": "object patches right", "frames": "whole frames right"})
    axes[0].set(title="vision encoder", xlabel="step")
    language = _read(chosen.work / "language_model.jsonl")
    _draw(axes[1], language, {"answers_right": "answers right", "action_loss": "action loss"})
    axes[1].set(title="language model on storyboards", xlabel="step")
    for stage in STAGES:
        log = [
            line
            for line in _read(chosen.work / "runs" / stage / "train_log.jsonl")
            if "loss" in line
        ]
        axes[2].plot([line["step"] for line in log], [line["loss"] for line in log], label=stage)
    axes[2].set(title="goldfish train: loss", xlabel="step", yscale="log")
    axes[2].legend(fontsize=8)
    figure.savefig(chosen.write, dpi=110)


def _read(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _draw(axis: plt.Axes, lines: list[dict[str, float]], names: dict[str, str]) -> None:
    for key, label in names.items():
        axis.plot([line["step"] for line in lines], [line[key] for line in lines], label=label)
    axis.legend(fontsize=8)


if __name__ == "__main__":
    main()
