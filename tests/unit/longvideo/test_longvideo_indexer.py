"""A film put into an index by a real model: what is stored, done again, continued after a kill."""

import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from film_parts import FilmFolder, index_with, plan_for

from goldfish_cli.backends.native import NativeModel
from goldfish_cli.errors import SubtitleError, VideoError
from goldfish_cli.evaluation.metrics.retrieval import temporal_iou
from goldfish_cli.longvideo.indexer import index_film
from goldfish_cli.longvideo.records import ClipRecord
from goldfish_cli.longvideo.store import IndexStore
from goldfish_cli.longvideo.upkeep import verify
from goldfish_cli.media.cutting import Cutting
from goldfish_cli.profiles import load_profile

KILLS = 50


def content(folder: Path) -> list[object]:
    """All that an index says of its films, in order."""
    with IndexStore.read(folder) as store:
        return [
            (replace(film, paths=()), store.clips(film.id), store.passages(film.id))
            for film in store.films()
        ]


def test_the_clips_of_a_film_are_its_shots_with_what_is_seen_and_said(
    film_folder: FilmFolder, reader: IndexStore
) -> None:
    film = reader.films()[0]
    clips = reader.clips(film.id)
    truth = film_folder.truth["clips"]
    found = [
        any(temporal_iou((one.start, one.end), (clip["start"], clip["end"])) > 0.8 for one in clips)
        for clip in truth
    ]
    assert sum(found) >= 0.9 * len(truth)
    assert all(clip.summary for clip in clips)
    told = [cue.text for clip in clips for cue in clip.cues]
    assert told == [cue["text"] for clip in truth for cue in clip["narration"]]
    assert film.complete
    assert film.subtitles == film_folder.video.with_suffix(".srt").name
    assert reader.coverage(film.id) == pytest.approx(1.0, abs=0.01)
    assert all(reader.thumbnail(film.id, clip.number) for clip in clips)


def test_an_index_is_found_whole(indexed: Path) -> None:
    with IndexStore.read(indexed) as store:
        assert verify(store) == []


def test_nothing_is_done_twice(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(indexed, tmp_path / "index")
    before = content(copy)
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        again = index_with(store, minnow, film_folder.video)
    assert (again.new, again.failed, again.reused) == (0, 0, again.clips)
    assert content(copy) == before


def test_a_file_is_known_by_its_content_whatever_its_name(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(indexed, tmp_path / "index")
    other = tmp_path / "it's another -- name.mp4"
    shutil.copy(film_folder.video, other)
    shutil.copy(film_folder.video.with_suffix(".srt"), other.with_suffix(".srt"))
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        done = index_with(store, minnow, other)
        (film,) = store.films()
    assert done.new == 0
    assert film.paths[-1] == str(other)
    assert len(film.paths) == 2


def test_another_prompt_asks_the_model_again_and_new_subtitles_do_not(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(indexed, tmp_path / "index")
    subtitles = tmp_path / "other.srt"
    subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nSomething else\n")
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        retold = index_with(store, minnow, film_folder.video, subtitles=subtitles)
        assert (retold.new, retold.reused) == (0, retold.clips)
        (film,) = store.films()
        said = [cue.text for clip in store.clips(film.id) for cue in clip.cues]
        assert said == ["Something else"]
        asked = index_with(store, minnow, film_folder.video, prompt="What happens first?")
        assert (asked.new, asked.reused) == (asked.clips, 0)


def test_another_cutting_leaves_no_old_clip(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(indexed, tmp_path / "index")
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        done = index_with(store, minnow, film_folder.video, cutting=Cutting(25.0))
        (film,) = store.films()
        clips = store.clips(film.id)
        assert verify(store) == []
    assert len(clips) == done.clips < 5
    assert [clip.number for clip in clips] == list(range(done.clips))


def test_subtitles_without_a_film_are_indexed_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "lost film.srt"
    path.write_text(
        "1\n00:00:10,000 --> 00:00:12,000\nHello there\n\n2\n00:01:10,000 --> 00:01:12,000\nBye\n"
    )
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        done = index_with(store, None, path)
        (film,) = store.films()
        said = {cue.text: clip.number for clip in store.clips(film.id) for cue in clip.cues}
    assert done.duration == 72.0
    assert said["Hello there"] == 0
    assert said["Bye"] > 0


def test_what_cannot_be_read_leaves_no_film(minnow: NativeModel, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all" * 100)
    empty = tmp_path / "empty.srt"
    empty.write_text("")
    with IndexStore.create_or_open(tmp_path / "index", wait_s=0) as store:
        with pytest.raises(VideoError):
            index_with(store, minnow, broken)
        with pytest.raises(SubtitleError):
            index_with(store, None, empty)
        assert store.films() == []


def test_a_clip_that_failed_is_tried_again(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(indexed, tmp_path / "index")
    before = content(copy)
    with IndexStore.create_or_open(copy, wait_s=0) as store:
        (film,) = store.films()
        third: ClipRecord = store.clips(film.id)[2]
        store.put_clip(film.id, replace(third, summary="", failed="the disk was asleep"))
        done = index_with(store, minnow, film_folder.video)
    assert (done.new, done.reused) == (1, done.clips - 1)
    assert content(copy) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_it_goes_on_to_the_same_index(
    film_folder: FilmFolder, minnow: NativeModel, indexed: Path, tmp_path: Path
) -> None:
    draw = random.Random(7)
    profile, plan = load_profile("cpu", threads=1), plan_for(minnow)
    folder, killed = tmp_path / "index", 0
    for _ in range(KILLS):
        process = os.fork()
        if process == 0:  # the child: index, and end without cleaning up after pytest
            with IndexStore.create_or_open(folder, wait_s=30) as store:
                for _ in index_film(store, minnow, film_folder.video, plan, profile):
                    pass
            os._exit(0)
        time.sleep(draw.uniform(0.0, 0.4))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        killed += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            shutil.rmtree(folder)  # done before it was killed: begin anew
    assert killed > KILLS / 2
    with IndexStore.create_or_open(folder, wait_s=30) as store:
        index_with(store, minnow, film_folder.video)
        assert verify(store) == []
    assert content(folder) == content(indexed)
