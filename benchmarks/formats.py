"""Read 16 frames of every file in some folders; print what came of it, by codec and container.

    python benchmarks/formats.py FOLDER... > table.md

Every file must give frames or a clear refusal within 20 s; otherwise the script exits with 1. Names
of files are not printed.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from goldfish_cli.errors import VideoError
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.media.video import probe

NUM_FRAMES = 16
LIMIT_S = 20.0


@dataclass(frozen=True)
class Outcome:
    """What came of one file."""

    codec: str
    container: str
    num_frames: int
    seconds: float
    cpu_seconds: float
    notes: tuple[str, ...]
    refused: bool


def try_file(path: Path) -> Outcome:
    """Probe and sample one file. Anything but frames or a ``VideoError`` ends the script."""
    begin, cpu_begin = time.monotonic(), time.process_time()
    codec, container, count, refused = "unknown", path.suffix.lower().lstrip("."), 0, False
    notes: list[str] = []
    try:
        info = probe(path, timeout_s=LIMIT_S)
        codec, container = info.codec, info.container
        notes.extend(info.notes)
        plan = FramePlan("uniform", NUM_FRAMES)
        left = LIMIT_S - (time.monotonic() - begin)
        count = len(sample_frames(path, plan, info=info, timeout_s=left, notes=notes))
    except VideoError as error:
        refused = True
        notes.append(f"refused: {error}".replace(path.name, "the file"))
    seconds, cpu_seconds = time.monotonic() - begin, time.process_time() - cpu_begin
    return Outcome(codec, container, count, seconds, cpu_seconds, tuple(notes), refused)


def table(outcomes: Iterable[Outcome]) -> str:
    """One row for each codec in each container."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.codec, outcome.container].append(outcome)
    rows = [
        "| codec | container | files | read | refused | frames | most CPU, s | what was odd |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (codec, container), group in sorted(groups.items()):
        refused = sum(outcome.refused for outcome in group)
        counts = sorted({outcome.num_frames for outcome in group if not outcome.refused})
        spread = f"{counts[0]}-{counts[-1]}" if len(counts) > 1 else "".join(map(str, counts))
        odd = Counter(note for outcome in group for note in outcome.notes)
        said = " ".join(f"{note} ({n})" if n > 1 else note for note, n in odd.most_common())
        most = max(outcome.cpu_seconds for outcome in group)
        rows.append(
            f"| {codec} | {container} | {len(group)} | {len(group) - refused} | {refused} | "
            f"{spread} | {most:.2f} | {said.replace('|', '/')} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    given = parser.parse_args()
    files = [
        path for folder in given.folders for path in sorted(folder.rglob("*")) if path.is_file()
    ]
    outcomes = [try_file(path) for path in files]
    print(table(outcomes))
    late = [outcome for outcome in outcomes if outcome.seconds > LIMIT_S]
    read = sum(not outcome.refused for outcome in outcomes)
    slowest = max((outcome.seconds for outcome in outcomes), default=0.0)
    print(
        f"\n{len(files)} files: {read} read, {len(files) - read} refused, {len(late)} over "
        f"{LIMIT_S:g} s; the slowest took {slowest:.1f} s."
    )
    sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
