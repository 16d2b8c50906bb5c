import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prep_parts import contents, read_rows, write_clip

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.organize import carry_out, write_map
from goldfish_cli.data.prepare.organize_history import settle
from goldfish_cli.data.prepare.organize_journal import JOURNAL, Entry, Journal, Places, inside
from goldfish_cli.data.prepare.organize_plan import Mode, Plan, Planner
from goldfish_cli.data.prepare.organize_undo import undo
from goldfish_cli.errors import InputError
from goldfish_cli.media.video import probe


def plan_for(places: Places, mode: Mode = "move") -> Plan:
    planner = Planner(places, mode, settle(places, Journal(places)))
    assert len(list(planner.run(workers=2))) == planner.num_videos
    return planner.plan


def organize(folder: Path, out: Path | None = None, mode: Mode = "move") -> Account:
    places = Places(folder, out or folder)
    plan = plan_for(places, mode)
    assert len(list(carry_out(plan, places, Journal(places), mode))) == len(plan.entries)
    account = Account("organize")
    write_map(plan, places, account, made_from={})
    assert plan.unstashed == []
    return account


def take_back(folder: Path, out: Path | None = None) -> Account:
    account = Account("organize")
    list(undo(Places(folder, out or folder), account))
    return account


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    """Year folders with a bit of everything."""
    folder = tmp_path / "downloads"
    write_clip(folder / "2012/-a.b.mp4", seed=1)
    write_clip(folder / "2012/x/c.mkv", seed=2)
    write_clip(folder / "2013/d.webm", seed=3)
    write_clip(folder / "2013/talk.mkv", seed=4, subtitles=True)
    (folder / "2012/x/c.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n")
    (folder / "2012/orphan.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n")
    write_clip(folder / "2013/same.mp4", seed=5)
    shutil.copy(folder / "2013/same.mp4", folder / "2012/same.mp4")
    write_clip(folder / "2012/twins.mp4", seed=6)
    write_clip(folder / "2013/twins.mp4", seed=7)
    (folder / "2013/e.mp4.part").write_bytes(b"half")
    (folder / "2013/empty.mp4").write_bytes(b"")
    (folder / "2013/cut.mp4").write_bytes((folder / "2012/-a.b.mp4").read_bytes()[:500])
    (folder / "notes.txt").write_text("hello")
    (folder / "2013/out.mp4").symlink_to("/etc/hosts")
    return folder


LEFT = {
    "2012/orphan.srt": "not-a-video",
    "2012/twins.mp4": "collision",
    "2013/cut.mp4": "unreadable",
    "2013/e.mp4.part": "partial",
    "2013/empty.mp4": "partial",
    "2013/out.mp4": "link",
    "2013/same.mp4": "duplicate",
    "2013/twins.mp4": "collision",
    "notes.txt": "not-a-video",
}
PLACED = {
    "-a.b.mp4": "2012/-a.b.mp4",
    "c.mp4": "2012/x/c.mkv",
    "c.en.srt": "2012/x/c.en.srt",
    "d.webm": "2013/d.webm",
    "same.mp4": "2012/same.mp4",
    "talk.mkv": "2013/talk.mkv",
}


def check_result(out: Path, account: Account) -> None:
    rows = read_rows(out / "organize.json")
    assert {row["file"]: row["source"] for row in rows} == PLACED
    assert {row["file"]: row["id"] for row in rows}["c.en.srt"] == "c"
    dropped = read_rows(out / "organize.dropped.jsonl")
    assert {row["row"]["file"]: row["reason"] for row in dropped} == LEFT
    assert account.num_read == len(PLACED) + len(LEFT)
    assert all((out / name).is_file() for name in PLACED)
    assert probe(out / "c.mp4").container == "mp4"


def test_a_move_makes_it_flat_and_is_undone_to_the_byte(downloads: Path) -> None:
    before = contents(downloads)
    check_result(downloads, organize(downloads))
    assert (
        not list(downloads.glob("*/**/c.mkv")) or (downloads / ".originals/2012/x/c.mkv").exists()
    )
    undone = take_back(downloads)
    assert (undone.num_written, undone.dropped) == (len(PLACED) + 1, {})  # one original besides
    assert contents(downloads) == before


@pytest.mark.parametrize("mode", ["move", "copy", "link"])
def test_results_may_go_elsewhere_in_every_mode(
    mode: Mode, downloads: Path, tmp_path: Path
) -> None:
    before, out = contents(downloads), tmp_path / "flat"
    check_result(out, organize(downloads, out, mode))
    if mode != "move":
        assert contents(downloads) == before
    assert (out / "same.mp4").stat().st_nlink == (2 if mode == "link" else 1)
    take_back(downloads, out)
    assert contents(downloads) == before
    assert contents(out) == {}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_second_run_changes_nothing_and_tells_the_same(
    elsewhere: bool, downloads: Path, tmp_path: Path
) -> None:
    out = tmp_path / "flat" if elsewhere else downloads
    organize(downloads, out)
    first = contents(tmp_path)
    check_result(out, organize(downloads, out))
    again = contents(tmp_path)
    told = f"{out.name}/organize.dropped.jsonl"  # a duplicate's other copy has moved meanwhile
    assert {**again, told: ""} == {**first, told: ""}


def test_later_downloads_join_and_all_is_undone_together(downloads: Path) -> None:
    before = contents(downloads)
    organize(downloads)
    write_clip(downloads / "2014/new.mkv", seed=9)
    shutil.copy(downloads / ".originals/2012/x/c.mkv", downloads / "2014/c.mkv")
    write_clip(downloads / "2014/d.mp4", seed=10)
    later = {
        name: contents(downloads)[name] for name in ("2014/new.mkv", "2014/c.mkv", "2014/d.mp4")
    }
    account = organize(downloads)
    assert account.num_read == len(PLACED) + len(LEFT) + 3
    reasons = {
        row["row"]["file"]: row["reason"] for row in read_rows(downloads / "organize.dropped.jsonl")
    }
    assert (reasons["2014/c.mkv"], reasons["2014/d.mp4"]) == ("duplicate", "collision")
    assert (downloads / "new.mp4").is_file()
    take_back(downloads)
    assert contents(downloads) == before | later


def test_looking_changes_nothing(downloads: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    plan = plan_for(Places(downloads, tmp_path / "flat"))
    assert contents(tmp_path) == before
    targets = {e.target for e in plan.entries if e.operation != "stash"}
    assert targets == set(PLACED)


def test_what_stands_in_the_way_is_never_overwritten(downloads: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat"
    out.mkdir()
    (out / "c.en.srt").write_text("mine")
    (out / "c.mp4").write_text("mine")
    account = organize(downloads, out, "copy")
    assert (out / "c.mp4").read_text() == (out / "c.en.srt").read_text() == "mine"
    assert account.dropped["collision"] == 3
    take_back(downloads, out)
    assert (out / "c.mp4").read_text() == "mine"


def test_undo_keeps_what_was_changed_since_and_says_so(downloads: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat"
    organize(downloads, out, "copy")
    (out / "same.mp4").write_bytes(b"edited")
    (downloads / "2012/-a.b.mp4").unlink()
    refusals = [left for left in undo(Places(downloads, out), Account("organize")) if left]
    assert {left.file: left.reason for left in refusals} == {
        "same.mp4": "changed",
        "-a.b.mp4": "source-missing",
    }
    assert (out / "same.mp4").read_bytes() == b"edited"
    assert (out / JOURNAL).exists()


def test_undo_does_not_overwrite_a_new_file_at_the_old_place(downloads: Path) -> None:
    organize(downloads)
    write_clip(downloads / "2012/-a.b.mp4", seed=99)
    new = (downloads / "2012/-a.b.mp4").read_bytes()
    account = take_back(downloads)
    assert account.dropped == {"source-exists": 1}
    assert (downloads / "2012/-a.b.mp4").read_bytes() == new
    assert (downloads / "-a.b.mp4").exists()


def test_a_stream_copy_that_a_crash_left_unrecorded_is_recognised(downloads: Path) -> None:
    before = contents(downloads)
    organize(downloads)
    journal = downloads / JOURNAL
    lines = journal.read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"made"' not in line]
    assert len(kept) == len(lines) - 1
    journal.write_text("".join(kept) + '{"operation": "made", "id": "c", "sou')  # torn
    (downloads / ".originals/2012/x/c.mkv").rename(downloads / "2012/x/c.mkv")
    check_result(downloads, organize(downloads))
    assert (downloads / ".originals/2012/x/c.mkv").exists()
    take_back(downloads)
    assert contents(downloads) == before


@pytest.mark.parametrize("num_done", [1, 4])
def test_a_move_that_is_killed_can_be_continued_and_undone(
    num_done: int, tmp_path: Path, repository: Path
) -> None:
    folder = tmp_path / "downloads"
    for number in range(6):
        write_clip(folder / f"{number}/{number}.{'mkv' if number % 2 else 'mp4'}", seed=number)
    before = contents(folder)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    kill_after(num_done, folder, repository)
    assert len(list(folder.glob("*.mp4"))) < 6
    shutil.copytree(folder, tmp_path / "killed")

    take_back(folder)
    assert contents(folder) == before

    organize(tmp_path / "killed")  # continued
    organize(other)  # never stopped
    journal = contents(other).pop(JOURNAL)
    assert contents(tmp_path / "killed") | {JOURNAL: journal} == contents(other)


def kill_after(num_done: int, folder: Path, repository: Path) -> None:
    """Organize in a process of its own, and kill it -9 when some files have arrived."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "sys.path.insert(0, sys.argv[2] + '/tests');"
        "sys.path.insert(0, sys.argv[2] + '/tests/unit/data');"
        "from test_prepare_organize import *; import time;"
        "places = Places(Path(sys.argv[1]), Path(sys.argv[1])); plan = plan_for(places);"
        "[time.sleep(0.2) for _ in carry_out(plan, places, Journal(places), 'move')]"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(repository)])
    while len(list(folder.glob("*.mp4"))) < num_done:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_copy_half_written_is_cleared_away(downloads: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat"
    out.mkdir()
    (out / ".goldfish-organize-0123.part").write_bytes(b"half")
    write_clip(out / ".goldfish-organize-x/c.mp4")
    check_result(out, organize(downloads, out, "copy"))
    assert not list(out.glob(".goldfish-*"))


def test_a_move_in_place_does_not_count_what_it_had_half_written(downloads: Path) -> None:
    (downloads / ".goldfish-organize-0123.part").write_bytes(b"half")
    check_result(downloads, organize(downloads))


def test_links_stay_and_what_they_lead_to_is_never_lost(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    write_clip(folder / "2012/a.mp4")
    (folder / "a.mp4").symlink_to("2012/a.mp4")
    (folder / "2012/b.mp4").symlink_to("a.mp4")
    before = contents(folder)
    assert organize(folder).dropped == {"collision": 1, "link": 2}
    out = tmp_path / "flat"
    out.mkdir()
    (out / "a.mp4").symlink_to(folder / "2012/a.mp4")
    assert organize(folder, out).dropped == {"duplicate": 1, "link": 2, "not-a-video": 3}
    assert (folder / "2012/a.mp4").stat().st_nlink == 1
    assert {name: contents(folder)[name] for name in before} == before


def test_a_folder_may_be_named_in_several_ways(downloads: Path, tmp_path: Path) -> None:
    before = contents(downloads)
    organize(downloads)
    (tmp_path / "link").symlink_to(downloads)
    take_back(tmp_path / "link")
    assert contents(downloads) == before


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("../../home/x", "a.mp4"),
        ("a.mp4", "../x"),
        ("/etc/passwd", "a.mp4"),
        ("a.mp4", "/x"),
        ("", "a.mp4"),
        ("link/a.mp4", "a.mp4"),
    ],
)
def test_a_journal_that_leads_out_of_the_folder_is_refused(
    source: str, target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    write_clip(folder / "a.mp4")
    (folder / "link").symlink_to(tmp_path)
    places = Places(folder, folder)
    Journal(places).append([Entry("move", "a", source, target, 1)])
    before = contents(tmp_path)
    with pytest.raises(InputError, match="is not inside"):
        take_back(folder)
    with pytest.raises(InputError, match="is not inside"):
        plan_for(places)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "text",
    ["[]\n", "{}\n", "not json\n", '{"goldfish": "organize", "version": 1, "folder": "x"}\n'],
)
def test_what_is_no_journal_of_this_folder_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text(text)
    with pytest.raises(InputError):
        take_back(tmp_path)


def test_without_a_journal_there_is_nothing_to_undo(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=JOURNAL):
        take_back(tmp_path)


def test_a_journal_of_which_not_one_line_is_whole_begins_anew(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path)
    (tmp_path / JOURNAL).write_text('{"goldfi')
    assert Journal(places).read() == []
    entry = Entry("move", "ä\udcff", "2012/ä\udcff.mp4", "ä\udcff.mp4", 1)  # no valid UTF-8
    Journal(places).append([entry])
    assert Journal(places).read() == [entry]
    assert json.loads((tmp_path / JOURNAL).read_text().splitlines()[0])["goldfish"] == "organize"


def test_names_inside_a_folder_may_be_odd(tmp_path: Path) -> None:
    for name in ("-a", "a b/..c", "2012-01-01.mp4", "a\nb"):
        assert inside(tmp_path, name) == tmp_path / name


def test_a_video_with_the_wrong_ending_is_told_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    write_clip(tmp_path / "a.mkv", seed=1).rename(tmp_path / "b.mp4")
    folder.mkdir()
    (tmp_path / "b.mp4").rename(folder / "b.mp4")
    write_clip(tmp_path / "c.mp4", seed=2).rename(folder / "c.mkv")
    organize(folder, tmp_path / "flat", "copy")
    rows = {row["id"]: row["how"] for row in read_rows(tmp_path / "flat/organize.json")}
    assert rows == {"b": "remux", "c": "copy"}
    assert probe(tmp_path / "flat/b.mp4").container == "mp4"
    assert (tmp_path / "flat/c.mp4").read_bytes() == (folder / "c.mkv").read_bytes()


def test_a_disk_that_refuses_leaves_the_file_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    name = "n" * 252  # fits with .ts, not with .mp4
    write_clip(tmp_path / "a.mp4").rename(tmp_path / "a.mpg")
    folder.mkdir()
    (tmp_path / "a.mpg").rename(folder / f"{name}.ts")
    account = organize(folder, tmp_path / "flat")
    assert account.dropped == {"failed": 1}
    assert (folder / f"{name}.ts").exists()
