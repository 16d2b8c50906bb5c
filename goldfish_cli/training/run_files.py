"""What the files in the folder of a training stage are called, and how its log is read.

Knows no torch: runs can be looked at without loading what trained them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDERS = {
    1: "stage1_image_align",
    2: "stage2_video_pretrain",
    3: "stage3_video_instruct_final",
}
LOG_NAME = "train_log.jsonl"
SETTINGS = "recipe.yaml"
SUMMARY = "run.json"


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a training log; none if there is no log."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # cut off when the run was killed
            continue
