"""Films of Shapes World: how often longask is right, beside other ways to answer.

Run: python benchmarks/longvideo.py --films FOLDER [--model minnow]
The folder is one that `goldfish prep shapes --films N --film-minutes M` made.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import IndexFolderError
from goldfish_cli.evaluation.films import (
    FilmItem,
    overlap,
    read_film_items,
    score,
    share_pointing,
    share_right,
)
from goldfish_cli.longvideo.coordinator import Budget, Coordinator
from goldfish_cli.longvideo.indexer import IndexPlan, index_film
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.cutting import Cutting
from goldfish_cli.profiles import load_profile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=Path, required=True)
    parser.add_argument("--model", default="minnow")
    parser.add_argument("--index", type=Path, help="default: FOLDER/index")
    parser.add_argument("--wrong", type=Path, help="write the wrong answers as JSON lines")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    profile = load_profile("cpu", threads=1)
    model = NativeModel.load(chosen.model, profile, offline=True)
    plan = IndexPlan(Cutting(None), model.num_frames(profile), "Describe the video.")
    index = chosen.index or chosen.films / "index"
    items = read_film_items(chosen.films)
    names = sorted({item.video for item in items})
    with IndexStore.create_or_open(index, wait_s=None) as store:
        for name in names:
            began = time.process_time()
            work = index_film(store, model, chosen.films / "films" / f"{name}.mp4", plan, profile)
            for _ in work:
                pass
            print(f"{name}: {time.process_time() - began:.0f} CPU s", file=sys.stderr)
    with IndexStore.read(index) as store:
        for record in map(json.loads, (chosen.films / "films.jsonl").read_text().splitlines()):
            print(diagnosis(store, record), file=sys.stderr)
        scores = list(ask_all(store, model, profile, items))
    for family, (right, count) in share_right(scores).items():
        print(f"{family:10} {right:6.1%}  of {count}")
    print(f"citations  {share_pointing(scores):6.1%}")
    if chosen.wrong:
        lines = [
            {"q": one.item.question, "a": one.item.answer, "spans": one.item.spans,
             "family": one.item.family, "answer": one.answer, "cited": one.cited,
             "right": one.right} for one in scores if not (one.right and (one.points_there))
        ]  # fmt: skip
        chosen.wrong.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return 0


def ask_all(store, model, profile, items: list[FilmItem]):
    looker = Looker(lambda: model, profile)
    coordinator = Coordinator(store, looker, budget=Budget())
    films = {Path(film.name).stem: film for film in store.films()}
    for item in items:
        answer = coordinator.answer(item.question, [films[item.video]])
        cited = [(one.start, one.end) for one in answer.citations if one.supported]
        yield score(item, answer.answer, cited)


def diagnosis(store: IndexStore, record: dict) -> str:
    """How far the index is from the truth: borders, and summaries of clips found whole."""
    found = store.find_film(record["id"] + ".mp4")
    if not found:
        raise IndexFolderError(f"{record['id']} is not in the index.")
    clips: list[ClipRecord] = store.clips(found[0].id)
    whole = right = 0
    for truth in record["clips"]:
        best = max(
            clips, key=lambda one: overlap((one.start, one.end), (truth["start"], truth["end"]))
        )
        if overlap((best.start, best.end), (truth["start"], truth["end"])) < 0.8:
            continue
        whole += 1
        told = [f"a {e['colour']} {e['shape']} {e['action']}" for e in truth["events"]]
        caption = (" while " if truth["relation"] == "while" else ", then ").join(told)
        right += best.summary.lower().rstrip(".") == caption
    total = len(record["clips"])
    return (
        f"{record['id']}: {len(clips)} clips for {total}; {whole / total:.1%} found whole, "
        f"of these {right / max(1, whole):.1%} told exactly"
    )


if __name__ == "__main__":
    raise SystemExit(main())
