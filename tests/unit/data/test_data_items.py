"""Annotations of every known shape become items; what prep writes is read back as the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.annotations import read_annotations
from goldfish_cli.data.items import BadItem, Item, estimate_items, read_item, scan_items, to_record
from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import PreparedFile
from goldfish_cli.errors import AnnotationError

TEXTS = st.text(min_size=1, max_size=30).map(str.strip).filter(bool)
IDS = TEXTS | st.sampled_from(["-Tz_x", "00123", "1e5", "2012-01-01", "a.b.mp4", "3.14", "p/x"])
EXTRA = st.dictionaries(
    st.sampled_from(["length", "title", "split", "year", "system", "id", "type"]),
    st.none() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=3)),
    max_size=3,
)
QUESTIONS = TEXTS.filter(lambda text: "<video>" not in text and "<image>" not in text)
TURNS = st.lists(st.tuples(QUESTIONS, TEXTS), min_size=1, max_size=3).map(tuple)


def item(id: str, turns: Any, caption: str | None, extra: dict[str, Any]) -> Item:
    return Item(1, id, () if caption else turns, caption, extra, {})


ITEMS = st.builds(item, id=IDS, turns=TURNS, caption=st.none() | TEXTS, extra=EXTRA)


def meaning(row: Item | BadItem) -> object:
    assert isinstance(row, Item), row
    return row.id, row.turns, row.caption, row.extra


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
@given(items=st.lists(ITEMS, max_size=4))
def test_reading_what_was_written_is_the_identity(
    name: str, items: list[Item], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("items") / name
    account = Account("test")
    account.read(len(items))
    with PreparedFile(path, account, provenance={}) as output:
        for each in items:
            output.write(to_record(each))
    if not items and name.endswith("l"):
        with pytest.raises(AnnotationError, match="holds nothing"):
            list(scan_items(path))
    else:
        assert [meaning(row) for row in scan_items(path)] == [meaning(each) for each in items]


def write(folder: Path, content: Any, name: str = "data.json", encoding: str = "utf-8") -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def only(path: Path) -> Item:
    (row,) = scan_items(path)
    assert isinstance(row, Item), row
    return row


ASKED = (("Who?", "Me."),)
SHAPES: dict[str, dict[str, Any]] = {
    "VideoInstruct": {"video_id": "v", "q": "Who?", "a": "Me."},
    "the original's": {"video_id": "v", "q": "Who?", "a": "Me.", "length": 4},
    "MSVD": {"video_name": "v", "question": "Who?", "answer": "Me."},
    "benchmark": {"video_name": "v", "Q": " Who? ", "A": "Me."},
    "LLaVA": {
        "id": "7",
        "video": "v.mp4",
        "conversations": [
            {"from": "human", "value": "<video>\nWho?"},
            {"from": "gpt", "value": "Me."},
        ],
    },
    "ShareGPT": {
        "videos": ["v.mp4"],
        "conversations": [
            {"from": "human", "value": "Who?<video>"},
            {"from": "gpt", "value": "Me."},
        ],
    },
    "ms-swift": {
        "videos": ["v.mp4"],
        "messages": [
            {"role": "user", "content": "<video>Who?"},
            {"role": "assistant", "content": "Me."},
        ],
    },
    "OpenAI": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "video", "video": "v.mp4"},
                    {"type": "text", "text": "Who?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Me."}]},
        ]
    },
    "older ms-swift": {"query": "<video>Who?", "response": "Me.", "videos": ["v.mp4"]},
    "TGIF": {"gif_name": "v", "question": "Who?", "answer": "Me.", "description": "A man."},
    "IG-VLM": {"video_id": "1203", "video_name": "v", "question": "Who?", "answer": "Me."},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["list", "annotations", "lines", "map", "utf-16"])
def test_every_shape_is_read_from_every_form(tmp_path: Path, shape: str, form: str) -> None:
    record = SHAPES[shape]
    if form == "lines":
        path = write(tmp_path, json.dumps(record) + "\n\n", "data.jsonl")
    elif form == "utf-16":
        path = write(tmp_path, [record], encoding="utf-16")
    else:
        forms = {
            "list": [record],
            "annotations": {"info": {"x": 1}, "annotations": [record]},
            "map": {"first": record},
        }
        path = write(tmp_path, forms[form])
    row = only(path)
    assert (row.id, row.turns, row.caption) == ("v", ASKED, None)


def test_lines_are_lines_whatever_the_name(tmp_path: Path) -> None:
    record = json.dumps({"video_id": "v", "caption": "A fish."})
    path = write(tmp_path, f"{record}\n{record}\n")
    assert [row.number for row in scan_items(path)] == [1, 2]


def test_dialogues_keep_their_turns_and_the_system_prompt(tmp_path: Path) -> None:
    words = ["Be brief.", "Who?", "Me.", "Why?", "So."]
    roles = ["system", "user", "assistant", "user", "assistant"]
    messages = [{"role": r, "content": w} for r, w in zip(roles, words, strict=True)]
    row = only(write(tmp_path, [{"videos": ["v.mp4"], "messages": messages}]))
    assert row.turns == (("Who?", "Me."), ("Why?", "So."))
    assert row.extra == {"system": "Be brief."}
    assert to_record(row) == {
        "video_id": "v",
        "conversations": [{"q": "Who?", "a": "Me."}, {"q": "Why?", "a": "So."}],
        "system": "Be brief.",
    }


def test_an_earlier_dialogue_comes_before_the_question() -> None:
    history = [["Who?", "Me."]]
    row = read_item(1, {"query": "Why?", "response": "So.", "history": history, "videos": ["v"]})
    assert isinstance(row, Item)
    assert row.turns == (("Who?", "Me."), ("Why?", "So."))


def test_captions_of_webvid_stand_with_their_page() -> None:
    row = read_item(1, {"videoid": "21", "name": "A fish - red.", "page_dir": "0001_0050"})
    assert isinstance(row, Item)
    assert (row.id, row.caption, row.extra) == ("0001_0050/21", "A fish - red.", {})


TABLES = {
    "a header": "video_id,q,a\nv,Who?,Me.\n",
    "a header in capitals": "Video_ID;Question;Answer\nv;Who?;Me.\n",
    "no header": "v,Who is it?,Me.\nw,Why is it?,So.\n",
    "no header and row numbers": "0\tv\tWho is it?\tMe.\n1\tw\tWhy is it?\tSo.\n",
    "no header, answer first": "v|I am it.|Who is it?\nw|So it is.|Why is it?\n",
    "a length": "v,Who is it?,I am.,12.5\nw,Why is it?,It is.,3\n",
    "one line": "v,Who is it?,I am it.",
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_with_and_without_a_header(
    tmp_path: Path, kind: str, encoding: str
) -> None:
    row = next(scan_items(write(tmp_path, TABLES[kind], "data.csv", encoding)))
    assert isinstance(row, Item)
    assert row.id == "v"
    assert row.turns[0][0].startswith("Who")
    assert not row.turns[0][1].endswith("?")


def test_quoted_line_breaks_belong_to_the_text(tmp_path: Path) -> None:
    text = 'video_id,q,a\nv,"Who\nis it?","Me, ""myself""\r\nand I."\n'
    assert only(write(tmp_path, text, "data.csv")).turns == (
        ("Who\nis it?", 'Me, "myself"\r\nand I.'),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video_id,frames\nv,3\n", "no column for the question or the caption"),
        ("question,answer\nWho?,Me.\n", "no column for the video"),
        ("video_id,question\nv,Who?\n", "no column for the answer"),
        ("file,prompt,reply\nv,Who is it?,It is me.\nw,Why is it?,It is so.\n", "no column for"),
        ("a,b,c,d,e,f\n1,2,3,4,5,6\n", "what its 6 columns hold cannot be told"),
        ("just a line of prose\nand another one\n", "no table"),
        ("video_id,q,a,q\nv,Who?,Me.,Why?\n", "more than one column q"),
        ("video_id,q,a\nv,Who?\n", "Line 2 of data.csv has 2 columns"),
    ],
)
def test_a_table_that_is_none_says_what_it_lacks(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        list(scan_items(write(tmp_path, text, "data.csv")))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"q": "Who?", "a": "Me."}, "no-id"),
        ({"video_id": "", "q": "Who?", "a": "Me."}, "no-id"),
        ({"video_id": "v", "q": "Who?"}, "no-answer"),
        ({"video_id": "v", "q": " ", "a": "Me."}, "no-question"),
        ({"video_id": "v", "caption": ""}, "no-caption"),
        ({"video_id": "v", "q": "Who?", "a": 3}, "answer-not-text"),
        ({"video_id": "v", "q": "Who?", "a": "2", "a1": "I", "a2": "You"}, "multiple-choice"),
        ({"videos": ["v.mp4", "w.mp4"], "q": "Who?", "a": "Me."}, "several-videos"),
        ({"video_id": "v", "conversations": "Who?"}, "bad-turns"),
        ({"video_id": "v", "conversations": [{"from": "gpt", "value": "Me."}]}, "bad-turns"),
        (
            {
                "video_id": "v",
                "messages": [
                    {"role": "user", "content": "<video>"},
                    {"role": "assistant", "content": "Me."},
                ],
            },
            "no-question",
        ),
        (["v", "Who?", "Me."], "not-an-object"),
    ],
)
def test_an_item_that_cannot_be_used_has_a_reason(record: Any, reason: str) -> None:
    row = read_item(1, record)
    assert isinstance(row, BadItem)
    assert (row.reason, row.raw) == (reason, record)
    assert row.detail


def test_a_number_as_answer_is_fine_where_it_is_one_of_the_choices() -> None:
    record = {"video": "v.mp4", "question": "How many?", "answer": "8", "candidates": ["7", "8"]}
    assert isinstance(read_item(1, record), Item)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"video_id": "v", "q": "Who?", "a": "Me."},', "not readable JSON"),
        ('[{"video_id": "v",}]', r"not readable JSON: .* line 1"),
        ('{\n"first": [1]}', "no list of annotations"),
        ('{"annotations": {"a": 1}}', "no list of annotations"),
        ('{"video_id": "v", "q": "Who?", "a": "Me."}\n{"video_id": ', "Line 2 of data.json"),
        ("  \n", "holds nothing"),
        ("video_id,q,a\n", "not readable JSON: it begins with 'video_id"),
    ],
)
def test_json_that_is_broken_says_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        list(scan_items(write(tmp_path, text)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
def test_an_item_of_200_megabytes_is_refused(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.write(b"[" if name == "data.json" else b"")
        file.write(b'{"video_id": "v", "caption": "')
        file.writelines([b"x" * 10**6] * 200)
    with pytest.raises(AnnotationError, match=r"(is|item) longer than"):
        list(scan_items(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [
        ("[\n{},\n{}\n]\n", "data.json", 4),
        ("[{},{}]", "data.json", None),
        ("[\n {\n }\n]", "data.json", None),
        ("{}\n{}\n", "data.jsonl", 2),
        ("video_id,q,a\n", "data.csv", 1),
    ],
)
def test_items_are_counted_by_line_where_they_have_one(
    tmp_path: Path, text: str, name: str, number: int | None
) -> None:
    assert estimate_items(write(tmp_path, text, name)) == number


def test_training_reads_all_that_prep_reads(tmp_path: Path) -> None:
    for shape, record in SHAPES.items():
        (sample,) = read_annotations(write(tmp_path, [record]), tmp_path)
        assert (sample.id, sample.turns) == ("v", ASKED), shape
    (sample,) = read_annotations(write(tmp_path, "video_id,q,a\nv,Who?,Me.\n", "data.csv"))
    assert sample.turns == ASKED


def test_the_real_files_are_read(shared_folder: Path) -> None:
    names = ["PAIRED_*", "Chat-UniVi__*", "IG-VLM__*", "MA-LMM__*", "HQGA__*", "*frameqa*.csv"]
    paths = [path for name in names for path in sorted((shared_folder / "data/qa").glob(name))]
    assert paths
    for path in paths:
        rows = list(scan_items(path))
        assert rows, path.name
        assert not [row for row in rows if isinstance(row, BadItem)], path.name


@pytest.mark.parametrize("key", ["messages", "conversations", "videos"])
@pytest.mark.parametrize("value", [5, "text", {"a": 1}, [5], [[]], None, True])
def test_a_value_of_the_wrong_type_costs_its_row_alone(key: str, value: object) -> None:
    found = read_item(1, {"id": "a", key: value})
    assert isinstance(found, BadItem)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 5000, '[{"id": ' + "9" * 5000 + "}]"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_too_deep_or_too_long_a_number_is_refused_by_name(
    text: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"odd{suffix}"
    path.write_text(text)
    with pytest.raises(AnnotationError, match="odd"):
        list(scan_items(path))
