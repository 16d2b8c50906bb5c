from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_parts import clip, film

from goldfish_cli.longvideo.records import FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.upkeep import collect_garbage, remarks, sizes, verify
from goldfish_cli.media.cues import Cue


@pytest.fixture
def store(tmp_path: Path):
    with IndexStore.create_or_open(tmp_path, wait_s=0) as opened:
        opened.put_film(replace(film(), complete=True))
        for number in range(3):
            opened.put_clip("f00dcafe", clip(number, "A star.", "Hi!"), thumbnail=b"j" * 1000)
        yield opened


def test_a_sound_index_has_no_problems_and_a_missing_source_is_a_remark(
    store: IndexStore, tmp_path: Path
) -> None:
    assert verify(store) == []
    assert (
        len(remarks(store)) == 1
        and "is not at /films/cat.mp4 (nothing is there)" in remarks(store)[0]
    )
    store.put_clip("f00dcafe", replace(clip(1), failed="broken"))
    assert remarks(store)[1:] == ["cat.mp4: 1 clips could not be read, at 0:15."]
    store.put_film(replace(film(), complete=False))
    assert any("indexed to" in one for one in remarks(store))
    here = tmp_path / "other.mp4"
    here.write_bytes(b"another film")
    store.put_film(replace(film(), paths=(str(here),), complete=True))
    assert "another file has the name" in remarks(store)[0]
    with IndexStore.read(tmp_path) as reader:
        assert verify(reader) == []


@pytest.mark.parametrize(
    ("number", "changes", "problem"),
    [
        (1, {"end": 20.0}, "a gap of 5.0 s between clips 1 and 2"),
        (1, {"end": 30.0}, "an overlap of 5.0 s between clips 1 and 2"),
        (1, {"end": 3.0}, "clip 1 ends before it begins"),
        (2, {"end": 28.0}, "its clips end at 0:28"),
        (0, {"start": 9.0}, "its clips begin at 0:09"),
        (1, {"cues": (Cue(99.0, 100.0, "Late."),)}, "outside the film, at 99.0-100.0 s"),
    ],
)
def test_spans_that_cannot_be_are_told(
    store: IndexStore, number: int, changes: dict[str, float], problem: str
) -> None:
    store.put_clip("f00dcafe", replace(clip(number), **changes))
    assert any(problem in one for one in verify(store))


def test_overlap_that_was_asked_for_is_no_problem(store: IndexStore) -> None:
    store.put_film(replace(film(), settings={"overlap": 5.0}))
    store.put_clip("f00dcafe", replace(clip(1), end=30.0))
    assert verify(store) == []


def test_missing_clips_and_lost_or_invented_passages_are_told(store: IndexStore) -> None:
    store.execute("DELETE FROM clips WHERE number = 1")
    problems = verify(store)
    assert "cat.mp4: clip 1 is missing." in problems
    assert "2 passages belong to no clip." in problems
    assert "1 thumbnails belong to no clip." in problems
    store.execute("DELETE FROM passages WHERE clip = 2 AND kind = 'said'")
    assert any("3 passages" not in one and "are not the 4" in one for one in verify(store))


def test_a_search_out_of_step_is_told_and_set_right(store: IndexStore, tmp_path: Path) -> None:
    store.execute("INSERT INTO passages_fts (rowid, terms) VALUES (99, 'ghost')")
    with IndexStore.read(tmp_path) as reader:
        assert any("does not list the passages" in one for one in verify(reader))
    assert any("gc sets it right" in one for one in verify(store))
    collect_garbage(store)
    assert verify(store) == []
    last = store.passage_rows()[-1]
    store.execute(
        "INSERT INTO passages_fts (passages_fts, rowid, terms) VALUES ('delete', ?, 'star')", last
    )
    store.execute("INSERT INTO passages_fts (rowid, terms) VALUES (?, 'star')", last)
    assert any("does not hold the words" in one for one in verify(store))
    collect_garbage(store)
    assert verify(store) == []


def test_search_terms_of_another_version_are_told_and_renewed(store: IndexStore) -> None:
    store.execute("UPDATE passages SET terms = 'sterne' WHERE kind = 'seen'")
    assert store.search_lexical(["star"]) == []
    assert any("3 passages have the search terms of another" in one for one in verify(store))
    before = store.state()
    assert collect_garbage(store).reworded == 3
    assert len(store.search_lexical(["star"])) == 3
    assert store.state() != before and verify(store) == []


def test_garbage_is_dropped_and_its_space_given_back(store: IndexStore) -> None:
    store.put_visual("f00dcafe", 77, np.ones(2000, np.float16))
    store.put_thumbnail("f00dcafe", 77, b"j" * 500_000)
    state = store.state()
    assert sizes(store).thumbnails == 503_000 and sizes(store).visuals == 4000
    done = collect_garbage(store)
    assert done.dropped == {"passages": 0, "visuals": 1, "thumbnails": 1}
    assert done.before.total - done.after.total > 400_000
    assert done.after.thumbnails == 3000 and done.after.visuals == 0
    assert done.after.database <= done.after.total and done.after.text > 0
    assert store.state() == state and len(store.clips("f00dcafe")) == 3 and verify(store) == []


def test_a_film_without_clips_is_sound_until_it_counts_as_complete(store: IndexStore) -> None:
    store.put_film(FilmRecord("beef", ("/b.mp4",), 0.0, 60.0))
    assert verify(store) == []
    store.put_film(FilmRecord("beef", ("/b.mp4",), 0.0, 60.0, complete=True))
    assert verify(store) == ["b.mp4: it counts as complete, but its clips end at 0:00."]
