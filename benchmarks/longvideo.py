"""Films of Shapes World: how often longask is right, beside other ways to answer.

Run: python benchmarks/longvideo.py --films FOLDER... [--model minnow] [--write docs/longvideo.md]
Each folder is one that `goldfish prep shapes --films N --film-minutes M` made.

Beside longask stand: the published procedure (clips of 80 s, three documents, text alone), the
whole film seen in as many frames as the model takes, and the question alone (blind).
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import torch
from pages import write_between

from goldfish_cli.backends.base import GenerationSettings, Turn, drain
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.evaluation.films import (
    FILM_ORDER,
    FilmItem,
    FilmScore,
    read_film_items,
    score,
    share_pointing,
    share_right,
)
from goldfish_cli.evaluation.metrics.retrieval import temporal_iou
from goldfish_cli.longvideo.answers import LongAnswer
from goldfish_cli.longvideo.coordinator import Coordinator
from goldfish_cli.longvideo.embeddings import HashingEmbedder
from goldfish_cli.longvideo.indexer import IndexPlan, index_film
from goldfish_cli.longvideo.looking import Looker
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.reference import CLIP_SECONDS, SUMMARY_PROMPT, answer_as_reference
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.vectors import VectorStore
from goldfish_cli.media.cutting import Cutting
from goldfish_cli.media.sampling import FramePlan, sample_frames
from goldfish_cli.profiles import Profile, load_profile

Results = dict[str, list[FilmScore]]
TARGETS = {"needle": 95, "order": 90, "count": 90, "narration": 95, "absent": 95}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=Path, nargs="+", required=True)
    parser.add_argument("--model", default="minnow")
    parser.add_argument("--index", default="index", help="name of the index in each folder")
    parser.add_argument("--alone", action="store_true", help="longask only")
    parser.add_argument("--wrong", type=Path, help="write the wrong answers as JSON lines")
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this file")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    profile = load_profile("cpu", threads=1)
    model = NativeModel.load(chosen.model, profile, offline=True)
    text = "\n\n".join(
        measure(folder, model, profile, chosen.index, alone=chosen.alone, wrong=chosen.wrong)
        for folder in chosen.films
    )
    print(text)
    if chosen.write:
        write_between(chosen.write, "films", text)
    return 0


def measure(
    folder: Path,
    model: NativeModel,
    profile: Profile,
    name: str,
    *,
    alone: bool,
    wrong: Path | None,
) -> str:
    items = read_film_items(folder)
    index = folder / name
    cutting = Cutting(None)
    plan = IndexPlan(cutting, model.num_frames(profile), "Describe the video.")
    spent, length = fill(index, model, profile, plan, folder)
    with IndexStore.read(index) as store:
        records = map(json.loads, (folder / "films.jsonl").read_text().splitlines())
        told = [diagnosis(store, record) for record in records]
        answers = list(ask_all(store, model, profile, items))
        results = {"longask": scores_of(items, answers)}
        seconds = [answer.seconds for answer in answers]
    results |= {} if alone else baselines(folder, model, profile, items)
    changed = counterfactual(index, model, profile, items, results["longask"])
    if wrong:
        write_wrong(wrong, results["longask"])
    size = sum(one.stat().st_size for one in index.rglob("*") if one.is_file())
    notes = [
        f"{len({item.video for item in items})} film(s), {length / 60:.0f} minutes in all, "
        f"{len(items)} questions. {' '.join(told)}",
        f"Index: {spent / length * 3600:.0f} CPU s and {size / 2**20 / length * 3600:.1f} MiB an "
        f"hour of film. Questions: median {sorted(seconds)[len(seconds) // 2]:.2f} s, longest "
        f"{max(seconds):.2f} s, the model loaded.",
        f"Of the right answers with true spans, {share_pointing(results['longask']):.1%} cite each "
        "of them (IoU > 0.3). With the cited clips taken out of the index, "
        f"{changed:.1%} of the right answers change or are refused.",
    ]
    return "\n\n".join([table(results), *notes])


def fill(
    index: Path, model: NativeModel, profile: Profile, plan: IndexPlan, folder: Path
) -> tuple[float, float]:
    """Index all films of a folder; CPU seconds used for it, and the films' seconds."""
    noted = index.with_name(index.name + ".json")
    began, length, new = time.process_time(), 0.0, 0
    with IndexStore.create_or_open(index, wait_s=None) as store:
        for path in sorted((folder / "films").glob("*.mp4")):
            done = drain(index_film(store, model, path, plan, profile))
            length, new = length + done.duration, new + done.new
        for _ in VectorStore(store, HashingEmbedder()).update():
            pass
    spent = time.process_time() - began
    if new:
        noted.write_text(json.dumps(spent))
    return json.loads(noted.read_text()), length


def ask_all(
    store: IndexStore, model: NativeModel, profile: Profile, items: list[FilmItem]
) -> Iterator[LongAnswer]:
    vectors = VectorStore(store, HashingEmbedder())
    coordinator = Coordinator(store, Looker(lambda: model, profile), vectors=vectors)
    films = {Path(film.name).stem: film for film in store.films()}
    for item in items:
        yield coordinator.answer(item.question, [films[item.video]])


def scores_of(items: list[FilmItem], answers: list[LongAnswer]) -> list[FilmScore]:
    return [
        score(
            item,
            answer.answer,
            [(one.start, one.end) for one in answer.citations if one.supported],
        )
        for item, answer in zip(items, answers, strict=True)
    ]


def baselines(folder: Path, model: NativeModel, profile: Profile, items: list[FilmItem]) -> Results:
    index = folder / "index-reference"
    plan = IndexPlan(Cutting(CLIP_SECONDS, snap=0.0), model.num_frames(profile), SUMMARY_PROMPT)
    fill(index, model, profile, plan, folder)
    with IndexStore.read(index) as store:
        films = {Path(film.name).stem: film for film in store.films()}
        reference = [
            answer_as_reference(
                store, model, profile, HashingEmbedder(), item.question, [films[item.video]]
            ).answer
            for item in items
        ]
    seen: dict[str, object] = {}
    settings = GenerationSettings(max_new_tokens=64)

    def look(item: FilmItem) -> str:
        if item.video not in seen:
            path = folder / "films" / f"{item.video}.mp4"
            plan = FramePlan("uniform", model.num_frames(profile))
            seen[item.video] = model.encode(sample_frames(path, plan, prepare=model.shrink))
        return answer_of(seen[item.video], item)

    def answer_of(video: object, item: FilmItem) -> str:
        captions = [""] * len(video.times)  # type: ignore[attr-defined]
        return drain(model.stream(video, captions, [Turn(item.question)], settings)).text.strip()

    nothing = model.encode(())
    return {
        "published procedure": plain(items, reference),
        "whole film, uniform": plain(items, [look(item) for item in items]),
        "blind": plain(items, [answer_of(nothing, item) for item in items]),
    }


def plain(items: list[FilmItem], answers: list[str]) -> list[FilmScore]:
    return [score(item, answer) for item, answer in zip(items, answers, strict=True)]


def counterfactual(
    index: Path,
    model: NativeModel,
    profile: Profile,
    items: list[FilmItem],
    scores: list[FilmScore],
) -> float:
    """Take the cited clips of each right answer out of the index, ask again, compare."""
    told = [one for one in zip(items, scores, strict=True) if one[1].right and one[1].cited]
    changed = 0
    with TemporaryDirectory() as folder:
        copy = Path(copytree(index, Path(folder) / "index"))
        for item, before in told:
            with IndexStore.create_or_open(copy, wait_s=0) as store:
                film = next(one for one in store.films() if Path(one.name).stem == item.video)
                taken = [
                    clip
                    for clip in store.clips(film.id)
                    if any(clip.start < end and start < clip.end for start, end in before.cited)
                ]
                for clip in taken:
                    store.put_clip(film.id, replace(clip, summary="", cues=()))
                coordinator = Coordinator(store, Looker(lambda: model, profile))
                after = coordinator.answer(item.question, [film])
                changed += after.answer != before.answer or not after.is_supported
                for clip in taken:
                    store.put_clip(film.id, clip)
    return changed / len(told) if told else 0.0


def table(results: Results) -> str:
    shares = {name: share_right(scores) for name, scores in results.items()}
    lines = [
        f"| family | n | target | {' | '.join(results)} |",
        "|---|---|---|" + "---|" * len(results),
    ]
    for family in FILM_ORDER:
        if family in shares["longask"]:
            cells = " | ".join(f"{100 * share[family][0]:.1f}" for share in shares.values())
            count = shares["longask"][family][1]
            lines.append(f"| {family} | {count} | {TARGETS.get(family, '')} | {cells} |")
    return "\n".join(lines)


def write_wrong(path: Path, scores: list[FilmScore]) -> None:
    lines = [
        {"q": one.item.question, "a": one.item.answer, "spans": one.item.spans,
         "family": one.item.family, "answer": one.answer, "cited": one.cited, "right": one.right}
        for one in scores if not (one.right and one.points_there)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def diagnosis(store: IndexStore, record: dict) -> str:
    """How far the index is from the truth: borders, and summaries of clips found whole."""
    (film,) = store.find_film(record["id"] + ".mp4")
    clips: list[ClipRecord] = store.clips(film.id)
    whole = right = 0
    for truth in record["clips"]:
        span = truth["start"], truth["end"]
        best = max(clips, key=lambda one: temporal_iou((one.start, one.end), span))
        if temporal_iou((best.start, best.end), span) < 0.8:
            continue
        whole += 1
        told = [f"a {e['colour']} {e['shape']} {e['action']}" for e in truth["events"]]
        caption = (" while " if truth["relation"] == "while" else ", then ").join(told)
        right += best.summary.lower().rstrip(".") == caption
    total = len(record["clips"])
    return (
        f"{record['id']}: {len(clips)} clips for {total}; {whole / total:.1%} found whole, "
        f"of these {right / max(1, whole):.1%} told exactly."
    )


if __name__ == "__main__":
    raise SystemExit(main())
