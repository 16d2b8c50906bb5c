"""A drawing of Shapes World that is killed leaves nobody drawing on."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def test_workers_end_when_who_started_them_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "goldfish_cli.cli", "prep", "shapes", "--quiet"]
    command += ["--out", str(tmp_path / "shapes"), "--clips", "400", "--workers", "2"]
    drawing = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: any((tmp_path / "shapes" / "videos").glob("*.mp4")))
    workers = psutil.Process(drawing.pid).children(recursive=True)
    assert len(workers) >= 2
    drawing.kill()
    drawing.wait()
    wait_for(lambda: not any(worker.is_running() for worker in workers))


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)
