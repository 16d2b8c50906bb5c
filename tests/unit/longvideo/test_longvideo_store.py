import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_parts import clip, film, unwritable_copy

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo import schema
from goldfish_cli.longvideo.rows import passages_in
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.terms import COMMON_PASSAGES, index_text
from goldfish_cli.longvideo.upkeep import verify


@pytest.fixture
def store(tmp_path: Path):
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as opened:
        opened.put_film(film())
        yield opened


def found(store: IndexStore, *terms: str, **restriction) -> list[str]:
    rows = [row for row, _ in store.search_lexical(list(terms), **restriction)]
    return [passage.text for passage in store.passages_of(rows)]


def test_films_and_clips_come_back_as_they_were_put(store: IndexStore) -> None:
    clips = [clip(0, "A cat.", "Hello,\nyou!"), replace(clip(1, ""), failed="broken"), clip(2)]
    for one in reversed(clips):
        store.put_clip("f00dcafe", one)
    assert store.films() == [film()]
    assert store.film("f00dcafe") == film()
    assert store.film("unknown") is None
    assert store.clips("f00dcafe") == clips
    assert store.clip("f00dcafe", 1) == clips[1]
    assert store.clip("f00dcafe", 3) is None
    assert store.borders("f00dcafe") == [(5.0, 15.0), (15.0, 25.0), (25.0, 35.0)]


def test_a_summary_is_a_passage_with_the_clips_span_and_a_cue_one_with_its_own(
    store: IndexStore,
) -> None:
    store.put_clip("f00dcafe", clip(0, "A cat.", "Hello,\nyou!", " "))
    seen, said = store.passages("f00dcafe")
    assert (seen.kind, seen.start, seen.end, seen.text) == ("seen", 5.0, 15.0, "A cat.")
    assert (said.kind, said.start, said.end, said.text) == ("said", 5.0, 6.5, "Hello, you!")
    assert store.passages("f00dcafe", "said") == [said]
    assert store.count_passages() == 2


def test_a_clip_put_again_replaces_its_passages_and_their_rows_are_never_reused(
    store: IndexStore,
) -> None:
    store.put_clip("f00dcafe", clip(0, "A cat.", "Hello!"))
    old = store.passage_rows()
    store.put_clip("f00dcafe", clip(0, "A dog."))
    assert [one.text for one in store.passages("f00dcafe")] == ["A dog."]
    assert not found(store, "cat") and found(store, "dog") == ["A dog."]
    assert not set(old) & set(store.passage_rows())
    assert not store.passages_by_row(old)
    with pytest.raises(IndexFolderError, match="no longer in the index"):
        store.passages_of(old)


def test_the_state_changes_with_films_and_passages_only(store: IndexStore) -> None:
    states = [store.state()]
    store.put_clip("f00dcafe", clip(0))
    states.append(store.state())
    store.put_film(replace(film(), complete=True))
    states.append(store.state())
    store.drop_clips_from("f00dcafe", 0)
    states.append(store.state())
    store.remove_film("f00dcafe")
    states.append(store.state())
    assert len(set(states)) == 5
    store.put_film(film())
    store.put_clip("f00dcafe", clip(0))
    last = store.state()
    store.put_film(film())
    store.put_clip("f00dcafe", clip(0))
    store.put_visual("f00dcafe", 0, np.zeros(4, np.float16))
    store.set_meta("embedder", "none")
    assert store.state() == last


def test_a_film_is_found_by_path_name_stem_and_beginning_of_its_id(store: IndexStore) -> None:
    other = film("f00dbeef", name="other/cat.mp4")
    store.put_film(other)
    assert store.find_film("/films/cat.mp4") == [film()]
    assert store.find_film("/films/other/../cat.mp4") == [film()]
    assert store.find_film("cat.mp4") == [film(), other]
    assert store.find_film("cat") == [film(), other]
    assert store.find_film("f00db") == [other]
    assert store.find_film("f00d") == [film(), other]
    assert store.find_film("f00") == store.find_film("dog") == store.find_film("~nobody/\0") == []


def test_dropped_and_removed_clips_leave_nothing_behind(store: IndexStore) -> None:
    for number in range(3):
        store.put_clip(
            "f00dcafe", clip(number), visual=np.ones(4, np.float16), thumbnail=b"\xff\xd8jpeg"
        )
    store.drop_clips_from("f00dcafe", 1)
    assert [one.number for one in store.clips("f00dcafe")] == [0]
    assert store.visuals("f00dcafe")[0] == store.thumbnail_numbers("f00dcafe") == [0]
    assert store.count_passages() == 1
    store.remove_film("f00dcafe")
    assert store.films() == [] and store.count_passages() == 0 and not found(store, "star")
    assert store.thumbnail("f00dcafe", 0) is None
    assert verify(store) == []


def test_visual_features_keep_their_values_and_one_size(store: IndexStore) -> None:
    assert store.visuals("f00dcafe")[1].shape == (0, 0)
    vectors = np.arange(8, dtype=np.float16).reshape(2, 4) / 3
    for number in (1, 0):
        store.put_visual("f00dcafe", number, vectors[number])
    numbers, matrix = store.visuals("f00dcafe")
    assert numbers == [0, 1] and matrix.dtype == np.float16
    np.testing.assert_array_equal(matrix, vectors)
    store.put_visual("f00dcafe", 2, np.ones(3, np.float16))
    assert store.visuals("f00dcafe")[0] == [2]


def test_coverage_is_the_union_of_the_clips_that_could_be_read(store: IndexStore) -> None:
    assert store.coverage("f00dcafe") == store.coverage("unknown") == 0.0
    store.put_clip("f00dcafe", replace(clip(0), end=20.0))
    assert store.coverage("f00dcafe") == pytest.approx(0.5)
    store.put_clip("f00dcafe", clip(1))
    assert store.coverage("f00dcafe") == pytest.approx(2 / 3)
    store.put_clip("f00dcafe", replace(clip(2), failed="broken"))
    assert store.coverage("f00dcafe") == pytest.approx(2 / 3)
    store.put_clip("f00dcafe", replace(clip(2), end=99.0))
    assert store.coverage("f00dcafe") == 1.0


def test_a_transaction_that_fails_leaves_everything_as_it_was(store: IndexStore) -> None:
    store.put_clip("f00dcafe", clip(0))
    before = store.state()
    with pytest.raises(KeyError), store.transaction():
        store.put_clip("f00dcafe", clip(0, "Gone."))
        store.put_clip("f00dcafe", clip(1))
        raise KeyError
    assert store.state() == before and store.clips("f00dcafe") == [clip(0)]
    with pytest.raises(sqlite3.IntegrityError):
        store.put_clip("unknown", clip(0))
    assert verify(store) == []


def test_search_finds_forms_scripts_and_compatibility_characters(store: IndexStore) -> None:
    texts = [
        "The star GREW quickly.",
        "今日は学校へ行く。",
        "Ｆｕｌｌ ｗｉｄｔｈ café",  # noqa: RUF001
        "Early, early.",
        "สวัสดีชาวโลก",
    ]
    store.put_clip("f00dcafe", clip(0, "", *texts))
    for terms, text in (
        (["growing"], texts[0]), (["stars"], texts[0]), (["学校"], texts[1]), (["行"], texts[1]),
        (["full"], texts[2]), (["CAFE"], texts[2]), (["early"], texts[3]), (["earli"], texts[3]),
        (["ชาว"], texts[4]),
    ):  # fmt: skip
        assert found(store, *terms) == [text], terms
    assert found(store, "校学") == found(store, "ear") == []
    assert store.document_frequency("grown") == 1 and store.document_frequency("cat") == 0


def test_apostrophes_and_quotes_of_any_kind_find_each_other(store: IndexStore) -> None:
    store.put_clip("f00dcafe", clip(0, "", "Don’t go to Anna's."))  # noqa: RUF001
    for term in ("don't", "DON’T", "anna", "Anna’s"):  # noqa: RUF001
        assert len(found(store, term)) == 1, term
        assert store.document_frequency(term) == 1


def test_scores_fall_ties_go_by_row_and_restrictions_hold(store: IndexStore) -> None:
    store.put_film(film("beef", name="b.mp4"))
    for identity in ("f00dcafe", "beef"):
        for number in range(3):
            store.put_clip(identity, clip(number, f"star {'star ' * number}end", "a star"))
    hits = store.search_lexical(["star"])
    assert len(hits) == 12 and hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
    assert all(score > 0 for _, score in hits)
    within = store.passages_of(
        [row for row, _ in store.search_lexical(["star"], films=["beef"], between=(16, 17))]
    )
    assert {(one.film, one.clip) for one in within} == {("beef", 1)} and len(within) == 2
    assert len(store.search_lexical(["star"], limit=5)) == 5
    assert store.search_lexical(["star"], films=[]) == store.search_lexical([]) == []
    assert store.search_lexical(["star"], limit=0) == []


def test_common_terms_are_left_out_of_large_indexes_unless_nothing_remains(
    store: IndexStore,
) -> None:
    said = ["the star"] * COMMON_PASSAGES + ["the cat"] * 10
    store.put_clip("f00dcafe", clip(0, "", *said))
    assert store.telling_terms(["the", "star", "cat"]) == ["star", "cat"]
    assert set(found(store, "the", "cat")) == {"the cat"}
    assert store.telling_terms(["the"]) == ["the"] and len(found(store, "the")) == 50
    assert store.telling_terms(["the", "unicorn"]) == ["the", "unicorn"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.text(), st.text("\"'*^:(){}+-ANDORNEAR \0")), max_size=6))
def test_no_query_is_ever_syntax(store: IndexStore, terms: list[str]) -> None:
    store.put_clip("f00dcafe", clip(0, "and or not near star"))
    store.search_lexical(terms)
    store.search_lexical([*terms, "star"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("abcé ñ'’_9学校カ한ไท", min_size=1, max_size=30))  # noqa: RUF001
def test_a_text_is_found_by_each_of_its_words(store: IndexStore, text: str) -> None:
    store.put_clip("f00dcafe", clip(0, text))
    for word in text.split():
        if index_text(word):
            assert found(store, word) == [text.strip()]
    assert verify(store) == []


def test_readers_see_the_index_as_it_was_when_they_opened_it(store: IndexStore) -> None:
    store.put_clip("f00dcafe", clip(0))
    with IndexStore.read(store.folder) as reader:
        store.put_clip("f00dcafe", clip(1))
        assert len(reader.clips("f00dcafe")) == 1 and not reader.is_writable
        with pytest.raises(RuntimeError):
            reader.put_clip("f00dcafe", clip(2))
        assert verify(reader) == []
    with IndexStore.read(store.folder) as reader:
        assert reader.clips("f00dcafe") == [clip(0), clip(1)]
        assert reader.state() == store.state()
        assert reader.search_lexical(["star"]) == store.search_lexical(["star"])


def test_a_folder_in_which_nothing_can_be_made_is_still_read(tmp_path: Path) -> None:
    folder = tmp_path / "odd # name?%20"
    with IndexStore.create_or_open(folder, wait_s=0) as store:
        store.put_film(film())
        store.put_clip("f00dcafe", clip(0))
    with unwritable_copy(folder) as copy, IndexStore.read(copy) as reader:
        assert reader.clips("f00dcafe") == [clip(0)]
        assert len(reader.search_lexical(["star"])) == 1


def test_meta_is_kept_and_apart_from_our_own(store: IndexStore) -> None:
    assert store.meta("embedder") is store.meta("identity") is store.meta("changes") is None
    store.set_meta("embedder", "hash")
    store.set_meta("embedder", "bm25")
    assert store.meta("embedder") == "bm25"


def test_a_missing_index_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / schema.DATABASE).touch()
    for name in ("missing", "empty", "begun"):
        with pytest.raises(IndexFolderError) as error:
            IndexStore.read(tmp_path / name)
        assert f"goldfish index VIDEO --index {tmp_path / name}" in error.value.hint
    assert not (tmp_path / "missing").exists()


def test_damaged_foreign_and_newer_databases_are_refused(tmp_path: Path) -> None:
    for name, damage, message in (
        ("junk", lambda path: path.write_bytes(b"no database" * 999), "damaged"),
        ("cut", lambda path: path.write_bytes(path.read_bytes()[:9000]), "damaged"),
        ("newer", lambda path: alter(path, "PRAGMA user_version = 99"), "format 99"),
        ("foreign", lambda path: alter(path, "PRAGMA application_id = 1"), "not an index of ours"),
    ):
        with IndexStore.create_or_open(tmp_path / name, wait_s=0) as store:
            store.put_film(film())
        damage(tmp_path / name / schema.DATABASE)
        with pytest.raises(IndexFolderError, match=message):
            IndexStore.read(tmp_path / name).films()
        with pytest.raises(IndexFolderError, match=message):
            IndexStore.create_or_open(tmp_path / name, wait_s=0).films()


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()


WRITER = """
import sys
from pathlib import Path
from goldfish_cli.longvideo.records import ClipRecord, FilmRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.media.cues import Cue
with IndexStore.create_or_open(Path(sys.argv[1]), wait_s=5) as store:
    store.put_film(FilmRecord("beef", ("/b.mp4",), 0.0, 1e6))
    for number in range(len(store.clips("beef")), 10**6):
        cues = tuple(Cue(number * 9.0 + i, number * 9.0 + i + 1, f"cue {i}") for i in range(9))
        clip = ClipRecord(number, number * 9.0, number * 9.0 + 9, f"clip {number}", cues)
        store.put_clip("beef", clip, thumbnail=b"jpeg" * 2000)
        print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_clips_only(tmp_path: Path) -> None:
    chance, told = random.Random(5), -1
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = writer.stdout.readline()
        assert int(first) > told
        time.sleep(chance.random() * 0.08)
        writer.kill()
        told = [int(line) for line in (first + writer.stdout.read()).splitlines()][-1]
        writer.wait()
        with IndexStore.read(tmp_path) as store:
            clips = store.clips("beef")
            assert [one.number for one in clips] == list(range(len(clips)))
            assert len(clips) in (told + 1, told + 2)  # what was told is there
            assert store.passages("beef") == [x for one in clips for x in passages_in("beef", one)]
            assert store.thumbnail_numbers("beef") == list(range(len(clips)))
    with IndexStore.create_or_open(tmp_path, wait_s=0) as store:
        assert verify(store) == []
