"""An index looked over: what is wrong with it, what can go, how big it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo import rows
from goldfish_cli.longvideo.clock import clock
from goldfish_cli.longvideo.looking import locate
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.terms import index_text
from goldfish_cli.longvideo.view import IndexView

SLACK_S = 1.0
"""What neighbouring clips may be off by: their edges are moved to shots and pauses."""
DERIVED = ("passages", "visuals", "thumbnails")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that an index takes."""

    total: int
    """All files of the folder."""
    database: int
    """``index.sqlite`` and its journal."""
    text: int
    """Of these: summaries and subtitles as they are, without what makes them quick to search."""
    visuals: int
    thumbnails: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What :func:`collect_garbage` did."""

    dropped: dict[str, int]
    """Rows that belonged to no clip, by table."""
    reworded: int
    """Passages whose search terms were those of another version."""
    before: Sizes
    after: Sizes


def verify(store: IndexView) -> list[str]:
    """Look for everything that an index should never be, and say it in words, one a line.

    An index open to read is compared with its full-text search by row numbers only; one open to
    write, word by word.
    """
    faults = [fault for (fault,) in store.query("PRAGMA quick_check") if fault != "ok"]
    if faults:  # what follows could not be read
        return [f"The database is damaged: {fault}." for fault in faults]
    problems: list[str] = []
    for film in store.films():
        clips = store.clips(film.id)
        problems += [f"{film.name}: {one}" for one in _film_problems(store, film, clips)]
    for table in DERIVED:
        if count := store.query(f"SELECT count(*) {_orphans(table)}")[0][0]:
            problems.append(f"{count} {table} belong to no clip.")
    return [*problems, *_search_problems(store)]


def remarks(store: IndexView) -> list[str]:
    """Say what is worth knowing and no fault: sources that are gone, clips that failed."""
    found = []
    for film in store.films():
        if locate(film) is None:
            why = (
                "another file has the name" if Path(film.paths[-1]).exists() else "nothing is there"
            )
            found.append(
                f"{film.name} is not at {film.paths[-1]} ({why}); questions are answered from the"
                " index alone."
            )
        if not film.complete:
            found.append(f"{film.name} is indexed to {store.coverage(film.id):.0%} only.")
        if failed := [clip for clip in store.clips(film.id) if clip.failed]:
            times = ", ".join(clock(clip.start) for clip in failed[:5])
            found.append(f"{film.name}: {len(failed)} clips could not be read, at {times}.")
    return found


def collect_garbage(store: IndexStore) -> Collected:
    """Drop what belongs to no clip, renew outdated search terms, give free space back."""
    before = sizes(store)
    with store.transaction():
        dropped = {table: store.execute(f"DELETE {_orphans(table)}") for table in DERIVED}
        outdated = list(_outdated_terms(store))
        for row, terms in outdated:
            store.execute("UPDATE passages SET terms = ? WHERE id = ?", terms, row)
        # Also where it was out of step: it is made anew from the terms alone.
        store.execute("INSERT INTO passages_fts (passages_fts) VALUES ('rebuild')")
        if dropped["passages"] or outdated:
            store.count_change()
    store.tidy()
    return Collected(dropped, len(outdated), before, sizes(store))


def sizes(store: IndexView) -> Sizes:
    """Measure an index in bytes."""
    files = {path: path.stat().st_size for path in store.folder.rglob("*") if path.is_file()}
    text = (
        "SELECT coalesce(sum(length(CAST(summary AS BLOB)) + length(CAST(cues AS BLOB))), 0)"
        " FROM clips"
    )
    return Sizes(
        total=sum(files.values()),
        database=sum(size for path, size in files.items() if path.name.startswith("index.sqlite")),
        text=store.query(text)[0][0],
        visuals=store.query("SELECT coalesce(sum(length(vector)), 0) FROM visuals")[0][0],
        thumbnails=store.query("SELECT coalesce(sum(length(jpeg)), 0) FROM thumbnails")[0][0],
    )


def _film_problems(store: IndexView, film: FilmRecord, clips: list[ClipRecord]) -> Iterator[str]:
    numbers = {clip.number for clip in clips}
    last = max(numbers, default=-1)
    for number in sorted(set(range(last + 1)) - numbers):
        yield f"clip {number} is missing."
    overlap = film.settings.get("overlap") or 0.0
    most = SLACK_S + (float(overlap) if isinstance(overlap, int | float) else 0.0)
    for before, clip in pairwise(clips):
        step = clip.start - before.end
        if clip.number == before.number + 1 and not -most <= step <= SLACK_S:
            what = "a gap" if step > 0 else "an overlap"
            yield f"{what} of {abs(step):.1f} s between clips {before.number} and {clip.number}."
    for clip in clips:
        if clip.end <= clip.start:
            yield f"clip {clip.number} ends before it begins."
    if film.complete and (reached := clips[-1].end if clips else film.start) < film.end - SLACK_S:
        yield f"it counts as complete, but its clips end at {clock(reached)}."
    if film.complete and clips and clips[0].start > film.start + SLACK_S:
        yield f"it counts as complete, but its clips begin at {clock(clips[0].start)}."
    expected = [one for clip in clips for one in rows.passages_in(film.id, clip)]
    passages = store.passages(film.id)
    if sorted(map(repr, passages)) != sorted(map(repr, expected)):
        yield f"{len(passages)} passages are not the {len(expected)} of its clips."
    for one in passages:
        if one.end < one.start or one.start > film.end + SLACK_S or one.end < film.start - SLACK_S:
            times = f"{one.start:.1f}-{one.end:.1f} s"
            yield f"a passage of clip {one.clip} lies outside the film, at {times}."


def _search_problems(store: IndexView) -> Iterator[str]:
    advice = "goldfish index gc sets it right."
    listed = {row for (row,) in store.query("SELECT id FROM passages_fts_docsize")}
    if listed != set(store.passage_rows()):
        yield f"The full-text search does not list the passages that are there; {advice}"
    elif isinstance(store, IndexStore) and store.is_writable and not _search_agrees(store):
        yield f"The full-text search does not hold the words of the passages; {advice}"
    if count := sum(1 for _ in _outdated_terms(store)):
        yield f"{count} passages have the search terms of another version; {advice}"


def _search_agrees(store: IndexStore) -> bool:
    try:  # rank 1: compare with the passages too, not only the search's own parts
        store.execute("INSERT INTO passages_fts (passages_fts, rank) VALUES ('integrity-check', 1)")
    except IndexFolderError:
        return False
    return True


def _outdated_terms(store: IndexView) -> Iterator[tuple[int, str]]:
    for row, text, stored in store.query("SELECT id, text, terms FROM passages"):
        if (terms := index_text(text)) != stored:
            yield row, terms


def _orphans(table: str) -> str:
    number = "clip" if table == "passages" else "number"
    return (
        f"FROM {table} WHERE NOT EXISTS (SELECT 1 FROM clips"
        f" WHERE clips.film = {table}.film AND clips.number = {table}.{number})"
    )
