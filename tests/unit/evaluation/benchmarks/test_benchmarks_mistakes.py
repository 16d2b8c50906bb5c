"""Files that cannot be read: one line with the file, the row, what is wrong, and what to try."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.errors import AnnotationError, UsageError
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS, find_benchmark
from goldfish_cli.evaluation.items import EvalItem

GOOD = {"video_name": "a", "question": "who?", "answer": "man"}
FIVE = {f"a{place}": f"thing {place}" for place in range(5)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("msvd", [GOOD, GOOD | {"answer": " "}], "Item 2 of f.json has an empty answer"),
        ("msvd", [GOOD, {"video_name": "a", "question": "q"}], "Item 2 of f.json has no answer: it "
         "has video_name, question"),
        ("msvd", [GOOD | {"answer": ["x"]}], "Item 1 of f.json has as answer list, not text"),
        ("msvd", [GOOD | {"answer": True}], "has as answer bool, not text"),
        ("msvd", [GOOD, 5], "Item 2 of f.json is int, not an object"),
        ("msvd", [], "f.json holds no questions"),
        ("msvd", "", "f.json holds nothing"),
        ("msvd", '[{"video_name": "a",', "f.json is not readable JSON"),
        ("msvd", "just some text", "f.json holds no questions"),
        ("msvd", "some text\nand more", "Line 2 of f.json has no question: it has some text"),
        ("msvd", [GOOD | FIVE], "has options (a0, a1, a2), but these questions are open"),
        ("msvd", [GOOD | {"question": "q\n(A) x\n(B) y"}], "has options (inside the question)"),
        ("msvd", [GOOD | {"video_name": "tumblr_ab"}], "as TGIF-QA does, not MSVD-QA"),
        ("tgif-count", [GOOD], "has the answer 'man', not a number"),
        ("tgif-frame", [GOOD | {"vid_id": "COUNT4"}], "COUNT4, which is not of tgif-frame"),
        ("activitynet", [GOOD | {"type": 9}], "is of type '9', ActivityNet-QA has 0 to 8"),
        ("nextqa", [GOOD | {"type": "CW"}], "has no options a0 to a4"),
        ("nextqa", [GOOD | FIVE | {"type": "CW", "answer": 5}], "its options are 0 to 4"),
        ("nextqa", [GOOD | FIVE | {"type": "XX", "answer": 1}], "is of type 'XX'"),
        ("tvqa", [{"q": "q", "vid_name": "a", "ts": "soon"} | FIVE], "has as ts 'soon', not a"),
        ("tvqa", [{"q": "q", "vid_name": "a", "ts": "x-y"} | FIVE], "which are no times"),
        ("tvqa-long", {"Castle": {"season_1": {"episode_1": []}}}, "Castle, season_1, episode_1"),
        ("videochatgpt", [GOOD], "the name of the file does not tell which"),
        ("egoschema", [GOOD | {"options": ["x", "y"]}], "has 2 options, EgoSchema has 5"),
        ("egoschema", [GOOD], "has no options, neither in a list nor inside the question"),
        ("videomme", [{"video_id": "a", "questions": "x"}], "not a list of questions"),
        ("mlvu", [GOOD | {"options": ["x", "y"]}], "names no task"),
        ("mvbench", [GOOD | {"options": ["x", "y"]}], "is of no task of MVBench: 'f'"),
        ("lvbench", [GOOD | {"options": ["x", "y"]}], "neither question_type nor time_reference"),
        ("shapes", [GOOD], "Item 1 of f.json has no video"),
        ("films", [{"video_id": "a", "q": "q", "a": "a", "family": "f"}], "has no spans"),
        ("custom", [{"question": "q", "answer": "a"}], "names no video"),
        ("custom", [{"video": "a", "answer": "a"}], "has no question"),
        ("custom", [GOOD | {"rule": "guess"}], "has the rule 'guess'"),
        ("custom", [GOOD | {"start": "soon"}], "has as start 'soon', not a number of seconds"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(
    write: Any, name: str, content: Any, message: str
) -> None:
    with pytest.raises(AnnotationError) as caught:
        BENCHMARKS[name].read([write("f.json", content)])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


KEYS = (
    *("video", "video_name", "video_id", "q", "question", "a", "answer", "answer_idx", "options"),
    *("candidates", "a0", "a1", "a2", "type", "question_type", "task_type", "ts", "spans", "qid"),
    *("questions", "qa", "messages", "start", "time_reference", "family", "duration", "correct"),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "x", "0", "A", "count"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
documents = (
    st.lists(st.dictionaries(st.sampled_from(KEYS), values, max_size=10), max_size=3) | values
)


@settings(max_examples=150)
@given(document=documents, name=st.sampled_from(sorted(BENCHMARKS)))
def test_nothing_in_a_file_is_a_bug(
    tmp_path_factory: pytest.TempPathFactory, document: Any, name: str
) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "anything.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with suppress(AnnotationError):
        items = BENCHMARKS[name].read([path])
        assert all(isinstance(item, EvalItem) and BENCHMARKS[name].prompt(item) for item in items)


def test_rows_of_tables_are_told_by_their_line(write: Any) -> None:
    text = 'video_name,question,answer\na,"who\nis it?",man\na,who?,\n'
    with pytest.raises(AnnotationError, match=r"Line 4 of f\.csv has an empty answer"):
        BENCHMARKS["msvd"].read([write("f.csv", text)])


def test_questions_and_answers_need_each_other(write: Any) -> None:
    questions = write("q.json", [{"video_name": "a", "question": "q?", "question_id": "1"}])
    answers = write("a.json", [{"answer": "a", "type": 0, "question_id": "2"}])
    with pytest.raises(AnnotationError, match=r"q\.json has no answer") as caught:
        BENCHMARKS["activitynet"].read([questions])
    assert caught.value.hint.startswith("Name the file of answers as well.")
    with pytest.raises(AnnotationError, match=r"a\.json answers 2, which no question asks"):
        BENCHMARKS["activitynet"].read([questions, answers])


def test_one_wording_is_not_consistency(write: Any) -> None:
    row = {"video_name": "v", "question_id": "1", "answer": "a", "question": "q"}
    with pytest.raises(AnnotationError, match="asks 1 in 1 wording, not in two"):
        BENCHMARKS["videochatgpt"].read([write("Consistency_QA1.csv", [row])])


def test_a_missing_file_and_no_file_are_told(tmp_path: Any) -> None:
    for name, benchmark in BENCHMARKS.items():
        with pytest.raises(AnnotationError, match="cannot be read"):
            benchmark.read([tmp_path / name])
        with pytest.raises(AnnotationError, match="no annotation file"):
            benchmark.read([])


def test_an_object_of_a_thousand_keys_is_told_in_a_line(write: Any) -> None:
    with pytest.raises(AnnotationError) as caught:
        BENCHMARKS["custom"].read([write("f.json", {f"key {n}": n for n in range(1000)})])
    assert len(str(caught.value)) < 300


def test_an_unknown_benchmark_names_the_nearest() -> None:
    for name in ("MSVD", "msvd-qa", "MSVD_QA"):
        assert find_benchmark(name).title == "MSVD-QA"
    with pytest.raises(UsageError, match="no benchmark 'msvdd'") as caught:
        find_benchmark("msvdd")
    assert caught.value.hint.startswith("Did you mean msvd? Known: msvd, msrvtt, ")
    with pytest.raises(UsageError) as caught:
        find_benchmark("zzz")
    assert caught.value.hint.startswith("Known: ")


def test_every_benchmark_tells_where_it_is_from() -> None:
    assert len(BENCHMARKS) == 21
    for name, one in BENCHMARKS.items():
        assert one.name == name
        assert one.title and one.split and one.metric and one.source and one.by
    assert [name for name, one in BENCHMARKS.items() if one.cuts] == ["mvbench"]
    long = {name for name, one in BENCHMARKS.items() if one.is_long}
    assert long == {"tvqa-long", "videomme", "mlvu", "lvbench", "films"}


def test_the_prompt_asks_for_what_can_be_scored() -> None:
    item = EvalItem("1", "a", "Who?", ("x",))
    assert with_form(item) == "Who?\nAnswer with a word or a short phrase."
    choice = EvalItem("1", "a", "Who?", ("x",), rule="choice", options=("x", "y"), correct=0)
    assert with_form(choice) == "Who?\n(A) x\n(B) y\nAnswer with the letter."
    assert with_form(EvalItem("1", "a", "Who?", ("2",), rule="count")).endswith("with a number.")
    assert with_form(EvalItem("1", "a", "Who?", ("x",), rule="judged")) == "Who?"
