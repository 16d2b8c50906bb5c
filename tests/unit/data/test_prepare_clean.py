from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prep_parts import read_rows, write_rows

from goldfish_cli.data.items import Item, scan_items, to_record
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.clean import EXTRA_RULES, RULES, Cleaner, CleanSettings
from goldfish_cli.data.prepare.mending import repair_encoding, trim
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.data.prepare.rules import (
    caption_rules,
    check_names,
    count_words,
    first_breach,
    is_link,
    too_long,
)
from goldfish_cli.errors import UsageError

ALL = frozenset(RULES) | frozenset(EXTRA_RULES)


def clean(
    source: Path, out: Path, **settings: Any
) -> tuple[list[Any], list[Any], Account, dict[str, int]]:
    """Clean a file; return its rows, the dropped ones, the account, and what was mended."""
    cleaner = Cleaner(source, CleanSettings(**settings))
    account = Account("clean")
    if cleaner.needs_survey:
        list(cleaner.survey())
    with PreparedFile(out, account, provenance={}) as output:
        list(cleaner.clean(output, account))
    dropped = read_rows(out.with_name(f"{out.stem}.dropped.jsonl"))
    return read_rows(out), dropped, account, dict(cleaner.mended)


@pytest.mark.parametrize(
    "text",
    [
        "café",
        "naïve \u2013 “quoted”…",
        "Ünïcödé",
        "日本語",
        "Привет",
        "شكرا",
        "€ 5",
        "the dog\u2019s",
        "👍🏽",
        "voilà, déjà vu",
        "œuvre Œuvre",
        "CAFÉ \u2013 È",
    ],
)
@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_utf8_that_was_misread_is_restored_however_often(text: str, wrong: str, times: int) -> None:
    misread = text
    for _ in range(times):
        try:
            misread = misread.encode("utf-8").decode(wrong)
        except UnicodeDecodeError:
            pytest.skip("this byte has no character in Windows-1252")
    assert repair_encoding(misread) == text


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "café",
        "“CAFÉ”",
        "Welcome to the CAFÉ”",
        "CAFÉ\xa0!",
        "AMANHÃ”",
        "MENÜ»",
        "voilà”…",
        "NESTLÉ® and CAFÉ©",
        "Ã©té and été",
        "Ã",
        "10 °C, 5 µm, ½",
        "Ã© 👍",
        "ÇÉ",
        "",
    ],
)
def test_what_may_be_meant_is_left_as_it_is(text: str) -> None:
    assert repair_encoding(text) == text


@given(st.text(max_size=40))
def test_repairs_and_trims_are_idempotent(text: str) -> None:
    assert repair_encoding(repair_encoding(text)) == repair_encoding(text)
    assert trim(trim(text)) == trim(text)
    assert trim(text) in text


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_ascii_is_never_repaired(text: str) -> None:
    assert repair_encoding(text) == text


def test_invisible_characters_are_taken_from_the_ends_only() -> None:
    assert trim("\ufeff\u200b \x00a\u200bb\n\u2060") == "a\u200bb"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://youtu.be/x?t=1", "link"),
        ("<www.a.com>, youtube.com/watch?v=1", "link"),
        ("See https://a.com", None),
        ("Trailer.", "one-word"),
        ("猫", "one-word"),
        ("跑步", None),
        ("Dr.No", "one-word"),
        ("...!?", "empty"),
        ("\u200b—", "empty"),
        ("", "empty"),
        ("Two words", None),
    ],
)
def test_junk_captions_are_told_by_named_rules(text: str, rule: str | None) -> None:
    breach = first_breach(text, caption_rules())
    assert (breach and breach[0]) == rule


def test_words_are_counted_in_every_script() -> None:
    assert count_words("one two,  three\n") == 3
    assert count_words("他在跑步 fast") == 5
    assert too_long(3).check("a b c d") == "4 words, 3 at most"
    assert too_long(3).check("abcd") == ""


def test_a_long_text_of_dots_is_no_trap() -> None:
    assert not is_link("a." * 50_000)


def test_an_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="nonsense") as caught:
        check_names(["nonsense"], ["empty", "link"], option="--without")
    assert "empty, link" in caught.value.hint


ROWS = [
    {"video_name": "a.mp4", "question": " What? ", "answer": "A cat.\u200b"},
    {"video_id": "a", "q": "what?", "a": "a  CAT."},  # the same again
    {"video_id": "b", "q": "What?", "a": "A cat."},  # of another video
    {"video_id": "b", "q": "Why?", "a": "..."},
    {"video_id": "b", "q": "Why?", "a": "word " * 400},
    {"video_id": "b", "q": "Where?", "a": "In the cafÃ©."},
    {"video_id": "b", "q": "Where?"},
    "nonsense",
    {"id": 1, "video": "c.mkv", "conversations": [{"from": "human", "value": "<video>\nWho?"}]},
    {
        "video": "c.mkv",
        "conversations": [
            {"from": "human", "value": "<video>\nWho?"},
            {"from": "gpt", "value": "A dog"},
            {"from": "human", "value": "Where?"},
            {"from": "gpt", "value": "!"},
        ],
    },
    {"image_id": "d", "caption": "Subscribe to our channel", "title": " Jaws "},
    {"image_id": "e", "caption": "subscribe to our  channel"},
    {"image_id": "f", "caption": "A shark.", "imdbid": "tt1", "title": " Jaws "},
    {"image_id": "g", "caption": "A shark.", "imdbid": "tt1"},
]


def test_rows_are_mended_or_dropped_for_a_reason(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    rows, dropped, account, mended = clean(source, tmp_path / "out.json")
    assert rows == [
        {"video_id": "a", "q": "What?", "a": "A cat."},
        {"video_id": "b", "q": "What?", "a": "A cat."},
        {"video_id": "b", "q": "Where?", "a": "In the café."},
        {"image_id": "f", "caption": "A shark.", "imdbid": "tt1", "title": "Jaws"},
        {"image_id": "g", "caption": "A shark.", "imdbid": "tt1"},
    ]
    assert [row["reason"] for row in dropped].count("repeated-caption") == 2
    assert account.num_read == len(ROWS)
    assert account.num_written == len(rows)
    assert account.dropped["duplicate"] == 1
    assert account.dropped["empty"] == 2
    assert account.dropped["too-long"] == 1
    assert sum(account.dropped.values()) == len(dropped) == len(ROWS) - len(rows)
    assert dropped[0]["row"] == ROWS[1], "what is dropped is shown as it was read"
    assert mended == {"keys": 1, "trim": 2, "encoding": 1}
    turn = next(row for row in dropped if row["detail"].startswith("turn 2"))
    assert turn["reason"] == "empty"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_can_be_switched_off(rule: str, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ROWS)
    _, _, with_it, mended_with = clean(source, tmp_path / "a.json", rules=frozenset(RULES))
    without = frozenset(RULES) - {rule}
    _, _, without_it, mended_without = clean(source, tmp_path / "b.json", rules=without)
    assert rule in with_it.dropped or rule in mended_with
    assert rule not in mended_without
    if rule != "empty":  # a text of nothing at all is dropped always
        assert rule not in without_it.dropped
    assert without_it.dropped.get("empty", 0) < 2 or rule != "empty"


def test_rules_against_junk_captions_can_be_switched_on(tmp_path: Path) -> None:
    rows = [
        {"image_id": "a", "caption": "https://a.com"},
        {"image_id": "b", "caption": "Trailer"},
        {"video_id": "b", "q": "What?", "a": "Trailer"},
    ]
    source = write_rows(tmp_path / "in.jsonl", rows)
    assert clean(source, tmp_path / "a.json")[2].dropped == {}
    assert clean(source, tmp_path / "b.json", rules=ALL)[2].dropped == {"link": 1, "one-word": 1}


def test_a_caption_may_stand_in_as_many_films_as_asked(tmp_path: Path) -> None:
    rows = [{"image_id": name, "caption": "Coming soon"} for name in "abc"]
    source = write_rows(tmp_path / "in.jsonl", rows)
    assert clean(source, tmp_path / "a.json", max_films=2)[2].dropped == {"repeated-caption": 3}
    assert clean(source, tmp_path / "b.json", max_films=3)[2].dropped == {}


texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "A cat.",
            "a  cat.",
            "cafÃ©",
            "Ã©\u2003",
            "Â\xa0x",
            "\u200b",
            "...",
            "https://a.com",
            "w " * 9,
        ]
    ),
)
ids = st.sampled_from(["a", "-b.c", " 7 ", "2012-01-01", "\ufeff"])
items = st.one_of(
    st.fixed_dictionaries({"video_id": ids, "q": texts, "a": texts}),
    st.fixed_dictionaries({"image_id": ids, "caption": texts}, optional={"imdbid": ids}),
    st.fixed_dictionaries({"video_name": ids, "question": texts, "answer": texts, "t": texts}),
    st.fixed_dictionaries(
        {
            "video_id": ids,
            "conversations": st.lists(
                st.fixed_dictionaries({"q": texts, "a": texts}), min_size=1, max_size=3
            ),
        }
    ),
    st.fixed_dictionaries({"video_id": ids}),
)


@settings(max_examples=60)
@given(
    rows=st.lists(items, min_size=1, max_size=8),
    rules=st.sets(st.sampled_from(sorted(ALL))),
    max_words=st.integers(1, 9),
)
def test_cleaning_twice_is_cleaning_once(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    rules: set[str],
    max_words: int,
) -> None:
    folder = tmp_path_factory.mktemp("clean")
    chosen: dict[str, Any] = {"rules": frozenset(rules), "max_words": max_words}
    source = write_rows(folder / "in.jsonl", rows)
    once, _, account, _ = clean(source, folder / "once.jsonl", **chosen)
    assert account.num_read == len(rows) == account.num_written + sum(account.dropped.values())
    if once:
        twice, dropped, _, mended = clean(folder / "once.jsonl", folder / "twice.jsonl", **chosen)
        assert (folder / "twice.jsonl").read_bytes() == (folder / "once.jsonl").read_bytes()
        assert (dropped, mended) == ([], {})
        assert twice == once
        for item in scan_items(folder / "once.jsonl"):
            assert isinstance(item, Item)
            assert to_record(item) == item.raw


def test_real_files_pass_through_and_stay_as_they_are_the_second_time(
    shared_folder: Path, tmp_path: Path
) -> None:
    for name in ("PAIRED_msvd_ysTmUTQ5wZE_17_45.json", "PAIRED_videochatgpt_v_TpB_zMG3XBA.json"):
        _, _, account, _ = clean(shared_folder / "data/qa" / name, tmp_path / "once.json")
        assert account.num_written > 0
        clean(tmp_path / "once.json", tmp_path / "twice.json")
        assert (tmp_path / "once.json").read_bytes() == (tmp_path / "twice.json").read_bytes()
