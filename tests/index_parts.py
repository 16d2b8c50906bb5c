"""Films and clips for tests of an index: small, and each tells which it is."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldfish_cli.longvideo.records import Chapter, ClipRecord, FilmRecord
from goldfish_cli.media.cues import Cue

NOBODY = 65534


def film(identity: str = "f00dcafe", *, clips: int = 3, name: str = "cat.mp4") -> FilmRecord:
    return FilmRecord(
        identity,
        (f"/films/{name}",),
        5.0,
        10.0 * clips,
        subtitles="cat.srt",
        language="en",
        settings={"clip_seconds": 10.0, "overlap": 0.0, "model": "minnow"},
        borders_key="b",
        summary="A cat & a star.",
        chapters=(Chapter(5.0, 15.0, "The cat; #1 = <best>", "It sits."),),
    )


def clip(number: int, summary: str = "A green star grows.", *said: str) -> ClipRecord:
    start = 5.0 + 10.0 * number
    cues = tuple(Cue(start + i, start + i + 1.5, text) for i, text in enumerate(said))
    return ClipRecord(number, start, start + 10.0, summary, cues, key=f"k{number}")


@contextlib.contextmanager
def unwritable_copy(folder: Path) -> Iterator[Path]:
    """Copy a folder to where we can read but make nothing, even if the tests run as root."""
    if os.name != "posix":
        pytest.skip("needs permissions of POSIX")
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        copy = Path(shutil.copytree(folder, Path(parent) / folder.name))
        for file in copy.iterdir():
            file.chmod(0o444)
        copy.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield copy
        finally:
            os.seteuid(user)
            copy.chmod(0o755)
