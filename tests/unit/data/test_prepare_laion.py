"""Folders, tars and tables of addresses become image-text shards that training reads."""

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_parts import encode, jpeg, picture, png_bomb
from web_server import LocalWeb, content, endless, in_turn, redirect, status

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.clips import ClipReader
from goldfish_cli.data.dataset import expand_source
from goldfish_cli.data.images import scan_image_tar
from goldfish_cli.data.prepare import shards as shards_module
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.image_checks import ImageRules
from goldfish_cli.data.prepare.image_sources import open_source
from goldfish_cli.data.prepare.laion import ImagePlan, open_shards, write_images
from goldfish_cli.data.prepare.shard_journal import ShardJournal
from goldfish_cli.data.prepare.web import WebLimits
from goldfish_cli.errors import AnnotationError, InputError, UsageError
from goldfish_cli.media.sampling import FramePlan
from goldfish_cli.training.recipes import load_recipe
from goldfish_cli.training.stage_data import gather

NEAR = WebLimits(allow_private=True, retries=0, timeout_s=30)
PLAN = ImagePlan(web=NEAR, shard_size=3)
GOOD = jpeg()


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    with LocalWeb() as server:
        yield server


def prepare(
    source: Path, out: Path, plan: ImagePlan = PLAN, *, workers: int = 2, **columns: str
) -> Account:
    with open_shards(open_source(source, **columns), out, plan) as shards:
        for _ in write_images(open_source(source, **columns), shards, plan, workers=workers):
            pass
    return shards.account


def captions(out: Path) -> list[str]:
    tars = sorted(out.glob("*.tar"))
    return [pair.caption for tar in tars for pair in scan_image_tar(tar)]


def dropped(out: Path) -> list[tuple[str, str]]:
    lines = (out / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [(Path(item["row"]["source"]).name, item["reason"]) for item in found]


def content_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def write_pair(folder: Path, name: str, caption: str | None = None, data: bytes = GOOD) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")


def write_table(path: Path, rows: list[tuple[str, str]], header: str = "URL,TEXT") -> Path:
    lines = [header, *(f'{url},"{caption}"' for url, caption in rows)]
    path.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Seven good pairs and one bad one of each kind."""
    root = tmp_path / "source"
    for number in range(7):
        write_pair(root, f"{number}.jpg", f"Caption {number} &amp; more.", jpeg(seed=number))
    write_pair(root, "deep/er/a.b.PNG", "In a folder.", encode(picture(), "PNG"))
    write_pair(root, "said.jpg", None)
    (root / "said.json").write_text('{"caption": "From JSON.", "url": "x"}')
    write_pair(root, "bad/bomb.png", "A bomb.", png_bomb())
    write_pair(root, "bad/cut.jpg", "Cut.", GOOD[:-500])
    write_pair(root, "bad/html.jpg", "A page.", b"<html></html>")
    write_pair(root, "bad/mute.jpg")
    write_pair(root, "bad/nothing.jpg", "Nothing.", b"")
    write_pair(root, "bad/tiny.jpg", "Tiny.", jpeg(20, 20))
    (root / "bad/orphan.txt").write_text("No picture.")
    (root / ".hidden.jpg").write_bytes(GOOD)
    (root / "readme.md").write_text("Not one of the pairs.")
    return root


def test_a_folder_becomes_shards_and_every_pair_is_accounted_for(folder, tmp_path):
    account = prepare(folder, tmp_path / "out")
    assert captions(tmp_path / "out") == [
        *(f"Caption {number} & more." for number in range(7)),
        "In a folder.",
        "From JSON.",
    ]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == [
        "00000.tar",
        "00001.tar",
        "00002.tar",
    ]
    assert dropped(tmp_path / "out") == [
        ("bomb.png", "decompression-bomb"),
        ("cut.jpg", "broken-image"),
        ("html.jpg", "not-an-image"),
        ("mute.jpg", "no-caption"),
        ("nothing.jpg", "empty-file"),
        ("orphan.txt", "no-image"),
        ("tiny.jpg", "tiny-image"),
    ]
    assert account.num_read == 16 == account.num_written + sum(account.dropped.values())
    assert not (tmp_path / "out.part").exists()


def test_the_order_and_bytes_do_not_depend_on_when_or_how_fast(folder, tmp_path):
    prepare(folder, tmp_path / "a", workers=1)
    prepare(folder, tmp_path / "b", workers=8)
    prepare(folder, tmp_path / "a", workers=8)
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_train_reads_the_shards_as_data_of_its_first_stage(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    stage = load_recipe("default", {"stage1.validation": "0"}).stage(1)
    data = gather(expand_source(str(tmp_path / "out")), None, stage, lambda rejected: None)
    reader = ClipReader(FramePlan("uniform", 4), max_words=10)
    mixture, _ = data.mixtures(reader, stage, seed=0)
    examples = [mixture[place] for place in range(len(mixture))]
    assert [example.dialogues[0][0][1] for example in examples] == captions(tmp_path / "out")
    assert {example.clip.frames[0].shape for example in examples} == {(80, 96, 3)}


def test_the_webdataset_library_reads_the_shards(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    first = next(
        iter(webdataset.WebDataset(str(tmp_path / "out" / "00000.tar"), shardshuffle=False))
    )
    assert first["__key__"].isdigit()
    assert first["jpg"] == jpeg(seed=0)  # a JPEG is kept byte for byte
    about = {"caption": "Caption 0 & more.", "source": "0.jpg", "width": 96, "height": 80}
    assert json.loads(first["json"]) == about


def test_a_limit_counts_what_is_written(folder, tmp_path):
    first = prepare(folder, tmp_path / "out", ImagePlan(limit=4, shard_size=3))
    assert first.num_written == 4
    assert captions(tmp_path / "out") == [f"Caption {number} & more." for number in range(4)]
    many = prepare(folder, tmp_path / "b", ImagePlan(limit=4, shard_size=3), workers=8)
    assert many.num_read == first.num_read


def test_img2dataset_shards_are_read_and_written_again(folder, tmp_path):
    (tmp_path / "in").mkdir()
    with webdataset.TarWriter(str(tmp_path / "in/00000.tar")) as tar:
        about = {"caption": "From JSON.", "url": "http://a.example/1.jpg", "status": "success"}
        tar.write({"__key__": "000000000", "jpg": GOOD, "txt": "From text.", "json": about})
        tar.write({"__key__": "000000001", "jpg": GOOD, "txt": "From text.", "json": {"key": "1"}})
        tar.write({"__key__": "000000002", "jpg": GOOD, "json": {"caption": None}})
        tar.write({"__key__": "000000003", "txt": "No picture."})
        tar.write({"__key__": "000000004", "webp": encode(picture(), "WEBP"), "txt": "WebP."})
    (tmp_path / "in/00000_stats.json").write_text("{}")
    pq.write_table(pa.table({"url": ["u"], "caption": ["c"]}), tmp_path / "in/00000.parquet")
    account = prepare(tmp_path / "in", tmp_path / "out")
    assert captions(tmp_path / "out") == ["From JSON.", "From text.", "WebP."]
    assert account.dropped == {"no-caption": 1, "no-image": 1}
    prepare(tmp_path / "out", tmp_path / "again")
    assert captions(tmp_path / "again") == captions(tmp_path / "out")


@pytest.mark.parametrize("form", ["parquet", "csv", "tsv", "json", "jsonl", "bare.tsv"])
def test_tables_of_addresses_are_read_in_every_form(web, tmp_path, form):
    web.serve("/a.jpg", content(jpeg(seed=1)))
    web.serve("/b.jpg", content(jpeg(seed=2)))
    rows = [(web.url("/a.jpg"), "First, of two"), (web.url("/b.jpg"), "Second")]
    path = tmp_path / f"laion.{form}"
    if form == "parquet":
        columns = {"SAMPLE_ID": [1, 2], "URL": [r[0] for r in rows], "TEXT": [r[1] for r in rows]}
        pq.write_table(pa.table(columns), path)
    elif form == "csv":
        write_table(path, rows, "url,caption")
    elif form == "tsv":
        path.write_text("caption\turl\n" + "".join(f"{text}\t{url}\n" for url, text in rows))
    elif form == "bare.tsv":  # as Conceptual Captions: no header, the caption first
        path.write_text("".join(f"{text}\t{url}\n" for url, text in rows))
    elif form == "json":
        path.write_text(json.dumps([{"url": url, "caption": text} for url, text in rows]))
    else:
        path.write_text("".join(json.dumps({"URL": url, "TEXT": t}) + "\n" for url, t in rows))
    prepare(path, tmp_path / "out")
    assert captions(tmp_path / "out") == ["First, of two", "Second"]


def test_tabs_need_no_quotes_and_may_have_them(web, tmp_path):
    url = web.serve("/a", content(GOOD))
    path = tmp_path / "t.tsv"
    path.write_text(f'{url}\t"so" he said\n{url}\t"He said ""so"""\n{url}\t5" nail\n')
    prepare(path, tmp_path / "out")
    assert captions(tmp_path / "out") == ['"so" he said', 'He said "so"', '5" nail']
    path.write_text(f"{url}\tone\n{url}\n")
    with pytest.raises(AnnotationError, match=r"Line 2 of t\.tsv has 1 columns"):
        prepare(path, tmp_path / "out")


def test_every_kind_of_bad_download_is_dropped_by_name(web, tmp_path):
    rows = [
        (web.serve("/good", content(GOOD)), "good"),
        (web.url("/missing"), "missing"),
        (web.serve("/page", content(b"<html>", Content_Type="image/jpeg")), "page"),
        (web.serve("/bomb", content(png_bomb())), "bomb"),
        (web.serve("/endless", endless), "endless"),
        (web.serve("/loop", redirect("/loop")), "loop"),
        (web.serve("/file", redirect("file:///etc/passwd")), "file"),
        (web.serve("/busy", status(429, Retry_After="9999")), "busy"),
        ("http://nobody.invalid/a.jpg", "nobody"),
        ("", "nowhere"),
        (web.url("/good"), ""),
        (web.url("/good"), "good again"),
    ]
    path = write_table(tmp_path / "t.csv", rows)
    account = prepare(
        path, tmp_path / "out", ImagePlan(web=NEAR, rules=ImageRules(max_bytes=10**6))
    )
    assert captions(tmp_path / "out") == ["good", "good again"]
    assert account.dropped == {
        "decompression-bomb": 1,
        "http-404": 1,
        "http-429": 1,
        "no-caption": 1,
        "no-such-host": 1,
        "no-url": 1,
        "not-an-image": 1,
        "not-http": 1,
        "redirect-loop": 1,
        "too-large": 1,
    }


def test_private_addresses_are_dropped_unless_allowed(web, tmp_path):
    path = write_table(tmp_path / "t.csv", [(web.serve("/a", content(GOOD)), "a")])
    with pytest.raises(InputError, match="1 private-address"):
        prepare(path, tmp_path / "out", ImagePlan())
    assert not (tmp_path / "out").exists()
    assert not web.requests


def test_a_stopped_run_continues_and_downloads_nothing_twice(web, tmp_path):
    rows = [(web.serve(f"/{n}", content(jpeg(seed=n))), f"picture {n}") for n in range(8)]
    rows.insert(2, (web.url("/missing"), "missing"))
    path = write_table(tmp_path / "t.csv", rows)
    prepare(path, tmp_path / "whole")
    web.requests.clear()
    with open_shards(open_source(path), tmp_path / "out", PLAN) as shards:
        writing = write_images(open_source(path), shards, PLAN)
        for _ in range(5):  # one whole shard, and the start of another
            next(writing)
        writing.close()
    first = dict(web.requests)
    assert not (tmp_path / "out").exists()
    account = prepare(path, tmp_path / "out")
    assert content_of(tmp_path / "out") == content_of(tmp_path / "whole")
    assert account.num_read == 9
    come_in = [f"GET /{name}" for name in (0, 1, "missing", 2, 3)]
    assert all(first[path] == web.requests[path] == 1 for path in come_in)
    assert max(web.requests.values()) <= 2  # what was under way when it was stopped


def test_failures_that_may_pass_are_tried_again_by_the_next_run(web, tmp_path):
    web.serve("/good", content(GOOD))
    web.serve("/ill", in_turn(status(503), content(GOOD)))
    rows = [(web.url("/good"), "a")] * 3 + [(web.url("/ill"), "b")] + [(web.url("/good"), "c")]
    path = write_table(tmp_path / "t.csv", rows)
    with open_shards(open_source(path), tmp_path / "out", PLAN) as shards:
        writing = write_images(open_source(path), shards, PLAN)
        for _ in range(4):
            next(writing)
        writing.close()
    assert prepare(path, tmp_path / "out").num_written == 5


def test_other_settings_do_not_continue_a_stopped_run(folder, tmp_path):
    with open_shards(open_source(folder), tmp_path / "out", PLAN) as shards:
        writing = write_images(open_source(folder), shards, PLAN)
        assert sum(next(writing) for _ in range(14)) >= 3
        writing.close()
    with pytest.raises(UsageError, match="other shard_size"):
        prepare(folder, tmp_path / "out", ImagePlan(web=NEAR, shard_size=2))
    write_pair(folder, "new.jpg", "New.")
    with pytest.raises(UsageError, match="other inputs"):
        prepare(folder, tmp_path / "out")


def test_two_runs_do_not_write_one_folder(folder, tmp_path):
    with (
        open_shards(open_source(folder), tmp_path / "out", PLAN),
        pytest.raises(InputError, match="Another process"),
    ):
        prepare(folder, tmp_path / "out")


def test_the_old_shards_stay_when_the_source_is_broken(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    before = content_of(tmp_path / "out")
    cut = tmp_path / "cut.tar"
    cut.write_bytes((tmp_path / "out/00000.tar").read_bytes()[:3000])
    with pytest.raises(AnnotationError, match="unexpected end"):
        prepare(cut, tmp_path / "out")
    empty = tmp_path / "all_bad"
    write_pair(empty, "a.jpg", "Tiny.", jpeg(20, 20))
    with pytest.raises(InputError, match="1 tiny-image"):
        prepare(empty, tmp_path / "out")
    offline = write_table(
        tmp_path / "t.csv", [(f"http://host{n}.invalid/", "a") for n in range(25)]
    )
    with pytest.raises(InputError, match="offline"):
        prepare(offline, tmp_path / "out")
    assert content_of(tmp_path / "out") == before


def test_new_shards_replace_all_of_the_old_ones(folder, tmp_path):
    prepare(folder, tmp_path / "out")
    write_pair(tmp_path / "one", "a.jpg", "Alone.")
    prepare(tmp_path / "one", tmp_path / "out")
    assert sorted(content_of(tmp_path / "out")) == ["00000.tar", "provenance.json"]
    assert captions(tmp_path / "out") == ["Alone."]


@pytest.mark.parametrize("place", range(6))  # the last four while the shards move
def test_a_run_killed_while_it_puts_the_shards_in_place_loses_nothing(
    folder, tmp_path, monkeypatch, place
):
    out = tmp_path / "out"
    prepare(folder, out)
    before = content_of(out)
    write_pair(folder, "new.jpg", "New.")
    left = place

    def dies(method):
        def step(*arguments, **options):
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            return method(*arguments, **options)

        return step

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ShardJournal, "clear", dies(ShardJournal.clear))
        patch.setattr(Path, "rename", dies(Path.rename))
        patch.setattr(shards_module.shutil, "rmtree", dies(shards_module.shutil.rmtree))
        prepare(folder, out)
    with open_shards(open_source(folder), out, PLAN):
        kept = content_of(out)
        assert kept == before or "New." in captions(out)
    account = prepare(folder, out)
    assert account.num_written == len(captions(out)) == 10
    assert not (tmp_path / "out.part").exists()


def test_a_folder_of_other_things_is_never_replaced(folder, tmp_path):
    with pytest.raises(UsageError, match="inside the source"):
        prepare(folder, folder / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="other things"):
        prepare(folder, tmp_path / "mine")
    (tmp_path / "mine").rename(tmp_path / "new.part")
    with pytest.raises(UsageError, match="other things"):
        prepare(folder, tmp_path / "new")
    (tmp_path / "tars").mkdir()
    (tmp_path / "tars" / "00000.tar").write_bytes(b"mine")
    with pytest.raises(UsageError, match="other things"):
        prepare(folder, tmp_path / "tars")
    assert (tmp_path / "tars" / "00000.tar").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["bad.parquet", "bad.tar", "bad.json", "bad.csv", "bad.xyz", "no"])
def test_broken_sources_are_errors_with_a_hint(tmp_path, name):
    if name != "no":
        (tmp_path / name).write_bytes(b"PAR1 not really \x00\x01" * 9)
    with pytest.raises(AnnotationError) as caught:
        prepare(tmp_path / name, tmp_path / "out")
    assert name in str(caught.value)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_columns_may_be_named_and_missing_ones_are_named(web, tmp_path):
    web.serve("/a", content(GOOD))
    path = write_table(tmp_path / "t.csv", [(web.url("/a"), "text")], "where,what")
    prepare(path, tmp_path / "out", url_column="where", caption_column="What")
    assert captions(tmp_path / "out") == ["text"]
    with pytest.raises(AnnotationError, match=r"no column nowhere: it has where, what"):
        prepare(path, tmp_path / "out", url_column="nowhere")


def test_without_pyarrow_parquet_says_what_to_install(tmp_path, monkeypatch):
    pq.write_table(pa.table({"url": ["u"], "caption": ["c"]}), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError) as caught:
        open_source(tmp_path / "t.parquet")
    assert "goldfish-video[parquet]" in caught.value.hint


def test_members_that_are_no_pictures_do_not_fill_the_memory(tmp_path):
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("a.jpg")
        member.size = 65 * 2**20
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    with pytest.raises(AnnotationError, match="65 MiB"):
        open_source(path)


_KINDS = st.lists(st.sampled_from(["good", "tiny", "cut", "mute", "orphan"]), max_size=12)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=_KINDS, shard_size=st.integers(1, 5), workers=st.integers(1, 3))
def test_the_account_adds_up_and_reading_back_gives_what_was_there(
    tmp_path_factory, kinds, shard_size, workers
):
    root = tmp_path_factory.mktemp("law")
    wanted = []
    (root / "in").mkdir()
    with webdataset.TarWriter(str(root / "in/a.tar")) as tar:
        for number, kind in enumerate(kinds):
            data = {"tiny": jpeg(9, 9), "cut": GOOD[:-200]}.get(kind, jpeg(seed=number))
            sample = {"__key__": f"{number}", "jpg": data, "txt": f"caption {number}"}
            if kind in {"mute", "orphan"}:
                del sample["txt" if kind == "mute" else "jpg"]
            tar.write(sample)
            wanted += [(f"caption {number}", data)] if kind == "good" else []
    plan = ImagePlan(shard_size=shard_size)
    if not wanted:
        with pytest.raises(InputError):
            prepare(root / "in", root / "out", plan, workers=workers)
        return
    account = prepare(root / "in", root / "out", plan, workers=workers)
    assert account.num_read == len(kinds)
    assert account.num_written == len(wanted)
    read = [
        sample for tar in sorted((root / "out").glob("*.tar")) for sample in read_annotations(tar)
    ]
    found = []
    for sample in read:
        with sample.media.open("rb") as file:
            file.seek(sample.region[0])
            found.append((sample.turns[0][1], file.read(sample.region[1])))
    assert found == wanted
