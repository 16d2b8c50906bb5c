"""The join of Condensed Movies keeps every clip that has a caption, and can say why not others."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.condensed_movies import ClipJoin, Tables, read_splits
from goldfish_cli.data.prepare.disk_join import DiskJoin
from goldfish_cli.data.prepare.media import find_media
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.rules import caption_rules
from goldfish_cli.errors import AnnotationError

CLIP_COLUMNS = ["videoid", "year", "title", "clip_name", "imdbid"]


def write_table(path: Path, columns: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def make_tables(
    folder: Path,
    clips: list[list[str]],
    descriptions: list[list[str]],
    durations: list[list[str]] | None = None,
    split: list[list[str]] | None = None,
) -> Tables:
    return Tables(
        write_table(folder / "clips.csv", CLIP_COLUMNS, clips),
        write_table(folder / "descriptions.csv", ["videoid", "description"], descriptions),
        write_table(folder / "durations.csv", ["videoid", "duration"], durations)
        if durations is not None
        else None,
        write_table(folder / "split.csv", ["imdbid", "split"], split)
        if split is not None
        else None,
    )


def run(tables: Tables, out: Path, **options: Any) -> tuple[list[dict[str, Any]], Account]:
    account = Account("cmd")
    join = ClipJoin(tables, **{"rules": caption_rules(), **options})
    with PreparedFile(out, account, provenance={}) as output:
        for _ in join.run(output, account):
            pass
    return json.loads(out.read_text()), account


def clip(name: str, film: str = "tt1") -> list[str]:
    return [name, "2012.0", "37", f"Scene {name}", film]


def test_a_clip_gets_its_caption_and_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    tables = make_tables(
        tmp_path,
        [clip("-a.b")],
        [["-a.b", ' He says "no". ']],
        [["-a.b", "119"], ["other", "5"]],
        [["tt1", "val"]],
    )
    items, _ = run(tables, tmp_path / "cmd.json")
    assert items == [
        {
            "image_id": "-a.b",
            "caption": 'He says "no".',
            "title": "37",
            "clip_name": "Scene -a.b",
            "year": 2012,
            "imdbid": "tt1",
            "split": "val",
            "length": 119,
        }
    ]
    (sample,) = read_annotations(tmp_path / "cmd.json")
    assert (sample.id, sample.turns) == ("-a.b", (("", 'He says "no".'),))


@pytest.mark.parametrize(
    ("text", "year"),
    [("2012.0", 2012), ("1998", 1998), ("-1.0", None), ("", None), ("1998-99", "1998-99")],
)
def test_years_are_numbers_where_they_are_years(
    tmp_path: Path, text: str, year: int | str | None
) -> None:
    tables = make_tables(tmp_path, [["a", text, "T", "S", "tt1"]], [["a", "Two words."]])
    items, _ = run(tables, tmp_path / "cmd.json")
    assert items[0]["year"] == year


JUNK = [["a", "Kip"], ["b", "//j.mp/zaccRf"], ["c", "http://t.co/x"], ["d", "..."], ["e", " "]]


def test_junk_captions_are_dropped_by_rules_that_can_be_switched_off(tmp_path: Path) -> None:
    tables = make_tables(tmp_path, [clip(n) for n in "abcdefgg"], [*JUNK, ["f", "A fish swims."]])
    items, account = run(tables, tmp_path / "cmd.json")
    assert [item["image_id"] for item in items] == ["f"]
    assert account.dropped["no-description"] == 1
    assert account.dropped["duplicate"] == 1
    assert sum(account.dropped[name] for name in ("link", "one-word", "empty")) == len(JUNK)
    items, account = run(tables, tmp_path / "cmd.json", rules=())
    assert [item["image_id"] for item in items] == ["a", "b", "c", "d", "f"]
    assert account.dropped == {"duplicate": 1, "empty": 1, "no-description": 1}
    rows = (tmp_path / "cmd.dropped.jsonl").read_text().splitlines()
    assert [json.loads(row)["row"]["videoid"] for row in rows] == ["e", "g", "g"]


def test_clips_without_a_video_are_dropped_if_there_is_a_folder_of_videos(tmp_path: Path) -> None:
    names = ("a", "-b", "../c")
    tables = make_tables(tmp_path, [clip(n) for n in names], [[n, "Two words."] for n in names])
    (tmp_path / "videos" / "2011").mkdir(parents=True)
    (tmp_path / "videos" / "2011" / "-b.mkv").touch()
    videos = find_media(tmp_path / "videos")
    items, account = run(tables, tmp_path / "cmd.json", videos=videos)
    assert [item["image_id"] for item in items] == ["-b"]
    assert account.dropped == {"missing-video": 1, "outside-folder": 1}


def test_no_film_is_in_two_splits(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "split.csv", ["imdbid", "split"], [["tt1", "train"], ["tt1", "test"]]
    )
    with pytest.raises(AnnotationError, match="puts tt1 into train and into test"):
        read_splits(path)
    write_table(path, ["imdbid", "split"], [["tt1", "training"]])
    with pytest.raises(AnnotationError, match="puts tt1 into 'training'"):
        read_splits(path)


def test_one_split_can_be_written_alone_and_films_of_none_never_are(tmp_path: Path) -> None:
    tables = make_tables(
        tmp_path,
        [clip("a", "tt1"), clip("b", "tt2"), clip("c", "tt3")],
        [[n, "Two words."] for n in "abc"],
        split=[["tt1", "train"], ["tt2", "test"]],
    )
    items, account = run(tables, tmp_path / "cmd.json", only="train")
    assert [item["image_id"] for item in items] == ["a"]
    assert account.dropped == {"no-split": 1, "other-split": 1}


IDS = st.sampled_from(["a", "-b", "1.0", "2012-01-01", "c.d", "7"])
CAPTIONS = st.sampled_from(["Two words.", "Kip", "", "http://t.co/x", 'A, "b" and\nmore'])


@given(
    clips=st.lists(IDS, max_size=8),
    descriptions=st.lists(st.tuples(IDS, CAPTIONS), max_size=8),
    durations=st.lists(st.tuples(IDS, st.just("12")), max_size=4),
)
def test_the_join_is_that_of_the_sets(
    clips: list[str],
    descriptions: list[tuple[str, str]],
    durations: list[tuple[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cmd")
    tables = make_tables(
        folder,
        [clip(n) for n in clips],
        [list(d) for d in descriptions],
        [list(d) for d in durations],
    )
    items, account = run(tables, folder / "cmd.json")
    first = dict(reversed(descriptions))
    good = {name for name, text in first.items() if " " in text}
    assert [item["image_id"] for item in items] == [n for n in dict.fromkeys(clips) if n in good]
    assert {item["image_id"] for item in items if "length" in item} == {
        item["image_id"] for item in items
    } & {name for name, _ in durations}
    assert account.num_read == len(clips) == len(items) + sum(account.dropped.values())
    before = (folder / "cmd.json").read_bytes()
    run(tables, folder / "cmd.json")
    assert (folder / "cmd.json").read_bytes() == before


@given(
    ids=st.lists(st.text(max_size=2), max_size=9),
    other=st.lists(st.tuples(st.text(max_size=2), st.text(max_size=3)), max_size=9),
)
def test_the_join_on_disk_is_a_dictionary(ids: list[str], other: list[tuple[str, str]]) -> None:
    texts = dict(reversed(other))
    with DiskJoin(ids, {"other": other}) as join:
        found = [row for row, _ in zip(join, ids, strict=False)]
        unused = join.unused()
    for number, (name, row) in enumerate(zip(ids, found, strict=True)):
        assert row == (None if name in ids[:number] else (texts.get(name),))
    assert unused == {"other": len(texts.keys() - set(ids))}


@pytest.fixture
def real(shared_folder: Path) -> Tables:
    folder = shared_folder / "data" / "condensed_movies"
    if not folder.is_dir():
        pytest.skip("the tables of the dataset are not here")
    names = ("clips", "descriptions", "durations", "split")
    return Tables(*(folder / f"{name}.csv" for name in names))


def column(path: Path | None, key: str, value: str) -> dict[str, str]:
    """Read two columns without any of Goldfish's code."""
    assert path is not None
    with path.open(newline="", encoding="utf-8") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


def test_the_real_tables_join_as_an_independent_count_says(real: Tables, tmp_path: Path) -> None:
    films = column(real.clips, "videoid", "imdbid")
    captions = column(real.descriptions, "videoid", "description")
    durations = column(real.durations, "videoid", "duration")
    splits = column(real.split, "imdbid", "split")
    items, account = run(real, tmp_path / "cmd.json")
    written = {item["image_id"]: item for item in items}
    assert account.num_read == len(films)
    assert account.dropped["no-description"] == len(films.keys() - captions.keys())
    if len(films) == 34_185:  # the whole dataset
        assert account.dropped["no-description"] == 94
    junk = films.keys() & captions.keys() - written.keys()
    assert all(" " not in captions[name].strip() for name in junk)
    assert account.num_written == len(films.keys() & captions.keys()) - len(junk)
    for name, item in written.items():
        assert item["caption"] == captions[name].strip()
        assert item["split"] == splits[films[name]]
        assert item.get("length") == (int(durations[name]) if name in durations else None)
        assert item["year"] is None or isinstance(item["year"], int)
    of_split: dict[str, set[str]] = {}
    for item in items:
        of_split.setdefault(item["split"], set()).add(item["imdbid"])
    assert of_split.keys() == {"train", "val", "test"}
    assert sum(map(len, of_split.values())) == len(set.union(*of_split.values()))
