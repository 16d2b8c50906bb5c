"""Prepare large tables in fresh processes; CPU seconds and peak memory beside the usual script.

    python benchmarks/prep.py                  # tables of the real size and of 1,000,000 rows
    python benchmarks/prep.py --tables DIR     # clips.csv, descriptions.csv, durations.csv there
    python benchmarks/prep.py --rows 100000

CPU seconds are user plus system of the whole process; of a command, those of its --help are taken
off, of the script those of an empty one. The script is what is usually written for the job: all
rows in lists of dictionaries, then json.dump. Exits with 1 if a target is missed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REAL_CLIPS = 34_185
CPU_SECONDS_AT_MOST = 1.5
MIB_AT_MOST = 300
REPOSITORY = Path(__file__).parents[1]
WORDS = "the man in a red coat walks slowly along the street and looks at the old house"

JOIN_SCRIPT = """
import csv, json, sys
def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
clips, descriptions, durations = map(read, sys.argv[1:4])
captions = {row["videoid"]: row["description"] for row in descriptions}
lengths = {row["videoid"]: row["duration"] for row in durations}
items = []
for row in clips:
    caption = captions.get(row["videoid"])
    if caption and len(caption.split()) > 1:
        length = lengths.get(row["videoid"])
        items.append({"image_id": row["videoid"], "caption": caption, "title": row["title"],
                      "clip_name": row["clip_name"], "year": row["year"], "length": length})
with open(sys.argv[4], "w") as file:
    json.dump(items, file)
"""
CONVERT_SCRIPT = """
import csv, json, sys
with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file)) if sys.argv[1].endswith("csv") else json.load(file)
items = [{"video_id": row["video_id"], "q": row["q"], "a": row["a"]} for row in rows]
with open(sys.argv[2], "w") as file:
    json.dump(items, file)
"""


class Cost(NamedTuple):
    """What a process used."""

    cpu_seconds: float
    memory_mib: float


def run(command: list[str]) -> Cost:
    """Run a command and return what it used."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    # Its own launcher: a child begins with the memory of the process that starts it.
    code = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", code, *command]
    with Path(os.devnull).open("w") as nowhere:
        actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        child = os.posix_spawn(sys.executable, words, environment, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def goldfish(*words: object) -> Cost:
    """Run a command of Goldfish."""
    return run([sys.executable, "-m", "goldfish_cli.cli", *map(str, words), "--quiet"])


def write_clips(folder: Path, rows: int) -> tuple[Path, Path, Path]:
    """Write tables like those of Condensed Movies, the descriptions in another order."""
    folder.mkdir(exist_ok=True)
    paths = tuple(folder / f"{name}.csv" for name in ("clips", "descriptions", "durations"))
    with paths[0].open("w") as file:
        file.write("videoid,year,clip_idx,clip_tot,upload_year,title,clip_name,imdbid\n")
        for n in range(rows):
            file.write(f"-v{n:09d},2012.0,{n % 10},10,2012,Film {n // 10},Scene {n},tt{n // 10}\n")
    with paths[1].open("w") as file:
        file.write("imdbid,videoid,description\n")
        for n in reversed(range(rows)):
            file.write(f'tt{n // 10},-v{n:09d},"Scene {n}, ""{WORDS}"""\n')
    with paths[2].open("w") as file:
        file.write("videoid,duration\n")
        file.writelines(f"-v{n:09d},{n % 180}\n" for n in range(rows))
    return paths


def write_instructions(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write questions and answers as CSV and as JSON."""
    table, listing = folder / "instructions.csv", folder / "instructions.json"
    with table.open("w") as file:
        file.write("video_id,q,a\n")
        file.writelines(f'v_{n},"What, in scene {n}?",In {n} {WORDS}.\n' for n in range(rows))
    with listing.open("w") as file:
        for n in range(rows):
            item = {"video_id": f"v_{n}", "q": f"What, in scene {n}?", "a": f"In {n} {WORDS}."}
            file.write(("[" if not n else ",\n") + json.dumps(item))
        file.write("]\n")
    return table, listing


def main() -> int:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", type=Path, help="folder with the real tables")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    # The first one writes bytecode.
    start = min(goldfish("prep", "cmd", "--help").cpu_seconds for _ in range(3))
    start_script = min(run([sys.executable, "-c", ""]).cpu_seconds for _ in range(3))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.tables:
            real = tuple(
                options.tables / f"{table}.csv" for table in ("clips", "descriptions", "durations")
            )
        else:
            real = write_clips(folder / "real", REAL_CLIPS)
        print(f"{'':<34}{'goldfish':>20}{'usual script':>20}")
        what = "the clips of --tables" if options.tables else f"{REAL_CLIPS:,} clips, as published"
        in_time = _compare_joins(what, real, start, start_script)
        large = write_clips(folder / "large", options.rows)
        fits = [_compare_joins(f"{options.rows:,} clips", large, start, start_script)]
        for path in write_instructions(folder, options.rows):
            out = folder / "out.json"
            ours = goldfish("prep", "videochatgpt", path, "--out", out)
            theirs = run([sys.executable, "-c", CONVERT_SCRIPT, str(path), str(out)])
            _show(f"{options.rows:,} rows of {path.suffix[1:]}", ours, theirs, start, start_script)
            fits.append(ours)
    good = in_time.cpu_seconds - start <= CPU_SECONDS_AT_MOST and all(
        cost.memory_mib <= MIB_AT_MOST for cost in fits
    )
    print(
        f"targets: the real table in {CPU_SECONDS_AT_MOST} s, "
        f"every peak at most {MIB_AT_MOST} MiB: {'met' if good else 'MISSED'}"
    )
    return 0 if good else 1


def _compare_joins(what: str, tables: tuple[Path, ...], start: float, start_script: float) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cmd.json"
        options = zip(("--clips", "--descriptions", "--durations"), tables, strict=True)
        ours = goldfish("prep", "cmd", *(word for pair in options for word in pair), "--out", out)
        theirs = run([sys.executable, "-c", JOIN_SCRIPT, *map(str, tables), str(out)])
    _show(what, ours, theirs, start, start_script)
    return ours


def _show(what: str, ours: Cost, theirs: Cost, start: float, start_script: float) -> None:
    cells = [
        f"{cost.cpu_seconds - base:.2f} s {cost.memory_mib:5.0f} MiB"
        for cost, base in ((ours, start), (theirs, start_script))
    ]
    print(f"{what:<34}{cells[0]:>20}{cells[1]:>20}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
