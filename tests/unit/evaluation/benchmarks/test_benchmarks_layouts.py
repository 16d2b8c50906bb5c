"""Each layout in which a benchmark circulates, in files of our own making."""

import json
from typing import Any

import pytest

from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS
from goldfish_cli.evaluation.items import EvalItem

FIVE = {"a0": " one", "a1": "two", "a2": "three", "a3": "four", "a4": "five"}


def read(name: str, *paths: Any) -> list[EvalItem]:
    return BENCHMARKS[name].read(list(paths))


@pytest.mark.parametrize("name", ["test.json", "test.jsonl", "test.csv", "test.tsv"])
def test_msvd_of_any_ending(write: Any, name: str) -> None:
    rows = [{"video_id": 7, "question": "what runs?", "answer": "dog", "id": 3}]
    (item,) = read("msvd", write(name, rows, delimiter="\t"))
    assert item == EvalItem("3", "7", "what runs?", ("dog",), category="what")


@pytest.mark.parametrize("name", ["liar.csv", "liar.json", "liar.jsonl", "liar.txt"])
def test_the_content_tells_what_a_file_is(write: Any, name: str) -> None:
    row = {"video_name": "a_clip", "question": "who?", "answer": "man"}
    as_list = read("msvd", write(name, json.dumps([row])))
    as_lines = read("msvd", write(name, json.dumps(row) + "\n" + json.dumps(row)))
    as_table = read("msvd", write(name, "question\tanswer\tvideo_name\r\nwho?\tman\ta_clip\r\n"))
    assert as_list == as_table == as_lines[:1]


def test_objects_of_items_and_trailing_commas_are_read(write: Any) -> None:
    text = '{"k1": {"video": "v", "question": "why, ]?", "answer": "so",}, }'
    (item,) = read("msrvtt", write("qa.json", text))
    assert item.question == "why, ]?"


def test_a_table_may_count_its_rows_and_hold_lines_in_cells(write: Any) -> None:
    text = ',video_name,question,answer,question_id\n5,-a_b,"who\nis it?",man,q1\n'
    (item,) = read("msvd", write("qa.csv", text))
    assert (item.video, item.question, item.id) == ("-a_b", "who\nis it?", "q1")


def test_repeated_questions_keep_ids_of_their_own(write: Any) -> None:
    row = {"video_name": "a", "question": "who?", "answer": "man"}
    assert [one.id for one in read("msvd", write("a.json", [row, row]))] == ["a#1", "a#2"]
    same = [row | {"question_id": 1}, row | {"question_id": 1}]
    assert [one.id for one in read("msvd", write("a.json", same))] == ["a_1", "a_1#2"]


def test_nextqa_counts_its_questions_within_a_video(write: Any) -> None:
    rows = [
        {"video": video, "question": "why?", "answer": 1, "qid": 0, "type": "CW"} | FIVE
        for video in ("10", "20")
    ]
    first, second = read("nextqa", write("val.csv", rows))
    assert (first.id, second.id) == ("10_0", "20_0")
    assert (first.correct, first.options[0], first.answers) == (1, "one", ("two",))


def test_tgif_is_cut_by_tabs_though_it_is_called_csv(write: Any) -> None:
    text = "gif_name\tquestion\ta1\ta2\ta3\ta4\ta5\tanswer\tvid_id\tkey\r\n"
    text += 'tumblr_x_1\tWhat is "it" ?\t"up" he went\tb\tc\td\te\t0\tACTION3\t9\r\n'
    (item,) = read("tgif-action", write("test.csv", text))
    assert (item.id, item.correct, item.options[0]) == ("ACTION3", 0, '"up" he went')
    text = "gif_name\tquestion\tanswer\tvid_id\tkey\r\ntumblr_x_1\tHow often ?\t4\tCOUNT3\t9\r\n"
    (item,) = read("tgif-count", write("count.csv", text))
    assert (item.rule, item.answers) == ("count", ("4",))
    text = "gif_name\tquestion\tanswer\ttype\tvid_id\r\ntumblr_x_1\twhere ?\tpark\t3\tFRAMEQA1\r\n"
    assert read("tgif-frame", write("frame.csv", text))[0].category == "location"


def test_activitynet_joins_answers_in_any_order(write: Any) -> None:
    questions = write(
        "test_q.json", [{"video_name": "-x", "question": "is it?", "question_id": "v_-x_1"}]
    )
    answers = write("test_a.json", [{"answer": "no", "type": 3, "question_id": "v_-x_1"}])
    expected = [EvalItem("v_-x_1", "-x", "is it?", ("no",), category="yes/no")]
    assert read("activitynet", questions, answers) == expected
    assert read("activitynet", answers, questions) == expected


@pytest.mark.parametrize("kind", range(9))
def test_activitynet_types_have_names(write: Any, kind: int) -> None:
    row = {"video": "a", "question": "q?", "answer": "a", "answer_type": kind}
    names = "motion", "spatial relationship", "temporal relationship", "yes/no", "color", "object"
    names += "location", "number", "other"
    assert read("activitynet", write("a.json", [row]))[0].category == names[kind]


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ("1.5-2", (1.5, 2.0)),
        ([3, 4.5], (3.0, 4.5)),
        ("NaN-NaN", (None, None)),
        ("9-3", (None, None)),
    ],
)
def test_tvqa_times(write: Any, times: Any, span: Any) -> None:
    row = {"q": "Who?", "qid": 1, "vid_name": "house_s01e02_seg01_clip_03", "ts": times} | FIVE
    (item,) = read("tvqa", write("val.jsonl", [row | {"answer_idx": "4"}]))
    assert (item.start, item.end) == span
    assert (item.correct, item.category) == (4, "House M.D.")


def test_tvqa_without_answers_is_read_and_has_no_score(write: Any) -> None:
    row = {"q": "Who?", "qid": 1, "vid_name": "s01e02_seg01_clip_03", "ts": "0-1"} | FIVE
    (item,) = read("tvqa", write("test.jsonl", [row]))
    assert (item.answers, item.is_scorable, item.category) == ((), False, "The Big Bang Theory")


def test_tvqa_long_asks_of_episodes(write: Any) -> None:
    row = {"q": "Who?", "qid": 1, "vid_name": "castle_s01e02_seg01_clip_03", "ts": "5-9"} | FIVE
    row |= {"answer_idx": 2}
    episode = {"clips": [], "questions": [row, row | {"qid": 2}]}
    nested = read("tvqa-long", write("n.json", {"Castle": {"season_1": {"episode_2": episode}}}))
    assert [item.id for item in nested] == ["1", "2"]
    assert (nested[0].video, nested[0].category) == ("castle_s01e02", "Castle")
    assert (nested[0].start, nested[0].correct) == (None, 2)
    flat = {key: value for key, value in row.items() if key not in ("answer_idx", "vid_name")}
    flat |= {"answer": "a2", "episode_name": "castle_s01e02", "occur_clip": row["vid_name"]}
    assert read("tvqa-long", write("val.jsonl", json.dumps([flat]))) == nested[:1]


def test_videochatgpt_tells_its_parts_by_name(write: Any) -> None:
    row = {"Q": "What?", "A": "A dog.", "video_name": "v_a"}
    both = {"Q1": "What?", "Q2": "Which?", "A": "A dog.", "video_name": "v_a"}
    items = read(
        "videochatgpt",
        write("generic_qa.json", [row, row]),
        write("Temporal_QA.json", [row]),
        write("consistency_qa.json", [both]),
    )
    assert [item.id for item in items] == [
        *("generic/v_a#1", "generic/v_a#2", "temporal/v_a#1", "consistency/v_a#1"),
    ]
    assert items[0].dimensions == ("correctness", "detail", "context")
    assert items[2].dimensions == ("temporal",)
    assert (items[3].second_question, items[3].rule) == ("Which?", "judged")


def test_videochatgpt_joins_two_wordings(write: Any) -> None:
    row = {"video_name": "v_a", "question_id": "v_a_0", "answer": "A dog.", "question": "What?"}
    first = write("Consistency_QA1.csv", [row])
    second = write("Consistency_QA2.csv", [row | {"question": "Which?"}])
    (item,) = read("videochatgpt", second, first)
    assert (item.question, item.second_question) == ("What?", "Which?")


def test_nextqa_open_ended_takes_a_second_answer(write: Any) -> None:
    table = "video,question,answer,qid,type\n10,why?,play,0,CW\n10,how?,run,1,CH\n"
    extra = write("add_reference_answer_test.json", {"10": {"0": "have fun"}})
    first, second = read("nextqa-oe", write("test.csv", table), extra)
    assert (first.answers, second.answers) == (("play", "have fun"), ("run",))


def test_videomme_is_nested_or_flat(write: Any) -> None:
    question = {"question_id": "1-1", "task_type": "OCR", "question": "Which?", "answer": "B"}
    nested = [{"video_id": "1", "duration": "short", "questions": [
        question | {"options": ["A. red.", "B. C."]}]}]  # fmt: skip
    flat = [question | {"video_id": "1", "question": "Which?\nA. red.\nB. C.", "answer": 1}]
    (item,) = read("videomme", write("nested.json", nested))
    assert (item.correct, item.options, item.duration) == (1, ("red.", "C."), None)
    assert read("videomme", write("flat.json", flat)) == [item]
    table = [question | {"video_id": "001", "videoID": "1", "options": "['A. red.', 'B. C.']"}]
    assert read("videomme", write("table.csv", table)) == [item]


def test_mlvu_answers_in_text_or_place(write: Any) -> None:
    row = {"video": "a.mp4", "duration": 9, "question": "How many?", "question_type": "count"}
    (item,) = read(
        "mlvu", write("4_count.json", [row | {"candidates": ["3", "0", "1"], "answer": "1"}])
    )
    assert (item.correct, item.category, item.duration) == (2, "count", 9.0)
    flat = {"video_id": "4_count/a", "type": "count", "question": "How many?\n(A) 3\n(B) 0"}
    (item,) = read("mlvu", write("flat.json", [flat | {"answer": 0}]))
    assert (item.video, item.answers) == ("a", ("3",))


def test_an_answer_that_is_no_option_stays_without_a_score(write: Any) -> None:
    row = {"video": "a.mp4", "question": "What?", "question_type": "findNeedle"}
    (item,) = read("mlvu", write("n.json", [row | {"candidates": ["x", "y"], "answer": "zebra"}]))
    assert (item.correct, item.answers, item.is_scorable) == (None, ("zebra",), False)


def test_lvbench_official_lines(write: Any) -> None:
    question = {"uid": "5", "question": "Which?\n(A) red\n(B) blue", "answer": "B"}
    question |= {"question_type": ["summarization", "reasoning"], "time_reference": "01:00-01:05"}
    video = {"key": "abc", "video_info": {"duration_minutes": 2}, "qa": [question]}
    (item,) = read("lvbench", write("video_info.meta.jsonl", [video]))
    assert (item.video, item.correct, item.category) == ("abc", 1, "reasoning + summarization")
    assert (item.start, item.end, item.duration) == (60.0, 65.0, 120.0)


def test_mvbench_tasks_are_files_or_named(write: Any) -> None:
    row = {"video": "a.mp4", "question": "Which?", "candidates": ["l", "e"], "answer": "e"}
    (item,) = read("mvbench", write("character_order.json", [row | {"start": 1, "end": 2.5}]))
    assert (item.correct, item.category, item.start, item.end) == (1, "character_order", 1.0, 2.5)
    (item,) = read("mvbench", write("all.json", [row | {"task_type": "Fine-grained Pose"}]))
    assert item.category == "fine_grained_pose"


def test_shapes_and_films_are_read_from_their_folders(write: Any, tmp_path: Any) -> None:
    row = {"video_id": "c1", "q": "What?", "a": "A red star grows.", "family": "describe"}
    write("instructions.json", [row | {"length": 4.5}])
    (item,) = read("shapes", tmp_path)
    assert (item.rule, item.category, item.duration) == ("open", "describe", 4.5)
    films = [row | {"spans": [[62.2, 66.9], [70, 71]]}, row | {"a": "", "spans": [[62.2, 66.9]]}]
    first, second = read("films", write("film_questions.json", films))
    assert (first.start, first.end, first.answers) == (62.2, 66.9, ("A red star grows.",))
    assert second.answers == ("1:02-1:06",)
    assert first.moments == ((62.2, 66.9), (70.0, 71.0))
    assert BENCHMARKS["films"].is_long
    assert BENCHMARKS["films"].prompt(first) == "What?"


@pytest.mark.parametrize(
    ("row", "facts"),
    [
        ({"video": "d/a.mp4", "question": "q?", "answer": "x"}, ("open", None, ("x",))),
        ({"video": "a", "q": "q?", "a": "x"}, ("open", None, ("x",))),
        ({"video": "a", "question": "q?", "answers": ["x", "y"]}, ("open", None, ("x", "y"))),
        ({"video": "a", "question": "q?", "answer": 3, "rule": "count"}, ("count", None, ("3",))),
        ({"video": "a", "question": "q?", "options": ["x", "y"], "correct": 1},
         ("choice", 1, ("y",))),
        ({"video": "a", "question": "q?", "options": ["x", "y"], "answer": "y"},
         ("choice", 1, ("y",))),
        ({"video": "a", "question": "q?", "A": "x", "B": "y", "answer": "B"},
         ("choice", 1, ("y",))),
        ({"video": "a", "question": "q?", "a1": "x", "a2": "y", "answer_idx": "0"},
         ("choice", 0, ("x",))),
        ({"video": "a", "question": "q? (A) x (B) y", "answer": "b"}, ("choice", 1, ("y",))),
        ({"videos": ["a.mp4"], "messages": [{"role": "user", "content": "<video>q?"},
          {"role": "assistant", "content": "x"}]}, ("open", None, ("x",))),
    ],
)  # fmt: skip
def test_custom_rows(write: Any, row: dict[str, Any], facts: Any) -> None:
    (item,) = read("custom", write("own.json", [row]))
    assert (item.rule, item.correct, item.answers) == facts
    assert (item.video, item.question) == ("a", "q?")


def test_custom_rows_keep_type_and_place(write: Any) -> None:
    text = "video;question;answer;type;start;end\na.mp4;q?;x;why;1.5;2\n"
    (item,) = read("custom", write("own.csv", text))
    assert (item.category, item.start, item.end) == ("why", 1.5, 2.0)
