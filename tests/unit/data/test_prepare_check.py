"""What is wrong is found, named by row, and counted once; what is sound passes."""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.check import Checker, CheckSettings
from goldfish_cli.data.prepare.check_report import write_report
from goldfish_cli.data.prepare.check_rows import TextLimits
from goldfish_cli.data.prepare.findings import KINDS, Findings
from goldfish_cli.data.prepare.row_marks import (
    NOTHING,
    CommonTexts,
    find_repeats,
    find_shared,
    mark_of,
)
from goldfish_cli.data.prepare.statistics import Distribution
from goldfish_cli.errors import AnnotationError
from goldfish_cli.model.token_counter import TokenCounter, find_tokenizer

WORDS = TextLimits(lambda texts: [len(text.split()) for text in texts], 12, 6)


def rows_of(*ids, **more):
    return [
        {"video_id": name, "q": f"What is {name}?", "a": f"It is {name}."} | more for name in ids
    ]


def check(*files, keep=100, **settings):
    """Check files; the findings, the account and the statistics."""
    findings = Findings(keep=keep)
    checker = Checker(files, CheckSettings(**settings), findings)
    for step in (checker.check_rows(), checker.check_media(), checker.compare_rows()):
        for _ in step:
            pass
    account = Account("check")
    checker.close(account)
    account.close()
    return findings, account, checker


@pytest.fixture
def write(tmp_path):
    def write(rows, name="train.json"):
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return path

    return write


def found(findings):
    return {(f.kind, f.file, f.row, f.id) for f in findings.kept()}


def test_sound_rows_pass_without_a_word(write, clip):
    rows = [*rows_of("clock"), {"image_id": "clock", "caption": "It grows brighter."}]
    findings, account, checker = check(write(rows), videos=clip.parent, probe="decode")
    assert findings.kept() == []
    assert (account.num_read, account.num_written, account.dropped) == (2, 2, {})
    assert checker.statistics()["media"] == {"videos": 1, "images": 0, "hours": 0.0}
    assert checker.statistics()["durations"]["median"] == 2


def test_every_row_that_cannot_be_used_is_named_with_what_mends_it(write, clip, tmp_path):
    folder = tmp_path / "videos"
    (folder / "2012").mkdir(parents=True)
    shutil.copy(clip, folder / "good.mp4")
    shutil.copy(clip, folder / "2012" / "Deep.mp4")
    shutil.copy(clip, folder / "said.mp4")
    (folder / "said.srt").write_bytes(b"\x00\x01 no subtitles")
    (folder / "broken.mp4").write_bytes(b"no video")
    rows = [
        *rows_of("good", length=2.4),
        {"video_id": "good", "q": "What?"},
        {"q": "Which?", "a": "None."},
        "text",
        *rows_of("gone", "deep", "../good", "broken", "said"),
        *rows_of("good", "broken", length=99),
    ]
    rows[-2]["a"] = rows[-1]["a"] = "Another."
    findings, account, _ = check(write(rows), videos=folder)
    assert found(findings) == {
        ("no-answer", "train.json", 2, "good"),
        ("no-id", "train.json", 3, ""),
        ("not-an-object", "train.json", 4, ""),
        ("missing-media", "train.json", 5, "gone"),
        ("missing-media", "train.json", 6, "deep"),
        ("outside-folder", "train.json", 7, "../good"),
        ("unreadable-media", "train.json", 8, "broken"),
        ("unreadable-subtitles", "train.json", 9, "said"),
    }
    assert all(finding.mend and finding.message for finding in findings.kept())
    assert "but there is 2012/Deep.mp4" in next(f.message for f in findings.kept() if f.row == 6)
    assert account.num_read == 11
    assert account.num_written == 2
    assert account.dropped["unreadable-media"] == 2, "both rows of the broken video"


def test_a_length_that_is_not_the_videos_is_a_warning(write, clip):
    rows = rows_of("clock", length="17.5")
    findings, account, _ = check(write(rows), videos=clip.parent)
    assert findings.counts("warning") == {"length-differs": 1}
    assert "17.5 s, the video of 2.0 s" in findings.kept()[0].message
    assert account.num_written == 1


def test_texts_are_held_against_the_limits_of_the_profile(write):
    rows = [
        {"video_id": "a", "q": "one two", "a": "1 2 3 4 5"},
        {"video_id": "b", "q": "one two", "a": "1 2 3 4 5 6"},
        {"video_id": "c", "q": "w " * 12, "a": "yes"},
        {"video_id": "d", "conversations": [{"q": "w " * 4, "a": "x " * 5}, {"q": "z", "a": "y"}]},
        {"video_id": "e", "conversations": [{"q": "w " * 6, "a": "x " * 5}, {"q": "z", "a": "y"}]},
    ]
    findings, _, checker = check(write(rows), limits=WORDS)
    assert {(f.kind, f.id) for f in findings.kept()} == {
        ("answer-cut", "b"),
        ("question-too-long", "c"),
        ("question-too-long", "e"),
    }
    facts = checker.statistics()
    assert facts["answer_tokens"] | {"mean": 0} == {
        "count": 7, "min": 2, "median": 6, "mean": 0, "p95": 7, "max": 7, "limit": 6, "over": 1,
    }  # fmt: skip
    assert facts["prompt_tokens"]["max"] == 13


def test_odd_texts_are_warnings(write):
    rows = [
        {"video_id": "a", "q": "Who?", "a": " who? "},
        {"video_id": "b", "q": "Where?", "a": "In a cafÃ©."},
        {"video_id": "c", "q": "What?", "a": "na\ufffdve"},
        {"video_id": "d", "q": "¿Qué?", "a": "Un café à Zürich, 水."},
    ]
    findings, account, _ = check(write(rows))
    assert {(f.severity, f.kind, f.id) for f in findings.kept()} == {
        ("warning", "answer-is-question", "a"),
        ("warning", "broken-encoding", "b"),
        ("warning", "broken-encoding", "c"),
    }
    assert account.num_written == 4


def test_rows_that_repeat_are_named_with_the_first(write):
    rows = [*rows_of("a", "b"), *rows_of("a"), {"image_id": "a", "caption": "b"}]
    rows[2]["q"] = "  what IS a? "
    findings, _, checker = check(write(rows))
    (finding,) = findings.kept()
    assert (finding.kind, finding.row, finding.message) == (
        "duplicate-row",
        3,
        "says the same as row 1",
    )
    assert checker.statistics()["duplicate_rows"] == 1


def test_a_video_in_two_files_is_an_error_and_all_its_later_rows_are_counted(write):
    train = write([*rows_of("a", "b"), {"image_id": "c", "caption": "A cat sleeps."}])
    val = write(
        [
            {"video_id": "b", "q": "And?", "a": "1"},
            {"video_id": "b", "q": "Or?", "a": "2"},
            {"image_id": "d", "caption": "a cat  sleeps."},
        ],
        "val.json",
    )
    findings, account, checker = check(train, val)
    assert found(findings) == {
        ("video-in-two-splits", "val.json", 1, "b"),
        ("caption-in-two-splits", "val.json", 3, "d"),
    }
    assert "row 2 of train.json" in findings.kept()[0].message
    assert account.dropped == {"video-in-two-splits": 2}
    facts = checker.statistics()
    assert (facts["shared_videos"], facts["shared_captions"]) == (1, 1)
    assert facts["splits"] == {"train.json": 3, "val.json": 3}
    assert check(train, val, one_split=True)[1].num_written == 6


def test_a_field_names_the_split_and_films_may_not_be_in_two(write):
    rows = [
        {"image_id": "a", "caption": "A man runs.", "imdbid": "tt1", "split": "train"},
        {"image_id": "b", "caption": "A man falls.", "imdbid": "tt1", "split": "train"},
        {"image_id": "c", "caption": "A man wakes.", "imdbid": "tt1", "split": "test"},
        {"image_id": "d", "caption": "A man sings.", "imdbid": "tt2", "split": "val"},
        {"image_id": "a", "caption": "He runs.", "imdbid": "tt3", "split": "val"},
    ]
    findings, _, checker = check(write(rows))
    assert found(findings) == {
        ("film-in-two-splits", "train.json", 3, "c"),
        ("video-in-two-splits", "train.json", 5, "a"),
    }
    assert checker.statistics()["splits"] == {"test": 1, "train": 2, "val": 2}


def test_one_answer_to_everything_is_a_warning(write):
    rows = [
        {"video_id": f"{i}", "q": f"Is it {i}?", "a": "Yes." if i % 4 else "No."} for i in range(40)
    ]
    findings, _, checker = check(write(rows))
    assert findings.counts("warning") == {"one-answer": 1}
    assert "75% of all answers are 'Yes.'" in findings.kept()[0].message
    common = checker.statistics()["answers"]
    assert common["distinct"] == 2
    assert common["common"] == [{"text": "Yes.", "count": 30}, {"text": "No.", "count": 10}]


@pytest.fixture
def make_tar(tmp_path):
    def make(name, members):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for member, content in members:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path

    return make


def png(shade):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_tars_of_images_are_checked_pair_by_pair(make_tar):
    caption = b'{"caption": "A red square."}'
    first = make_tar(
        "train/0.tar",
        [
            ("0.png", png(1)),
            ("0.json", caption),
            ("1.png", png(2)),
            ("2.json", caption),
            ("3.png", b"no image"),
            ("3.txt", b"A blue square."),
            ("4.jpg", png(3)),
        ],
    )
    second = make_tar("train/1.tar", [("0.png", png(4)), ("0.json", caption)])
    findings, account, checker = check(first, second)
    assert found(findings) == {
        ("no-caption", "0.tar", 2, "1"),
        ("no-image", "0.tar", 3, "2"),
        ("unreadable-media", "0.tar", 4, "3"),
        ("no-caption", "0.tar", 5, "4"),
    }
    assert (account.num_read, account.num_written) == (6, 2)
    assert checker.statistics()["splits"] == {"train": 6}
    assert checker.statistics()["ids"] == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.json", b'[{"video_id": "a", "q": "b", "a": "c"}, {"video_id"'),
        ("binary.json", bytes(range(256)) * 8),
        ("empty.json", b""),
        ("none.json", b"[]"),
        ("binary.csv", bytes(range(256)) * 8),
        ("no.tar", b"not a tar"),
    ],
)
def test_a_file_that_is_no_dataset_is_refused_with_its_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=re.escape(name)) as refused:
        check(path)
    assert refused.value.exit_code == 3


def test_a_missing_folder_of_videos_is_named(write, tmp_path):
    with pytest.raises(AnnotationError, match="nowhere"):
        check(write(rows_of("a")), videos=tmp_path / "nowhere")


def test_only_the_first_findings_are_kept_and_all_are_told(write):
    told = []
    findings = Findings(keep=2, tell=told.append)
    checker = Checker([write([{"video_id": "a"}] * 7)], CheckSettings(), findings)
    for _ in checker.check_rows():
        pass
    assert len(findings.kept()) == 2
    assert [finding.row for finding in told] == [1, 2, 3, 4, 5, 6, 7]


def test_the_report_is_one_file_that_loads_nothing_and_is_the_same_again(write, clip, tmp_path):
    rows = [*rows_of("clock"), *rows_of("<script>alert(1)</script>"), *rows_of("gone") * 4]
    pages = []
    for name in ("one.html", "two.html"):
        findings, _, checker = check(write(rows), videos=clip.parent, limits=WORDS)
        path = tmp_path / "reports" / name
        write_report(
            path, "Check of <train>", checker.statistics(), checker.distributions(), findings
        )
        pages.append(path.read_text())
    assert pages[0] == pages[1]
    assert "<script" not in pages[0] and "http" not in pages[0] and "url(" not in pages[0]
    assert "&lt;script&gt;" in pages[0] and "Check of &lt;train&gt;" in pages[0]
    assert pages[0].count("<svg") == 4
    assert "limit 6" in pages[0] or "above the limit" not in pages[0]
    assert not list((tmp_path / "reports").glob("*.part"))


IDS = st.sampled_from("abcde")
ROWS = st.one_of(
    st.builds(lambda i, t: {"video_id": i, "q": t, "a": t + "!"}, IDS, st.text("xy ", max_size=3)),
    st.builds(lambda i, t: {"image_id": i, "caption": t}, IDS, st.text("xy ", max_size=3)),
    st.builds(lambda i: {"video_id": i, "conversations": [{"q": "x", "a": "y"}] * 2}, IDS),
    st.sampled_from([{}, {"q": "x"}, 3, None, "text", []]),
)


@given(st.lists(ROWS, min_size=1, max_size=8), st.lists(ROWS, max_size=8))
def test_the_account_adds_up_whatever_the_rows(tmp_path_factory, train, val):
    folder = tmp_path_factory.mktemp("check")
    files = [folder / "train.json", folder / "val.json"] if val else [folder / "train.json"]
    for path, rows in zip(files, (train, val), strict=False):
        path.write_text(json.dumps(rows))
    findings, account, checker = check(*files)
    assert account.num_read == len(train) + len(val)
    assert sum(checker.statistics()["splits"].values()) == account.num_read
    has_errors = bool(findings.counts("error"))
    assert has_errors == (account.num_written < account.num_read)
    assert {
        finding.kind for finding in findings.kept() if finding.severity == "warning"
    } <= KINDS.keys()


MARKS = st.lists(st.integers(0, 5), max_size=20)


@given(MARKS)
def test_repeats_are_those_that_a_plain_search_finds(marks):
    expected = [
        (place, marks.index(mark))
        for place, mark in enumerate(marks)
        if mark != NOTHING and marks.index(mark) != place
    ]
    assert [(found.place, found.first) for found in find_repeats(array("Q", marks))] == expected


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=20))
def test_what_splits_share_is_what_a_plain_search_finds(rows):
    marks, splits = [mark for mark, _ in rows], [split for _, split in rows]
    expected, told = [], set()
    for place, (mark, split) in enumerate(rows):
        first = marks.index(mark)
        if mark != NOTHING and split != splits[first]:
            expected.append((place, first, (mark, split) in told))
            told.add((mark, split))
    assert [tuple(f) for f in find_shared(array("Q", marks), array("I", splits))] == expected


@given(st.lists(st.text("ab ", max_size=2), max_size=30))
def test_common_texts_are_counted_exactly(texts):
    common = CommonTexts()
    for text in texts:
        common.add(text)
    folded = [" ".join(text.split()) for text in texts]
    assert common.num_distinct() == len(set(folded))
    for text, count in common.most_common(10):
        assert count == folded.count(" ".join(text.split())) >= 3


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(1, 12))
def test_bars_hold_every_number_once_and_quantiles_are_numbers_of_the_list(values, count):
    spread = Distribution("tokens", limit=100)
    for value in values:
        spread.add(value)
    bars = spread.bars(count)
    assert sum(bar.count for bar in bars) == len(values)
    assert len(bars) <= count
    assert all(one.high == other.low for one, other in pairwise(bars))
    ordered, facts = sorted(values), spread.summary()
    assert (facts["min"], facts["max"]) == (ordered[0], ordered[-1])
    assert facts["median"] == ordered[(len(values) - 1) // 2]
    assert facts["over"] == sum(value > 100 for value in values)


def test_marks_of_different_texts_differ():
    texts = [("a", "b"), ("ab",), ("a b",), ("b", "a"), ("",), ("", "")]
    assert len({mark_of(*parts) for parts in texts}) == len(texts)
    assert NOTHING not in {mark_of(*parts) for parts in texts}


def test_tokens_are_counted_as_the_model_counts_them():
    counter = TokenCounter(find_tokenizer("minnow"))
    assert counter(["", "the red circle", "half a pair: \ud800"])[0] == 0
    assert counter(["the red circle"])[0] == counter(["the red circle"] * 3)[2] > 0


def test_the_real_videochatgpt_like_files_pass(shared_folder: Path):
    names = ["PAIRED_*", "Chat-UniVi__*", "IG-VLM__data__text*", "IG-VLM__data__open*", "MA-LMM__*"]
    paths = [path for name in names for path in sorted((shared_folder / "data/qa").glob(name))]
    assert len(paths) > 15
    for path in paths:
        findings, account, _ = check(path)
        assert findings.counts("error") == {}, path.name
        assert account.num_written == account.num_read > 0


def test_the_real_paired_files_find_their_videos(shared_folder: Path, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in (shared_folder / "data" / "videos").iterdir():
        (videos / path.name.partition("__")[2]).symlink_to(path)
    qa = shared_folder / "data" / "qa"
    for name in ("PAIRED_msvd_ysTmUTQ5wZE_17_45.json", "PAIRED_videochatgpt_v_TpB_zMG3XBA.json"):
        findings, account, checker = check(qa / name, videos=videos)
        assert account.num_written == account.num_read, findings.kept()
        assert checker.statistics()["media"]["videos"] == 1


@pytest.mark.slow
def test_a_million_rows_pass_in_300_mb(tmp_path):
    path = tmp_path / "large.jsonl"
    with path.open("w") as file:
        for number in range(1_000_000):
            row = {
                "video_id": f"v_{number % 13_000:07d}",
                "q": f"What does the person number {number} do in the video?",
                "a": f"They pick up object {number * 7 % 999_983} and put it down again.",
            }
            file.write(json.dumps(row) + "\n")
    code = (
        "import sys; from pathlib import Path\n"
        "from goldfish_cli.data.prepare.check import Checker, CheckSettings\n"
        "from goldfish_cli.data.prepare.check_rows import TextLimits\n"
        "from goldfish_cli.data.prepare.findings import Findings\n"
        "from goldfish_cli.model.token_counter import TokenCounter, find_tokenizer\n"
        "limits = TextLimits(TokenCounter(find_tokenizer('minnow')), 1024, 160)\n"
        "checker = Checker([Path(sys.argv[1])], CheckSettings(limits=limits), Findings())\n"
        "for step in (checker.check_rows(), checker.compare_rows()):\n"
        "    for _ in step: pass\n"
        "assert checker.statistics()['answers']['distinct'] == 999_983\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 300
