"""Retrieval alone: how often the right passage is found, and how fast, by words, vectors, and both.

Run: python benchmarks/retrieval.py --descriptions descriptions.csv [--embedder hashing FOLDER]
     python benchmarks/retrieval.py --speed 1000 100000 [--embedder hashing]

The file is Condensed Movies' own: each description of two or more sentences becomes a document
without one of them, which is the query. Equal scores count as half found.
"""

import argparse
import csv
import random
import re
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from goldfish_cli.longvideo.embeddings import choose_embedder
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.retrieve import fuse, retrieve
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.vectors import VectorStore
from goldfish_cli.longvideo.words import content_stems

FILM = "f" * 32
SEED = 5
MOST_DOCUMENTS = 6000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--descriptions", type=Path)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--speed", type=int, nargs="+", default=[])
    parser.add_argument("--embedder", nargs="+", default=["hashing"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.descriptions:
        measure_quality(chosen.descriptions, chosen.queries, chosen.embedder)
    for count in chosen.speed:
        for name in chosen.embedder:
            measure_speed(count, name)


def measure_quality(path: Path, num_queries: int, embedders: list[str]) -> None:
    documents, queries = read_cases(path, num_queries)
    print(f"{len(documents)} documents, {len(queries)} held-out sentences")
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder), documents)
        lexical = [store.search_lexical(content_stems(q), limit=50) for q, _ in queries]
        show("BM25", lexical, queries)
        for name in embedders:
            embedder = choose_embedder(name, offline=True)
            vectors = VectorStore(store, embedder)
            for _ in vectors.update():
                pass
            dense = [vectors.search(query, limit=50) for query, _ in queries]
            show(name, dense, queries)
            for weight in (0.2, 0.5, 1.0):
                fused = [
                    sorted(fuse(pair, (1.0, weight)).items(), key=lambda one: -one[1])
                    for pair in zip(lexical, dense, strict=True)
                ]
                show(f"BM25 + {weight} {name}, by rank", fused, queries)
            for weight in (0.25, 0.5):
                mixed = [
                    sorted(by_score(pair, weight).items(), key=lambda one: -one[1])
                    for pair in zip(lexical, dense, strict=True)
                ]
                show(f"BM25 + {weight} {name}, by score", mixed, queries)
        store.close()


def by_score(pair, weight):
    total = {}
    for ranking, share in zip(pair, (1 - weight, weight), strict=True):
        if not ranking:
            continue
        low, high = ranking[-1][1], ranking[0][1]
        for row, score in ranking:
            total[row] = total.get(row, 0.0) + share * (score - low) / (high - low or 1.0)
    return total


def read_cases(path: Path, num_queries: int) -> tuple[list[str], list[tuple[str, int]]]:
    """Documents, and queries each with the number of its document."""
    draw = random.Random(SEED)
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["description"].strip() for row in csv.DictReader(file)]
    texts = [text for text in dict.fromkeys(texts) if text]
    texts = draw.sample(texts, min(MOST_DOCUMENTS, len(texts)))
    split = [re.split(r"(?<=[.!?])\s+", text) for text in texts]
    several = [place for place, sentences in enumerate(split) if len(sentences) > 1]
    queries = []
    for place in sorted(draw.sample(several, min(num_queries, len(several)))):
        out = draw.randrange(len(split[place]))
        queries.append((split[place].pop(out), place))
    return [" ".join(sentences) for sentences in split], queries


def fill(folder: Path, texts: list[str]) -> IndexStore:
    store = IndexStore.create_or_open(folder, wait_s=0)
    store.put_film(FilmRecord(FILM, ("/none",), 0.0, 10.0 * len(texts)))
    with store.transaction():
        for number, text in enumerate(texts):
            store.put_clip(FILM, ClipRecord(number, 10.0 * number, 10.0 * number + 10, text))
    return store


def show(name: str, rankings: list, queries: list[tuple[str, int]]) -> None:
    rows = [recall(rankings, queries, limit) for limit in (1, 5, 10)]
    name = name.replace(str(Path(name).parent) + "/", "")
    print(f"{name:40} R@1 {rows[0]:.3f}  R@5 {rows[1]:.3f}  R@10 {rows[2]:.3f}")


def recall(rankings: list, queries: list[tuple[str, int]], limit: int) -> float:
    """Share found among the first; a document tied with others gets its fair share."""
    found = 0.0
    for ranking, (_, place) in zip(rankings, queries, strict=True):
        scores = dict(ranking)
        mine = scores.get(place + 1)  # row numbers count from 1
        if mine is None:
            continue
        above = sum(score > mine + 1e-9 for score in scores.values())
        tied = sum(abs(score - mine) <= 1e-9 for score in scores.values())
        found += min(1.0, max(0.0, (limit - above) / tied))
    return found / len(queries)


def measure_speed(count: int, name: str) -> None:
    draw = random.Random(SEED)
    kinds = [f"{a} {b}" for a in WORDS[:40] for b in WORDS[40:]]
    texts = [
        f"A {draw.choice(kinds)} {draw.choice(WORDS)}s the {draw.choice(kinds)}, then a "
        f"{draw.choice(kinds)} {draw.choice(WORDS)}s near {draw.choice(WORDS)} {number % 977}."
        for number in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder), texts)
        embedder = choose_embedder(name, offline=True)
        vectors = VectorStore(store, embedder) if embedder else None
        began = time.perf_counter()
        for _ in vectors.update() if vectors else ():
            pass
        built = time.perf_counter() - began
        store.close()
        size = sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file())
        times, exact = [], []
        with IndexStore.read(Path(folder)) as reader:
            vectors = VectorStore(reader, embedder) if embedder else None
            for _ in range(50):
                query = f"When does the {draw.choice(kinds)} {draw.choice(WORDS)}?"
                began = time.perf_counter()
                retrieve(reader, query, vectors=vectors)
                times.append(time.perf_counter() - began)
                if vectors:
                    exact.append(recall_at_10(vectors, embedder, query, texts))
        told = f", recall@10 of exact {statistics.mean(exact):.3f}" if exact else ""
        print(
            f"{count} clips, {name}: first {times[0] * 1e3:.0f} ms, median "
            f"{statistics.median(times) * 1e3:.1f} ms, longest {max(times) * 1e3:.0f} ms{told}; "
            f"vectors made in {built:.1f} s, {size / 2**20:.0f} MiB"
        )


def recall_at_10(vectors, embedder, query: str, texts: list[str]) -> float:
    """Of the ten nearest of all, by brute force over the texts, the share that was found."""
    if not hasattr(recall_at_10, "kept") or recall_at_10.kept[0] != len(texts):
        recall_at_10.kept = len(texts), embedder.encode(texts, "passage")
    scores = recall_at_10.kept[1] @ embedder.encode([query], "query")[0]
    tenth = np.sort(scores)[-10]
    found = [row - 1 for row, _ in vectors.search(query, limit=10)]
    return sum(scores[place] >= tenth - 1e-6 for place in found) / 10


_WORDS = """
    red green blue old young tall small quiet loud broken golden silver wooden stone paper glass
    angry happy tired lost early late warm cold bright dark heavy light round square narrow wide
    fast slow sharp soft clean dirty empty full man woman child dog cat horse bird fish car
    train  boat plane house tower bridge river forest garden market kitchen office letter book
    phone  knife lamp mirror window door table chair coat hat shoe ring coin map flag drum piano
    guitar
"""
WORDS = _WORDS.split()


if __name__ == "__main__":
    main()
