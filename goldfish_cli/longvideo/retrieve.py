"""Hybrid retrieval: passages by their words, their meaning and their clips' looks, ranks fused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from goldfish_cli.longvideo.records import Match
from goldfish_cli.longvideo.vectors import VectorStore
from goldfish_cli.longvideo.view import IndexView
from goldfish_cli.longvideo.visuals import PictureSearch, Place, spread
from goldfish_cli.longvideo.words import content_stems, stems

RANK_CONSTANT = 60
"""Of reciprocal rank fusion (Cormack et al. 2009)."""
CANDIDATES = 50
MOST_A_CLIP = 2
NEIGHBOUR_SHARE = 0.1
"""Of a passage's score, what the clips beside it add to theirs."""

Ranking = Sequence[tuple[int, float]]


def retrieve(
    store: IndexView,
    query: str,
    *,
    vectors: VectorStore | None = None,
    pictures: PictureSearch | None = None,
    films: Sequence[str] | None = None,
    limit: int = 10,
) -> list[Match]:
    """Find the passages that a question is likeliest about, the best first.

    Args:
        store: The index, open to read.
        query: A question, in any words.
        vectors: Its vectors; ``None``: words alone decide.
        pictures: Finds clips by their looks; ``None``: text alone decides.
        films: Ids of the films to look in; ``None``: all.
        limit: Passages at most; no more than two of one clip, none twice in the same words.
    """
    terms = content_stems(query) or stems(query)
    rankings: dict[str, Ranking] = {
        "lexical": store.search_lexical(terms, films=films, limit=CANDIDATES)
    }
    if vectors is not None:
        rows = None if films is None else store.passage_rows(films)
        rankings["dense"] = vectors.search(query, rows=rows, films=films, limit=CANDIDATES)
    weights = [1.0, *([vectors.weight] if vectors else [])]
    if pictures is not None:
        shown = pictures.search(query, films=films, limit=CANDIDATES)
        rankings["visual"] = _rows_of(store, shown)
        weights.append(pictures.weight)
    scores = fuse(rankings.values(), weights)
    passages = store.passages_by_row(scores)
    places: dict[tuple[str, int], float] = defaultdict(float)
    for row, passage in passages.items():
        place = passage.film, passage.clip
        places[place] = max(places[place], scores[row])
    parts = {name: dict(ranking) for name, ranking in rankings.items()}
    matches = [
        Match(
            passage,
            scores[row]
            + NEIGHBOUR_SHARE
            * max(places.get((passage.film, passage.clip + step), 0.0) for step in (-1, 1)),
            {name: found[row] for name, found in parts.items() if row in found},
        )
        for row, passage in passages.items()
    ]
    matches.sort(key=lambda one: (-one.score, one.passage.film, one.passage.start))
    return spread(store, _varied(matches), limit)


def fuse(rankings: Iterable[Ranking], weights: Sequence[float]) -> dict[int, float]:
    """Add up the weighted reciprocal ranks of each row; rows with the same score share a rank."""
    scores: dict[int, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights, strict=True):
        rank, before = 0, None
        for place, (row, score) in enumerate(ranking, start=1):
            if score != before:
                rank, before = place, score
            scores[row] += weight / (RANK_CONSTANT + rank)
    return dict(scores)


def _rows_of(store: IndexView, places: Sequence[tuple[Place, float]]) -> Ranking:
    """The passages that stand for clips: what is seen in them, else what is said."""
    scores = dict(places)
    ranking = []
    for place, rows in store.rows_of_clips(scores).items():
        ranking += [(row, scores[place]) for row in rows]
    return sorted(ranking, key=lambda one: (-one[1], one[0]))


def _varied(matches: Sequence[Match]) -> list[Match]:
    """Leave out what repeats a better match, or crowds its clip."""
    kept: list[Match] = []
    told: set[tuple[str, str]] = set()
    crowd: Counter[tuple[str, int]] = Counter()
    for match in matches:
        passage = match.passage
        words = passage.film, " ".join(stems(passage.text))
        clip = passage.film, passage.clip
        if words in told or crowd[clip] >= MOST_A_CLIP:
            continue
        told.add(words)
        crowd[clip] += 1
        kept.append(match)
    return kept
