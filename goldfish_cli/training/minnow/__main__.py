"""Make minnow: ``python -m goldfish_cli.training.minnow --work DIR``; finished steps are kept."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from goldfish_cli.model.loader import MINNOW_FOLDER
from goldfish_cli.training.minnow.recipe import STEPS, make_asset

log = logging.getLogger(__name__)


def main() -> None:
    """Run one step, or all that are not yet done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".minnow"), help="where it all goes")
    parser.add_argument("--steps", choices=list(STEPS), nargs="+", help="only these")
    parser.add_argument(
        "--seconds", type=float, help="with --steps encoder or language-model: at most so long"
    )
    parser.add_argument("--out", type=Path, default=MINNOW_FOLDER, help="where minnow goes")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(1)  # two steps run side by side on two cores
    chosen.work.mkdir(parents=True, exist_ok=True)
    if chosen.steps:
        if hasattr(os, "nice"):
            os.nice(5)  # the encoder gives way to the language model: data are drawn after it
        for step in chosen.steps:
            _run(step, chosen.work, seconds=chosen.seconds)
        return
    began = time.monotonic()
    _run("tokenizer", chosen.work)
    this = "goldfish_cli.training.minnow"
    beside = subprocess.Popen(
        [sys.executable, "-m", this, "--work", str(chosen.work), "--steps", "encoder"]
    )
    _run("language-model", chosen.work)
    _run("data", chosen.work)
    if beside.wait():
        raise SystemExit("The encoder's pre-training failed; see above.")
    for step in ("base", "stages"):
        _run(step, chosen.work)
    make_asset(chosen.work, chosen.out)
    log.info("minnow is in %s after %.0f minutes", chosen.out, (time.monotonic() - began) / 60)


def _run(step: str, work: Path, seconds: float | None = None) -> None:
    """Do a step unless its result is there; pre-training for ``seconds`` at most."""
    make, result = STEPS[step]
    if (work / result).exists():
        log.info("%s is there already", step)
        return
    began = time.monotonic()
    options = {} if seconds is None else {"seconds": seconds}
    make(work, **options)
    log.info("%s took %.0f s", step, time.monotonic() - began)


if __name__ == "__main__":
    main()
