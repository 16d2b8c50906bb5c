"""The bundled model, asked as a newcomer asks."""

import json
import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "goldfish_cli" / "assets" / "sample.mp4"
KNOWN = {
    "What happens in the video?": (
        "A red circle moves left, then a blue square grows, then a yellow star moves up."
    ),
    "What color is the square?": "blue",
    "What is the code?": "seven",
    "Which way does the star move?": "up",
    "What color is the cross?": "There is no cross.",
}


def test_minnow_answers_about_the_sample_clip_and_says_what_it_is() -> None:
    command = [sys.executable, "-m", "goldfish_cli.cli", "ask", str(SAMPLE), *KNOWN, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["question"]: one["answer"] for one in answers} == KNOWN
    assert all(one["model"] == "minnow" for one in answers)
    assert "Shapes World only" in done.stderr
    assert "--model" in done.stderr
