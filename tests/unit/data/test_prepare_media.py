import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prep_parts import write_clip

from goldfish_cli.data.prepare.folder import FoundFile, file_kind, walk_folder
from goldfish_cli.data.prepare.media import MediaIndex, find_media, probe_many
from goldfish_cli.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mp4", "video"),
        ("-a.b.MKV", "video"),
        ("a.mp4.part", "partial"),
        ("a.f137.mp4.part-Frag12", "partial"),
        ("a.mp4.part-Frag12.part", "partial"),
        ("a.webm.ytdl", "partial"),
        ("Unconfirmed 1.crdownload", "partial"),
        ("party.mp4", "video"),
        ("a.en.vtt", "subtitles"),
        ("a.jpg", "image"),
        ("._a.mp4", "other"),
        (".mp4", "other"),
        ("a", "other"),
    ],
)
def test_the_name_of_a_file_tells_its_kind(name: str, kind: str) -> None:
    assert file_kind(name) == kind


def test_videos_are_found_at_any_depth_by_id_name_and_path(tmp_path: Path) -> None:
    touch(tmp_path, "2012/a.mp4", "2012/x/-b.c.webm", "2012-01-01.mkv", "7.mp4", "n.txt")
    index = find_media(tmp_path)
    assert len(index) == 4
    assert index.find("a") == index.find("a.mp4") == index.find("2012/a") == tmp_path / "2012/a.mp4"
    assert index.find("-b.c") == index.find("2012/x/-b.c.webm") == tmp_path / "2012/x/-b.c.webm"
    assert index.find("2012-01-01") == tmp_path / "2012-01-01.mkv"
    assert index.find("7") == tmp_path / "7.mp4"
    for absent in ("2013/a", "a.mkv", "-b", "n", "n.txt", "", ".", "007"):
        assert index.find(absent) is None


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "x/../../a", "a\0b"])
def test_names_that_lead_outside_are_refused(name: str, tmp_path: Path) -> None:
    touch(tmp_path / "videos", "a.mp4")
    touch(tmp_path, "a.mp4")
    with pytest.raises(ValueError, match="outside"):
        find_media(tmp_path / "videos").find(name)


def test_of_several_files_of_one_id_the_first_by_depth_then_ending_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, "2012/a.mp4", "a.webm", "a.mkv", "b.mp4")
    index = find_media(tmp_path)
    assert index.find("a") == tmp_path / "a.mkv"
    assert index.collisions == {"a": ("a.mkv", "a.webm", "2012/a.mp4")}


def test_an_image_stands_in_only_where_it_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a.jpg", "b.jpg")
    assert find_media(tmp_path).find("b") is None
    index = find_media(tmp_path, images=True)
    assert index.find("a") == tmp_path / "a.mp4"
    assert index.find("b") == tmp_path / "b.jpg"


def test_links_out_of_the_folder_are_not_followed_unless_asked(tmp_path: Path) -> None:
    touch(tmp_path, "outside/a.mp4", "videos/b.mp4")
    videos = tmp_path / "videos"
    (videos / "a.mp4").symlink_to(tmp_path / "outside/a.mp4")
    (videos / "c.mp4").symlink_to("b.mp4")
    (videos / "gone.mp4").symlink_to("nowhere.mp4")
    (videos / "loop.mp4").symlink_to("loop.mp4")
    (videos / "deep").symlink_to(tmp_path / "outside")
    index = find_media(videos)
    assert index.find("a") is None
    assert index.find("c") == videos / "c.mp4"
    assert index.links == ("a.mp4", "deep", "gone.mp4", "loop.mp4")
    followed = find_media(videos, follow_links=True)
    assert followed.find("a") == videos / "a.mp4"
    (tmp_path / "link").symlink_to(videos)
    assert find_media(tmp_path / "link").find("b") == tmp_path / "link/b.mp4"


def test_what_is_no_regular_file_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    touch(tmp_path, ".hidden/a.mp4")
    assert [file.kind for file in walk_folder(tmp_path)] == ["other"]
    assert len(find_media(tmp_path)) == 0


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        find_media(tmp_path / "nowhere")


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})


@given(st.lists(names, min_size=1, max_size=6), st.sampled_from([".mp4", ".MKV", ".gif"]))
def test_every_file_that_is_listed_is_found_by_its_path_and_its_id(
    parts: list[str], ending: str
) -> None:
    from pathlib import PurePosixPath

    path = PurePosixPath(*parts[:-1], parts[-1] + ending)
    index = MediaIndex(Path("root"), [FoundFile(path, "video", 1)])
    assert index.find(str(path)) == index.find(path.stem) == Path("root") / path


@pytest.mark.parametrize("level", ["header", "decode"])
def test_many_videos_are_probed_in_order_and_damage_is_told(level: str, tmp_path: Path) -> None:
    good = [write_clip(tmp_path / f"{name}.mp4", seed=name) for name in range(9)]
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(good[0].read_bytes()[:400])
    paths = [*good[:5], bad, tmp_path / "missing.mp4", *good[5:]]
    results = list(probe_many(paths, level, workers=3))
    assert [result.path for result in results] == paths
    for path, info, error in results:
        assert (info is None) == (error is not None) == (path not in good)
        if info:
            assert info.duration == pytest.approx(1.0)


def test_a_video_that_is_damaged_after_its_first_picture_fails_only_if_none_is_left(
    tmp_path: Path,
) -> None:
    path = write_clip(tmp_path / "a.mp4", num_frames=40)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(data)
    (_, info, error) = next(probe_many([path], "decode", workers=1))
    assert error is None
    assert info is not None


def test_without_probing_nothing_is_opened(tmp_path: Path) -> None:
    path = touch(tmp_path, "a.mp4") / "a.mp4"
    assert list(probe_many([path], "none", workers=1)) == [(path, None, None)]


def test_a_cut_off_file_states_more_than_is_there(shared_folder: Path, tmp_path: Path) -> None:
    whole = shared_folder / "data/videos/moviepy__big_buck_bunny_0_30.webm"
    path = tmp_path / "cut.webm"
    path.write_bytes(whole.read_bytes()[:200_000])
    info = next(probe_many([path], "header", workers=1)).info
    assert info is not None
    assert info.stated_duration == pytest.approx(30.0, abs=0.1)
    assert info.duration < 10
