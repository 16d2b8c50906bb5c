# ruff: noqa: RUF001 - letters of many scripts are what is tested here
"""Subtitle files of every kind become the same cues; what is broken is mended or refused."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.errors import SubtitleError
from goldfish_cli.media.cues import Cue
from goldfish_cli.media.subtitle_files import (
    MAX_BYTES,
    MAX_CUE_CHARACTERS,
    SubtitleFile,
    mend_cues,
    read_subtitle_file,
)
from goldfish_cli.media.subtitle_text import decode_text, strip_ass_markup, strip_markup

SHARED = Path(__file__).parents[4] / "shared" / "data" / "subtitles"

SRT = """1
00:00:01,000 --> 00:00:02,500
Hello,
world!

2
00:00:03,000 --> 00:00:04,000
Good bye.
"""
VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE this is said by nobody

intro-1
00:01.000 --> 00:02.500 align:start position:10%
<v Bob>Hello,</v>
<i.loud>world!</i>

NOTE
nor this

00:00:03.000 --> 00:00:04.000
Good bye.
"""
ASS = r"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: broken,not a style at all

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,said by nobody
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Bob,0,0,0,,{\an8\i1}Hello,\N{\i0}world!
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\p1}m 0 0 l 100 0 100 100{\p0}
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,x,0,0,,Good bye.
"""
CUES = (Cue(1.0, 2.5, "Hello,\nworld!"), Cue(3.0, 4.0, "Good bye."))


def read(tmp_path: Path, content: str | bytes, name: str = "clip.srt") -> SubtitleFile:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_subtitle_file(path)


@pytest.mark.parametrize(("content", "kind"), [(SRT, "srt"), (VTT, "vtt"), (ASS, "ass")])
def test_all_formats_give_the_same_cues_whatever_the_file_is_called(
    tmp_path: Path, content: str, kind: str
) -> None:
    file = read(tmp_path, content, "clip.txt")
    assert file.cues == CUES
    assert file.format == kind
    assert file.notes == ()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(tmp_path: Path, line_end: str) -> None:
    assert read(tmp_path, SRT.replace("\n", line_end)).cues == CUES
    assert read(tmp_path, VTT.replace("\n", line_end)).cues == CUES


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:01,000 --> 00:00:02,500",
        "0:0:1.0-->0:0:2.5",
        "00:01.000 --> 00:02.500 line:0 position:20% size:60%",
        "00:00:01 --> 00:00:02,5",
        " 00:00:01,000   ->  00:00:02,500 X1:40 X2:600",
        "0000:00:01.000 --> 0000:00:02.500",
    ],
)
def test_times_are_read_as_people_write_them(tmp_path: Path, timing: str) -> None:
    assert read(tmp_path, f"1\n{timing}\nHello\n").cues == (Cue(1.0, 2.5, "Hello"),)


def test_hours_may_have_more_than_two_digits(tmp_path: Path) -> None:
    assert read(tmp_path, "123:00:01,000 --> 123:00:02,000\nlate\n").cues[0].start == 442_801.0
    assert read(tmp_path, "99:99:99 --> 99:99:99\nlater\n").cues[0].start == 362_439.0


def test_a_last_line_that_is_a_number_is_said(tmp_path: Path) -> None:
    text = SRT.replace("world!", "1984").replace("Good bye.", "It was\n42")
    assert [cue.text for cue in read(tmp_path, text).cues] == ["Hello,\n1984", "It was\n42"]


def test_srt_without_blank_lines_or_numbers_is_read(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo"
    assert [cue.text for cue in read(tmp_path, text).cues] == ["one", "two"]
    text = "00:00:01,000 --> 00:00:02,000\none\n\nmore\n\n00:00:03,000 --> 00:00:04,000\ntwo"
    assert [cue.text for cue in read(tmp_path, text).cues] == ["one\nmore", "two"]


def test_karaoke_times_are_neither_words_nor_cues(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:04.000\n<00:01.500><c> Hello</c><00:02.000><c> you</c>\n"
    assert read(tmp_path, text).cues == (Cue(1.0, 4.0, "Hello you"),)


def test_a_timestamp_map_is_ignored_and_said_to_be(tmp_path: Path) -> None:
    head = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n"
    file = read(tmp_path, VTT.replace("WEBVTT - a title\n", head))
    assert file.cues == CUES
    assert "X-TIMESTAMP-MAP ignored" in file.notes[0]


def test_cues_with_broken_times_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = SRT + "\n3\nNaN --> 00:00:09,000\nnever\n\n4\n00:00:0x --> 1\ntext, said with 2\n"
    file = read(tmp_path, text)
    assert [cue.start for cue in file.cues] == [1.0, 3.0]
    assert "never" not in "".join(cue.text for cue in file.cues)
    assert file.notes == ("clip.srt: 1 caption without a readable time left out",)


def test_ass_lines_with_broken_times_are_left_out_with_a_note(tmp_path: Path) -> None:
    file = read(tmp_path, ASS + "Dialogue: 0,soon,later,Default,,0,0,0,,never\n")
    assert file.cues == CUES
    assert file.notes == ("clip.srt: 1 caption without a readable time left out",)


def test_unsorted_cues_are_sorted_and_overlapping_ones_kept() -> None:
    cues = [Cue(5, 9, "c"), Cue(1, 8, "a"), Cue(1, 2, "b"), Cue(6, 7, "")]
    assert mend_cues(cues) == ([Cue(1, 8, "a"), Cue(1, 2, "b"), Cue(5, 9, "c")], [])


def test_exact_copies_are_dropped() -> None:
    assert mend_cues([Cue(1, 2, "a"), Cue(1, 2, "a"), Cue(2, 3, "a")])[0] == [
        Cue(1, 2, "a"),
        Cue(2, 3, "a"),
    ]


def test_negative_and_inverted_times_are_mended_with_a_note(tmp_path: Path) -> None:
    text = (
        "-00:00:05,000 --> -00:00:02,000\nbefore\n\n-00:00:01,000 --> 00:00:02,000\nacross\n\n"
        "00:00:04,000 --> 00:00:03,000\nbackwards\n"
    )
    file = read(tmp_path, text)
    assert file.cues == (Cue(0.0, 2.0, "across"), Cue(4.0, 4.0, "backwards"))
    assert file.notes == (
        "clip.srt: 1 caption before the start of the video left out",
        "clip.srt: 1 caption that ended before the beginning made instant",
    )


def test_an_endless_caption_is_cut_after_a_word() -> None:
    cues, notes = mend_cues([Cue(0, 1, "word " * 5000)])
    assert len(cues[0].text) <= MAX_CUE_CHARACTERS
    assert set(cues[0].text.split()) == {"word"}
    assert notes == ["1 caption cut to 10000 characters"]


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (r"{\an8}<i>Up</i> here", "Up here"),
        ("<font color='#ff0000'>red</font>", "red"),
        ("<v Bob Smith>Hi</v>", "Hi"),
        ("a<br/>b", "a\nb"),
        ("Tom &amp; Jerry &lt;3&nbsp;&#39;x&#39;", "Tom & Jerry <3 'x'"),
        ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
        ("{laughs} I <3 you", "{laughs} I <3 you"),
        ("{y:i}slanted", "slanted"),
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>", "漢字"),
        ("  a \t b \n\n c ", "a b\nc"),
        ("\u202bשלום\u202c עולם\u200f", "שלום עולם"),
        ("नमस्ते क्‍या", "नमस्ते क्‍या"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍🚀 ♪ la ♪", "👩‍🚀 ♪ la ♪"),
        ("a\0b\ufeffc\x07", "abc"),
    ],
)
def test_markup_goes_and_every_script_stays(markup: str, words: str) -> None:
    assert strip_markup(markup) == words


def test_ass_overrides_comments_and_drawings_are_not_said() -> None:
    assert (
        strip_ass_markup(r"{\k20}One{a remark}\h{\r}two\n{\p2}m 1 1{\p0}three") == "One two\nthree"
    )


SENTENCES = {
    "cp1252": "Où est-elle ?\nÀ bientôt, garçon.\nL'été dernier, nous étions là.\nC'est fini.",
    "cp1250": "Dziękuję bardzo, jesteś cudowną dziewczyną.\nGdzie są moje książki?\nMyślę, że tak.",
    "cp1251": "Слева мы видим...\nСправа мы видим...\nВсё в порядке.",
    "koi8_r": "Слева мы видим...\nСправа мы видим...\nВсё в порядке.",
    "cp1253": "Καλημέρα κόσμε, τι κάνεις;\nΕίμαι καλά",
    "cp1255": "שלום, מה שלומך היום?\nאני בסדר גמור, תודה רבה לך.\nלאן אתה הולך עכשיו?",
    "cp1256": "مرحبا، كيف حالك اليوم؟\nأنا بخير شكرا\nإلى أين أنت ذاهب الآن؟",
    "cp874": "สวัสดีครับ คุณสบายดีไหม\nผมสบายดี ขอบคุณมาก\nวันนี้คุณจะไปไหน",
    "cp932": "こんにちは、元気ですか。\nありがとうございます。\n今日はどこへ行きますか。",
    "gb18030": "你好,你今天怎么样?\n我们走吧。谢谢你。",
    "big5": "你好,你今天怎麼樣?\n我們走吧。謝謝你。",
    "cp949": "안녕하세요, 오늘 어떻게 지내세요?\n감사합니다",
}


@pytest.mark.parametrize(("encoding", "sentences"), SENTENCES.items())
def test_old_encodings_are_recognised_by_what_is_said(
    tmp_path: Path, encoding: str, sentences: str
) -> None:
    text = "".join(
        f"{i}\r\n00:00:0{i},000 --> 00:00:0{i},900\r\n{line}\r\n\r\n"
        for i, line in enumerate(sentences.splitlines())
    )
    cues = read(tmp_path, text.encode(encoding)).cues
    assert [cue.text for cue in cues] == sentences.splitlines()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("sentences", ["Only ASCII here.", SENTENCES["cp1251"], SENTENCES["big5"]])
def test_unicode_is_recognised_with_and_without_a_mark(encoding: str, sentences: str) -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{sentences}\n"
    assert decode_text(text.encode(encoding))[0] == text


def test_the_language_in_the_name_settles_what_letters_cannot(tmp_path: Path) -> None:
    hungarian = "Nagyon szépen köszönöm, hogy eljöttél.\nŐ az én legjobb barátom."
    data = f"00:00:01,000 --> 00:00:02,000\n{hungarian}\n".encode("cp1250")
    path = tmp_path / "clip.hu.srt"
    path.write_bytes(data)
    assert read_subtitle_file(path, language="hu").cues[0].text == hungarian


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (bytes(range(256)) * 40, "not a text file"),
        (b"\0" * 5000, "not a text file|is empty"),
        (b"a letter to a friend, without any times\n", "not a subtitle file"),
        (b"WEBVTT\n\nNOTE nobody speaks\n", "holds no captions"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "holds no captions"),
        (b"-00:00:03,000 --> -00:00:02,000\nx\n", "no captions .1 caption before the start"),
    ],
)
def test_files_without_captions_are_refused_with_a_hint(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(SubtitleError, match=message) as refused:
        read(tmp_path, content)
    assert refused.value.exit_code == 3
    assert refused.value.hint


def test_missing_files_and_folders_are_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match="does not exist") as missing:
        read_subtitle_file(tmp_path / "none.srt")
    with pytest.raises(SubtitleError, match="is a folder") as folder:
        read_subtitle_file(tmp_path)
    assert missing.value.hint and folder.value.hint


def test_a_file_of_fifty_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.srt"
    with path.open("wb") as file:
        file.truncate(50 * 2**20)
    began = time.process_time()
    with pytest.raises(SubtitleError, match=f"larger than {MAX_BYTES // 2**20} MiB"):
        read_subtitle_file(path)
    assert time.process_time() - began < 1


def test_zero_bytes_within_text_are_dropped(tmp_path: Path) -> None:
    assert read(tmp_path, SRT.replace("world", "wor\0ld")).cues == CUES


def test_a_hundred_thousand_cues_are_read_in_seconds(tmp_path: Path) -> None:
    lines = [
        f"{i}\n{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02},000 --> "
        f"{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02},900\n<i>line</i> {i}\n\n"
        for i in range(100_000)
    ]
    began = time.process_time()
    cues = read(tmp_path, "".join(lines)).cues
    assert time.process_time() - began < 10
    assert len(cues) == 100_000
    assert cues[-1] == Cue(99_999.0, 99_999.9, "line 99999")


@pytest.mark.parametrize("junk", ["<", "{", "<a", "{\\", "-", "1", " ", "\n", "&", "--> ", "\\N"])
def test_no_text_makes_reading_slow(tmp_path: Path, junk: str) -> None:
    text = SRT + "\n3\n00:00:05,000 --> 00:00:06,000\n" + junk * (400_000 // len(junk))
    began = time.process_time()
    assert read(tmp_path, text).cues[:2] == CUES
    assert read(tmp_path, ASS + text.replace("\n", "\\N")).cues[:2] == CUES
    assert time.process_time() - began < 3


words = st.text("aZéяשक漢19,.'!?-", min_size=1, max_size=6)
spoken = st.lists(words, min_size=1, max_size=3).map(lambda parts: "so " + " ".join(parts))
timed = st.lists(
    st.tuples(
        st.integers(0, 10**7), st.integers(0, 10**5), st.lists(spoken, min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda item: item[0],
)


def stamp(ms: int, comma: str) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"


@settings(deadline=None, max_examples=50)
@given(cues=timed, is_vtt=st.booleans())
def test_what_is_written_is_read_back(
    cues: list[tuple[int, int, list[str]]], is_vtt: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    blocks = [
        f"{number}\n{stamp(start, '.' if is_vtt else ',')} --> "
        f"{stamp(start + length, '.' if is_vtt else ',')}\n" + "\n".join(lines) + "\n"
        for number, (start, length, lines) in enumerate(cues, 1)
    ]
    path = tmp_path_factory.getbasetemp() / "written.srt"
    path.write_text(("WEBVTT\n\n" if is_vtt else "") + "\n".join(blocks), "utf-8")
    expected = [
        Cue(start / 1000, (start + length) / 1000, "\n".join(lines))
        for start, length, lines in sorted(cues, key=lambda cue: cue[0])
    ]
    assert list(read_subtitle_file(path).cues) == expected


@settings(deadline=None, max_examples=50)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.srt"
    for content in (data, b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + data, ASS.encode() + data):
        path.write_bytes(content)
        try:
            file = read_subtitle_file(path)
        except SubtitleError as error:
            assert error.hint
        else:
            assert all(0 <= cue.start <= cue.end and cue.text for cue in file.cues)


@pytest.mark.skipif(not SHARED.exists(), reason="no real subtitle files here")
@pytest.mark.parametrize("path", sorted(SHARED.glob("*.*")) if SHARED.exists() else [None])
def test_real_files_are_read_without_markup(path: Path) -> None:
    file = read_subtitle_file(path)
    assert len(file.cues) >= 6
    assert not file.notes
    for cue in file.cues:
        assert 0 <= cue.start <= cue.end < 1000
        assert not {"-->", "{\\", "\ufffd", "</", "&lt;", "NOTE", "::cue"} & set(cue.text.split())
