"""Annotation files of every accepted form become samples; wrong ones say which item is wrong."""

import io
import json
from pathlib import Path

import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.images import decode_image, read_image_bytes
from goldfish_cli.data.media_folder import MediaFolder
from goldfish_cli.errors import AnnotationError


@pytest.fixture
def folder(tmp_path):
    for name in (
        "a.mp4",
        "b.c.mp4",
        "d.webm",
        "e.jpg",
        "a.srt",
        "b.c.en.vtt",
        "b.c.de.vtt",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, content, name="data.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_captions_have_no_question_of_their_own(folder):
    (sample,) = read_annotations(write(folder, [{"image_id": "a", "caption": " A fish. "}]))
    assert sample.turns == (("", "A fish."),)
    assert sample.media == folder / "a.mp4"
    assert sample.subtitles == folder / "a.srt"
    assert sample.kind == "video"


def test_questions_and_answers_are_read_from_a_list_an_object_or_lines(folder):
    item = {"video_id": "a", "q": "Who?", "a": "A fish.", "length": 4}
    paths = [
        write(folder, [item]),
        write(folder, {"annotations": [item]}, "object.json"),
        write(folder, json.dumps(item) + "\n\n", "lines.jsonl"),
    ]
    assert [next(read_annotations(path)).turns for path in paths] == [(("Who?", "A fish."),)] * 3


@pytest.mark.parametrize(
    "turns",
    [
        [{"q": "Who?", "a": "Me."}, {"q": "Why?", "a": "So."}],
        [
            {"from": "human", "value": "<video>\nWho?"},
            {"from": "gpt", "value": "Me."},
            {"from": "human", "value": "Why?"},
            {"from": "gpt", "value": "So."},
        ],
    ],
)
def test_conversations_keep_their_turns_in_order(folder, turns):
    (sample,) = read_annotations(write(folder, [{"video_id": "a", "conversations": turns}]))
    assert sample.turns == (("Who?", "Me."), ("Why?", "So."))


def test_a_name_may_hold_dots_and_may_come_with_its_extension(folder):
    media = MediaFolder(folder)
    assert media.find("b.c") == (folder / "b.c.mp4", folder / "b.c.en.vtt")
    assert media.find("b.c.mp4") == media.find("b.c")
    assert media.find("d") == (folder / "d.webm", None)
    assert media.find("notes") == (None, None)


def test_images_are_told_from_videos_by_their_file(folder):
    (sample,) = read_annotations(write(folder, [{"image_id": "e", "caption": "A fish."}]))
    assert sample.kind == "image"


def test_media_may_lie_in_subfolders_but_never_outside(folder):
    (folder / "page").mkdir()
    (folder / "page" / "x.mp4").touch()
    assert MediaFolder(folder).find("page/x")[0] == folder / "page" / "x.mp4"
    for name in ("../a", "/etc/passwd", "page/../../a"):
        with pytest.raises(AnnotationError, match="outside"):
            list(read_annotations(write(folder, [{"video_id": name, "q": "?", "a": "!"}])))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"caption": "A fish."}, "names no video"),
        ({"video_id": "a", "q": "Who?"}, "has no answer|has no a"),
        ({"video_id": "a", "caption": ""}, "has no caption"),
        ("a", "not an object"),
        ({"video_id": "a", "conversations": []}, "conversations"),
        ({"video_id": "a", "conversations": [{"from": "gpt", "value": "x"}]}, "alternate"),
    ],
)
def test_a_wrong_item_is_named_by_its_number(folder, item, words):
    good = {"video_id": "a", "q": "Who?", "a": "Me."}
    with pytest.raises(AnnotationError, match=r"Item 2 of data\.json") as caught:
        list(read_annotations(write(folder, [good, item])))
    assert any(word in str(caught.value) for word in words.split("|"))


@pytest.mark.parametrize("text", ["", "{", "7", '{"annotations": 7}'])
def test_a_file_that_is_no_list_of_annotations_is_refused(folder, text):
    with pytest.raises(AnnotationError, match=r"data\.json"):
        list(read_annotations(write(folder, text)))


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"no annotation file .*none\.json"):
        list(read_annotations(tmp_path / "none.json"))
    path = write(tmp_path, [])
    with pytest.raises(AnnotationError, match="no folder"):
        list(read_annotations(path, tmp_path / "nowhere"))


def png(colour) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_image_tars_give_each_caption_with_the_bytes_of_its_image(tmp_path):
    path = tmp_path / "00000.tar"
    pictures = {f"x/{n:03d}": png((n, 0, 0)) for n in range(3)}
    with webdataset.TarWriter(str(path)) as tar:
        for key, data in pictures.items():
            tar.write({"__key__": key, "json": {"caption": f"Picture {key}."}, "png": data})
        tar.write({"__key__": "alone", "png": png((9, 9, 9))})
    samples = list(read_annotations(path))
    assert [sample.id for sample in samples] == list(pictures)
    for sample in samples:
        assert sample.turns == (("", f"Picture {sample.id}."),)
        assert read_image_bytes(path, sample.region) == pictures[sample.id]
        number = int(sample.id[-3:])
        assert decode_image(read_image_bytes(path, sample.region), "x")[0, 0].tolist() == [
            number,
            0,
            0,
        ]


def test_a_truncated_tar_and_a_broken_image_are_errors_with_a_name(tmp_path):
    (tmp_path / "bad.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(AnnotationError, match=r"bad\.tar"):
        list(read_annotations(tmp_path / "bad.tar"))
    with pytest.raises(AnnotationError, match="photo"):
        decode_image(png((1, 2, 3))[:40], "photo")


def test_images_are_turned_upright(tmp_path):
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held on its side
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    assert decode_image(buffer.getvalue(), "x").shape == (4, 2, 3)


@given(
    names=st.lists(
        st.text("ab.é _-", min_size=1, max_size=8).filter(lambda t: t.strip(". ") and t[-1] != "."),
        min_size=1,
        max_size=5,
        unique_by=str.casefold,
    )
)
def test_every_file_is_found_by_its_name_without_extension(names, tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    for name in names:
        (folder / f"{name}.mp4").touch()
    media = MediaFolder(folder)
    assert [media.find(name)[0] for name in names] == [folder / f"{name}.mp4" for name in names]
