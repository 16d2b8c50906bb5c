"""Tables of any delimiter and encoding are read as text; broken ones are named with the line."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.prepare.tables import read_table
from goldfish_cli.data.text_files import find_encoding
from goldfish_cli.errors import AnnotationError

COLUMNS = ("videoid", "description")
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def read(path: Path) -> list[dict[str, str]]:
    return list(read_table(path, required=COLUMNS, what="the descriptions"))


def table(rows: list[list[str]], *, delimiter: str = ",", end: str = "\r\n") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([COLUMNS, *rows])
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6),
    encoding=st.sampled_from(ENCODINGS),
)
def test_a_table_is_read_back_as_it_was_written(
    delimiter: str,
    rows: list[list[str]],
    encoding: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_bytes(table(rows, delimiter=delimiter).encode(encoding))
    assert read(path) == [dict(zip(COLUMNS, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Elle a été très étonnée ; il préfère rester à la maison.", "cp1252"),
        ("Мальчик уже съел пирог и теперь смотрит в окно на улицу", "cp1251"),
        ("男の子はもうケーキを食べて、窓から通りを見ています。", "cp932"),
        ("Violet Crawley\u2019s legacy", "utf-16-le"),
        ("Violet Crawley\u2019s legacy", "utf-16-be"),
    ],
)
def test_encodings_without_a_mark_are_recognised(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(table([[f"v{n}", text] for n in range(30)]).encode(encoding))
    assert [row["description"] for row in read(tmp_path / "t.csv")] == [text] * 30


@pytest.mark.parametrize("name", ["-Tz_x", "00123", "1e5", "2012-01-01", "3.14", "a.b.c", "=1+1"])
def test_ids_stay_the_text_that_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text(table([[name, "x"]]))
    assert read(tmp_path / "t.csv")[0]["videoid"] == name


def test_empty_lines_and_a_column_of_row_numbers_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",videoid,description\n\n0,a,x\n\n1,b,y\n")
    assert [row["videoid"] for row in read(tmp_path / "t.csv")] == ["a", "b"]


GOOD = table([["a", "one"], ["b", "two"], ["c", 'three, "3"']], end="\n").encode()
BROKEN = {
    "a row that was cut": (GOOD + b"d", "Line 5 of t.csv has 1 columns, the first has 2"),
    "a quote that was cut": (GOOD[:-4], "Line 4 of t.csv cannot be read"),
    "another delimiter": (GOOD.replace(b",", b"^"), "no column videoid, description"),
    "another delimiter below": (GOOD[:20] + GOOD[20:].replace(b",", b"\t"), "Line 2 of t.csv"),
    "a missing column": (b"videoid,text\na,b\n", "no column description: .*'videoid,text'"),
    "nothing": (b"", "no column videoid"),
    "a header twice": (b"videoid,description,videoid\na,b,c\n", "more than one column videoid"),
    "an archive": (gzip.compress(GOOD, mtime=0), "not text"),
    "two encodings": (
        GOOD + "d,caf\u00e9\n".encode() + "e,caf\u00e9 au lait\n".encode("cp1252"),
        "mixes encodings: line 6 is not UTF-8",
    ),
    "half a character": (table([["a", "é"]]).encode("utf-16")[:-5], "not utf-16"),
    "a quote that never closes": (GOOD + b'd,"' + b"x\n" * 100_000, "Line 5 of t.csv"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_table_is_an_error_that_says_where(tmp_path: Path, kind: str) -> None:
    content, message = BROKEN[kind]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path / "t.csv")
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_line_of_200_megabytes_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(GOOD + b"d,")
        file.writelines([b"x" * 10**6] * 200)
    with pytest.raises(AnnotationError, match=r"Line 5 of t\.csv is longer than"):
        read(tmp_path / "t.csv")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.csv cannot be read: No such file"):
        read(tmp_path / "none.csv")


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_utf_8_is_never_taken_for_anything_else(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_bytes(text.encode())
    assert path.read_bytes().decode(find_encoding(path)) in (text, text.removeprefix("\ufeff"))
