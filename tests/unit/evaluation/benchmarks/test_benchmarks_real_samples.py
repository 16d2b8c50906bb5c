"""Annotation files that nobody here wrote: each is read whole by the benchmark it belongs to."""

import csv
import json
from pathlib import Path

import pytest
from benchmark_samples import CHAT_UNIVI, FLASH, IDS, SAMPLES

from goldfish_cli.errors import AnnotationError
from goldfish_cli.evaluation.benchmarks.nextqa_open import second_answers
from goldfish_cli.evaluation.benchmarks.registry import BENCHMARKS
from goldfish_cli.evaluation.items import EvalItem


def read(folder: Path, name: str, *files: str) -> list[EvalItem]:
    return BENCHMARKS[name].read([folder / file for file in files])


@pytest.mark.parametrize(("name", "files", "questions", "without"), SAMPLES, ids=IDS)
def test_every_question_is_read_and_has_its_truth(
    qa_folder: Path, name: str, files: list[str], questions: int, without: int
) -> None:
    items = read(qa_folder, name, *files)
    assert len(items) == questions
    assert sum(not item.is_scorable for item in items) == without
    assert len({item.id for item in items}) == questions
    for item in items:
        assert item.video and item.question == item.question.strip() != ""
        assert "/" not in item.video
        if item.is_scorable:
            assert item.answers[0]
        if item.rule == "choice":
            assert len(item.options) >= 3
            assert item.correct is None or item.answers == (item.options[item.correct],)
        assert BENCHMARKS[name].prompt(item).startswith(item.question)
    assert read(qa_folder, name, *files) == items


@pytest.mark.parametrize(("name", "files", "questions", "without"), SAMPLES, ids=IDS)
def test_no_other_set_takes_a_file_with_choices(
    qa_folder: Path, name: str, files: list[str], questions: int, without: int
) -> None:
    if name in ("custom", "tvqa-long") or len(files) > 1:
        return  # what other sets read as well, and files that none reads alone
    if read(qa_folder, name, *files)[0].rule != "choice":
        return
    paths = [qa_folder / file for file in files]
    joins = {"tgif"} if name.startswith("tgif-") else set()
    for other in BENCHMARKS.keys() - {name, "custom", "tvqa-long"} - joins:
        with pytest.raises(AnnotationError) as caught:
            BENCHMARKS[other].read(paths)
        assert paths[0].name in str(caught.value)
        assert caught.value.hint


def test_the_counts_are_those_of_the_files(qa_folder: Path) -> None:
    for file in ("NExT-QA__dataset__nextqa__val.csv", "HQGA__dataset__msvd__test.csv"):
        with (qa_folder / file).open(encoding="utf-8", newline="") as table:
            rows = len(list(csv.DictReader(table)))
        assert next(number for _, files, number, _ in SAMPLES if files == [file]) == rows


def test_official_activitynet_joins_two_files(qa_folder: Path) -> None:
    items = read(qa_folder, "activitynet", *SAMPLES[18][1])
    assert (items[0].id, items[0].video) == ("v_9eniCub7u60_2", "9eniCub7u60")
    assert (items[0].answers, items[0].category) == (("yes",), "yes/no")
    assert sum(item.category == "motion" for item in items) == 301
    assert sum(item.video.startswith("-") for item in items) > 0


def test_questions_of_several_lines_stay_whole(qa_folder: Path) -> None:
    template = "What is the right order of the tools appearing in the video"
    items = read(qa_folder, "videomme", f"{FLASH}videomme__test_qa.json")
    item = next(item for item in items if item.question.startswith(template))
    assert item.question.count("\n") == 4
    assert item.options[0] == "(b)(a)(d)(c)."


def test_template_of_videomme_is_read_though_it_is_no_json(qa_folder: Path) -> None:
    path = qa_folder / "Video-MME__evaluation__output_test_template.json"
    with pytest.raises(json.JSONDecodeError):
        json.loads(path.read_text(encoding="utf-8"))
    item = BENCHMARKS["videomme"].read([path])[0]
    assert (item.id, item.video, item.category) == ("001-1", "001", "Counting Problem")
    assert (item.correct, item.options[2]) == (2, "Berries.")


def test_times_and_options_of_tvqa(qa_folder: Path) -> None:
    items = read(qa_folder, "tvqa", "TVQA__data__tvqa_test_public.jsonl")
    assert (items[0].start, items[0].end) == (59.86, 63.38)
    assert sum(item.start is None for item in items) == 1  # "NaN-NaN"
    assert all(option == option.strip() for item in items for option in item.options)
    assert {item.category for item in items} >= {"Castle", "The Big Bang Theory"}
    plus = read(qa_folder, "tvqa", "TVQAplus__eval__data__tvqa_plus_val.json")
    assert (plus[0].correct, plus[0].answers, plus[0].end) == (0, ("irritated",), 9.18)


def test_answers_of_count_are_options_not_places(qa_folder: Path) -> None:
    item = read(qa_folder, "mlvu", "MLVU__data__4_count.json")[0]
    assert (item.options, item.correct) == (("2", "1", "5", "4"), 1)


def test_free_tasks_of_mlvu_are_judged(qa_folder: Path) -> None:
    scene = read(qa_folder, "mlvu", "MLVU__data__8_sub_scene.json")[0]
    summary = read(qa_folder, "mlvu", "MLVU__data__9_summary.json")[0]
    assert (scene.rule, scene.category, scene.dimensions) == ("judged", "subPlot", ("accuracy",))
    assert (summary.rule, summary.dimensions) == ("judged", ("summary",))


def test_all_parts_of_videochatgpt_are_read_together(qa_folder: Path) -> None:
    files = [f"{CHAT_UNIVI}{part}_qa.json" for part in ("generic", "temporal", "consistency")]
    items = read(qa_folder, "videochatgpt", *files)
    assert len(items) == 430 + 236 + 236
    assert len({item.id for item in items}) == len(items)
    alone = read(qa_folder, "videochatgpt", files[1])
    assert {item.id for item in alone} < {item.id for item in items}


def test_span_and_length_of_lvbench(qa_folder: Path) -> None:
    items = read(qa_folder, "lvbench", f"{FLASH}lvbench__test_qa.json")
    assert (items[0].start, items[0].end, items[0].duration) == (15.0, 19.0, 3665.5)
    assert sum(item.end is None for item in items) == 1  # "35:00-None"


def test_answers_of_egoschema_join_its_questions(qa_folder: Path, tmp_path: Path) -> None:
    answers = qa_folder / "EgoSchema__subset_answers.json"
    uids = json.loads(answers.read_text(encoding="utf-8"))
    options = {f"option {place}": f"thing {place}" for place in range(5)}
    questions = tmp_path / "questions.json"
    rows = [{"q_uid": uid, "question": "What is done?", **options} for uid in [*uids, "hidden"]]
    questions.write_text(json.dumps(rows), encoding="utf-8")
    items = BENCHMARKS["egoschema"].read([questions, answers])
    assert [item.correct for item in items] == [*uids.values(), None]
    with pytest.raises(AnnotationError, match="answers without questions"):
        BENCHMARKS["egoschema"].read([answers])


def test_second_answers_of_nextqa_join_its_questions(qa_folder: Path, tmp_path: Path) -> None:
    extra = qa_folder / "NExT-OE__dataset__nextqa__add_reference_answer_test.json"
    found = second_answers(extra)
    assert found is not None
    assert len({video for video, _ in found.answers}) == 271
    table = tmp_path / "test.csv"
    lines = [f"{video},why,first,{number},CW" for video, number in found.answers]
    table.write_text("\n".join(["video,question,answer,qid,type", *lines]), encoding="utf-8")
    items = BENCHMARKS["nextqa-oe"].read([table, extra])
    assert [item.answers[1] for item in items] == list(found.answers.values())
    with pytest.raises(AnnotationError, match="which no row asks"):
        BENCHMARKS["nextqa-oe"].read([qa_folder / "NExT-OE__dataset__nextqa__val.csv", extra])


def test_folders_of_nextqa_are_no_questions(qa_folder: Path) -> None:
    with pytest.raises(AnnotationError, match="holds no questions"):
        read(qa_folder, "nextqa", "NExT-QA__dataset__nextqa__map_vid_vidorID.json")


def test_tgif_joins_its_four_sets_with_the_set_as_type(qa_folder: Path) -> None:
    names = ("action", "count", "frameqa", "transition")
    paths = [qa_folder / f"tgif-qa__dataset__Test_{name}_question.csv" for name in names]
    items = BENCHMARKS["tgif"].read(paths)
    assert len({item.id for item in items}) == len(items) == 1159 + 1778 + 1078 + 1074
    kinds = {item.category: item.rule for item in items}
    assert kinds == {
        "action": "choice", "count": "count", "frame": "open", "transition": "choice"
    }  # fmt: skip
