"""Every row is accounted for, and files change together or not at all."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.data.prepare.account import Account
from goldfish_cli.data.prepare.output import PreparedFile, provenance, refuse_empty
from goldfish_cli.errors import AnnotationError, InputError, UsageError

STEPS = st.lists(st.sampled_from(["write", "no-answer", "link", "missing-video"]), max_size=30)


@given(steps=STEPS)
def test_what_is_read_is_written_or_dropped(steps: list[str]) -> None:
    account = Account("test")
    for step in steps:
        account.read()
        account.write() if step == "write" else account.drop(step)
    account.close()
    assert account.num_read == account.num_written + sum(account.dropped.values())
    assert list(account.dropped) == sorted(account.dropped)


@pytest.mark.parametrize("num_read", [1, 3])
def test_a_row_lost_or_counted_twice_is_a_bug(num_read: int) -> None:
    account = Account("test")
    account.read(num_read)
    account.write()
    account.drop("link")
    with pytest.raises(RuntimeError, match=f"read {num_read} rows, but wrote 1 and dropped 1"):
        account.close()


def save(path: Path, items: list[dict[str, object]], dropped: int = 0) -> None:
    account = Account("test")
    with PreparedFile(path, account, provenance=provenance("test", [])) as output:
        for item in items:
            account.read()
            output.write(item)
        for number in range(dropped):
            account.read()
            output.drop({"row": number}, "link", "only a link")


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
@given(
    items=st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()),
            max_size=4,
        ),
        max_size=5,
    )
)
def test_items_are_read_back_as_they_were_written(
    name: str, items: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("out") / name
    save(path, items)
    text = path.read_text(encoding="utf-8")
    lines = text.strip("\n").split("\n")
    if name.endswith(".json"):
        assert json.loads(text) == items
        assert len(lines) == (len(items) + 2 if items else 1)
    else:
        assert [json.loads(line) for line in lines if line] == items


def test_half_a_surrogate_pair_survives(tmp_path: Path) -> None:
    save(tmp_path / "data.json", [{"a": "\ud83d"}])
    assert json.loads((tmp_path / "data.json").read_text()) == [{"a": "\ud83d"}]


def test_rows_that_were_dropped_stand_beside_the_data_with_the_reason(tmp_path: Path) -> None:
    save(tmp_path / "data.json", [{"a": 1}], dropped=2)
    lines = (tmp_path / "data.dropped.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"row": {"row": number}, "reason": "link", "detail": "only a link"} for number in range(2)
    ]
    counts = json.loads((tmp_path / "data.provenance.json").read_text())
    assert (counts["read"], counts["written"], counts["dropped"]) == (3, 1, {"link": 2})


def test_no_rows_of_an_earlier_run_are_left_among_the_dropped(tmp_path: Path) -> None:
    save(tmp_path / "data.json", [{"a": 1}], dropped=1)
    save(tmp_path / "data.json", [{"a": 1}])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.json",
        "data.provenance.json",
    ]


def test_a_failure_leaves_the_files_of_the_earlier_run(tmp_path: Path) -> None:
    save(tmp_path / "data.json", [{"a": 1}], dropped=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    account = Account("test")
    with (
        pytest.raises(ZeroDivisionError),
        PreparedFile(tmp_path / "data.json", account, provenance={}) as output,
    ):
        output.write({"a": 2})
        output.drop({}, "link")
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_row_that_is_not_accounted_for_changes_no_file(tmp_path: Path) -> None:
    account = Account("test")
    with (
        pytest.raises(RuntimeError),
        PreparedFile(tmp_path / "data.json", account, provenance={}) as output,
    ):
        output.write({"a": 2})
    assert list(tmp_path.iterdir()) == []


def test_provenance_names_contents_not_places(tmp_path: Path) -> None:
    texts = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        source = tmp_path / folder / "clips.csv"
        source.write_text("a,b\n")
        record = provenance("cmd", [source], {"videos": tmp_path / folder / "clips"})
        texts.append(json.dumps(record))
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]


def test_an_output_of_another_kind_or_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither \.json nor \.jsonl"):
        PreparedFile(tmp_path / "data.csv", Account("test"), provenance={})
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        save(tmp_path / "file" / "data.json", [])


def test_nothing_is_no_dataset() -> None:
    account = Account("test")
    account.read(2)
    account.drop("link", 2)
    with pytest.raises(AnnotationError, match="None of 2 rows is left: link 2"):
        refuse_empty(account)


def test_nothing_that_is_read_and_no_folder_is_written_over(tmp_path: Path) -> None:
    read = tmp_path / "k.dropped.jsonl"
    read.write_text("{}\n")
    (tmp_path / "folder.json").mkdir()
    for out in (tmp_path / "k.json", tmp_path / "x" / ".." / "k.dropped.jsonl"):
        with pytest.raises(UsageError, match="what is read"):
            PreparedFile(out, Account("test"), provenance={}, inputs=[read])
    with pytest.raises(UsageError, match="is a folder"):
        PreparedFile(tmp_path / "folder.json", Account("test"), provenance={})
    assert read.read_text() == "{}\n"
