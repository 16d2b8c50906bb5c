import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_parts import clip, film

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo import archive
from goldfish_cli.longvideo.portable import export_chapters, export_index, import_index
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.upkeep import verify
from goldfish_cli.media.subtitle_files import read_subtitle_file

OTHER = replace(film("beef", name="Ünicode 学校.mp4"), chapters=(), settings={"x": None, "y": 0.1})


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    with IndexStore.create_or_open(tmp_path / "from", wait_s=0) as store:
        fill(store)
        assert export_index(store, None, tmp_path / "films.zip") == ["f00dcafe", "beef"]
    return tmp_path / "films.zip"


def fill(store: IndexStore) -> None:
    for one in (film(), OTHER):
        store.put_film(one)
    for number in range(3):
        vector = np.arange(4, dtype=np.float16) / (number + 3)
        store.put_clip(
            "f00dcafe", clip(number, "A star.", "Hi!\nYou."), visual=vector, thumbnail=b"\xff\xd8"
        )
    store.put_clip("beef", replace(clip(0), failed="broken", start=5.1, end=10 + 1 / 3))


def content(store: IndexStore) -> list[object]:
    return [
        (
            one, store.clips(one.id), store.passages(one.id), store.visuals(one.id)[0],
            store.visuals(one.id)[1].tolist(),
            [store.thumbnail(one.id, number) for number in store.thumbnail_numbers(one.id)],
        )
        for one in store.films()
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path):
    with IndexStore.create_or_open(tmp_path / "into", wait_s=0) as opened:
        yield opened


def test_films_answer_in_another_index_as_in_their_own(
    exported: Path, store: IndexStore, tmp_path: Path
) -> None:
    said: list[str] = []
    done = import_index(store, exported, said.append)
    assert done.added == ("f00dcafe", "beef") and not done.replaced and not done.skipped
    assert said[0] == "cat.mp4: added (3 clips)."
    with IndexStore.read(tmp_path / "from") as source:
        assert content(store) == content(source)
        hits = store.search_lexical(["star"])
        assert [score for _, score in hits] == [s for _, s in source.search_lexical(["star"])]
    assert verify(store) == []


def test_one_film_can_be_exported_and_an_unknown_one_cannot(
    exported: Path, store: IndexStore, tmp_path: Path
) -> None:
    with IndexStore.read(tmp_path / "from") as source:
        assert export_index(source, ["beef"], tmp_path / "one.zip") == ["beef"]
        with pytest.raises(IndexFolderError, match="cafe is not in the index"):
            export_index(source, ["cafe"], tmp_path / "none.zip")
        with pytest.raises(IndexFolderError, match="cannot be written"):
            export_index(source, None, tmp_path / "missing" / "none.zip")
    assert import_index(store, tmp_path / "one.zip").added == ("beef",)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "films.zip", "from", "into", "one.zip",
    ]  # fmt: skip


def test_the_same_films_are_skipped_and_different_ones_replaced(
    exported: Path, store: IndexStore
) -> None:
    import_index(store, exported)
    store.put_film(replace(film(), paths=("/here/cat.mp4",)))
    before = store.state()
    assert import_index(store, exported).skipped == ("f00dcafe", "beef")
    assert store.state() == before
    store.put_clip("f00dcafe", clip(1, "Something else."))
    store.put_clip("f00dcafe", clip(3))
    done = import_index(store, exported)
    assert done.replaced == ("f00dcafe",) and done.skipped == ("beef",)
    assert [one.summary for one in store.clips("f00dcafe")] == ["A star."] * 3
    known = store.film("f00dcafe")
    assert known is not None and known.paths == ("/films/cat.mp4", "/here/cat.mp4")
    assert store.film("f00dcafe") != film() and verify(store) == []


def test_an_empty_index_makes_a_file_and_comes_back(store: IndexStore, tmp_path: Path) -> None:
    assert export_index(store, None, tmp_path / "empty.zip") == []
    assert import_index(store, tmp_path / "empty.zip").added == ()


def test_visual_features_are_read_by_numpy_alone(exported: Path) -> None:
    with zipfile.ZipFile(exported) as members:
        arrays = np.load(io.BytesIO(members.read("visuals.npz")))
    assert arrays["0.numbers"].tolist() == [0, 1, 2] and arrays["0.vectors"].shape == (3, 4)
    assert arrays["1.numbers"].tolist() == [] and arrays["1.vectors"].shape == (0, 0)


Members = dict[str, bytes]


def forge(path: Path, change: Callable[[Members], None], *, sign: bool = True) -> Path:
    """Change an export as somebody would who knows the format; ``sign``: with new hashes."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    manifest = json.loads(members.pop("manifest.json"))
    forged = path.with_name("forged.zip")
    with zipfile.ZipFile(forged, "w", zipfile.ZIP_DEFLATED) as new:
        if sign:
            writer = archive.ArchiveWriter(new)
            for name, data in members.items():
                writer.add(name, data)
            writer.finish()
        else:
            for name, data in members.items():
                new.writestr(name, data)
            new.writestr("manifest.json", json.dumps(manifest))
    return forged


def packed_npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def absurd_npz() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as arrays:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<i8", "fortran_order": False, "shape": (10**15,)}
        )
        arrays.writestr("0.numbers.npy", header.getvalue())
    return file.getvalue()


def second_half_of(name: str) -> Callable[[Members], None]:
    return lambda members: members.update({name: members[name][len(members[name]) // 2 :]})


@pytest.mark.parametrize(
    ("change", "sign", "message"),
    [
        (second_half_of("clips.jsonl"), False, "is not what the manifest says"),
        (lambda m: m.update({"extra.txt": b"hello"}), False, "not both in the file"),
        (lambda m: m.pop("thumbnails/0/1.jpg"), False, "not both in the file"),
        (lambda m: m.update({"../../evil": b"hello"}), True, "has no place"),
        (lambda m: m.update({"visuals.npz": b"0" * (64 << 20)}), True, "absurd size"),
        (lambda m: m.update({"visuals.npz": absurd_npz()}), True, "is not what it says"),
        (lambda m: m.update({"visuals.npz": packed_npz(a=np.zeros(9))}), True, "packed"),
        (lambda m: m.update({"visuals.npz": b"junk"}), True, "not a zip file"),
        (lambda m: m.pop("visuals.npz"), True, "visuals.npz is missing"),
        (second_half_of("clips.jsonl"), True, "JSON"),
        (lambda m: m.update({"films.jsonl": m["films.jsonl"] * 2}), True, "exactly once"),
        (lambda m: m.update({"clips.jsonl": m["clips.jsonl"] * 2}), True, "out of place"),
        (lambda m: m.update({"films.jsonl": b'{"id": "x"}\n'}), True, "paths: Field required"),
    ],
)
def test_damaged_and_hostile_files_are_refused_and_nothing_is_taken(
    exported: Path,
    store: IndexStore,
    change: Callable[[Members], None],
    sign: bool,
    message: str,
) -> None:
    forged = forge(exported, change, sign=sign)
    with pytest.raises(IndexFolderError, match=message):
        import_index(store, forged)
    assert store.films() == []


def test_cut_foreign_newer_and_missing_files_are_refused(
    exported: Path, store: IndexStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = exported.read_bytes()
    for position in (0, 100, len(whole) // 2, len(whole) - 10):
        exported.write_bytes(whole[:position])
        with pytest.raises(IndexFolderError, match="not a whole exported index"):
            import_index(store, exported)
    for position in range(40, len(whole), 97):  # a flipped byte is found, or changes nothing
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        exported.write_bytes(flipped)
        try:
            import_index(store, exported)
        except IndexFolderError:
            assert store.films() == []
        else:
            store.remove_film("f00dcafe"), store.remove_film("beef")
    with zipfile.ZipFile(exported, "w") as foreign:
        foreign.writestr("readme.txt", "hello")
    with pytest.raises(IndexFolderError, match="has no manifest"):
        import_index(store, exported)
    with pytest.raises(IndexFolderError, match="There is no file"):
        import_index(store, tmp_path / "missing.zip")
    monkeypatch.setattr(archive, "FORMAT", 2)
    export_index(store, None, exported)
    monkeypatch.setattr(archive, "FORMAT", 1)
    with pytest.raises(IndexFolderError, match="format 2"):
        import_index(store, exported)


def test_chapters_are_written_for_players_pages_and_ffmpeg(tmp_path: Path) -> None:
    vtt = export_chapters(film(), "vtt")
    assert vtt == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:10.000\nThe cat; #1 = &lt;best&gt;\n"
    )  # the film's clock begins at 5 s
    (tmp_path / "chapters.vtt").write_text(vtt)
    (cue,) = read_subtitle_file(tmp_path / "chapters.vtt").cues
    assert (cue.start, cue.end, cue.text) == (0.0, 10.0, "The cat; #1 = <best>")
    assert json.loads(export_chapters(film(), "json")) == {
        "version": "1.2.0",
        "chapters": [{"startTime": 0.0, "endTime": 10.0, "title": "The cat; #1 = <best>"}],
    }
    assert export_chapters(film(), "ffmetadata") == (
        ";FFMETADATA1\n\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=10000\n"
        "title=The cat\\; \\#1 \\= <best>\n"
    )
    assert export_chapters(OTHER, "vtt") == "WEBVTT\n"
