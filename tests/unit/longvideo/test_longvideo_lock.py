import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from index_parts import film, unwritable_copy

from goldfish_cli.errors import IndexFolderError
from goldfish_cli.longvideo.lock import HOLDER, read_holder
from goldfish_cli.longvideo.store import IndexStore

HOLD = """
import sys, time
from pathlib import Path
from goldfish_cli.longvideo.store import IndexStore
with IndexStore.create_or_open(Path(sys.argv[1]), wait_s=0):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder: Path, seconds: float) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_a_second_writer_is_refused_at_once_and_told_who_writes(tmp_path: Path) -> None:
    holder = hold(tmp_path, 60)
    try:
        began = time.monotonic()
        with pytest.raises(IndexFolderError, match=rf"being written by process {holder.pid} on"):
            IndexStore.create_or_open(tmp_path, wait_s=0)
        assert time.monotonic() - began < 1
        with IndexStore.read(tmp_path) as reader:  # reading needs no lock
            assert reader.films() == []
    finally:
        holder.kill()
        holder.wait()


def test_a_killed_writer_leaves_nothing_to_clean_up(tmp_path: Path) -> None:
    holder = hold(tmp_path, 60)
    holder.kill()
    holder.wait()
    assert (tmp_path / HOLDER).exists()
    assert read_holder(tmp_path) is None
    with IndexStore.create_or_open(tmp_path, wait_s=0) as store:
        store.put_film(film())
        me = read_holder(tmp_path)
        assert me is not None and me.pid == os.getpid()
    assert not (tmp_path / HOLDER).exists()


def test_a_writer_that_waits_says_so_once_and_goes_on_when_the_other_is_done(
    tmp_path: Path,
) -> None:
    holder = hold(tmp_path, 0.5)
    said: list[str] = []
    with IndexStore.create_or_open(tmp_path, wait_s=None, notify=said.append) as store:
        assert store.is_writable
    assert holder.wait() == 0
    assert len(said) == 1 and f"process {holder.pid}" in said[0]


def test_patience_ends(tmp_path: Path) -> None:
    said: list[str] = []
    with IndexStore.create_or_open(tmp_path, wait_s=0):  # this process is a holder like any other
        began = time.monotonic()
        with pytest.raises(IndexFolderError, match="being written by process"):
            IndexStore.create_or_open(tmp_path, wait_s=0.3, notify=said.append)
        assert 0.3 <= time.monotonic() - began < 2 and len(said) == 1


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        IndexStore.create_or_open(tmp_path, wait_s=None, notify=said.append).close()
    assert said == []


def test_many_writers_each_get_their_turn(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with IndexStore.create_or_open(tmp_path, wait_s=None) as store:
            store.put_film(film(f"film{number}"))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with IndexStore.read(tmp_path) as reader:
        assert {one.id for one in reader.films()} == {f"film{number}" for number in range(6)}


def test_a_read_only_folder_gives_one_clear_error(tmp_path: Path) -> None:
    made, bare = tmp_path / "made", tmp_path / "bare"
    IndexStore.create_or_open(made, wait_s=0).close()
    bare.mkdir()
    for folder in (made, bare):
        with unwritable_copy(folder) as copy:
            with pytest.raises(IndexFolderError, match="cannot be opened or written") as error:
                IndexStore.create_or_open(copy, wait_s=0)
            assert str(copy) in str(error.value) and "--index" in error.value.hint


def test_a_failed_opening_frees_the_lock(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"junk" * 999)
    for _ in range(2):
        with pytest.raises(IndexFolderError, match="damaged"):
            IndexStore.create_or_open(tmp_path, wait_s=0)
    (tmp_path / "index.sqlite").unlink()
    IndexStore.create_or_open(tmp_path, wait_s=0).close()


def test_a_file_in_the_folders_place_gives_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexFolderError, match="cannot be opened or written"):
        IndexStore.create_or_open(tmp_path / "file", wait_s=0)
