"""The page of an evaluation: whole in itself, strict HTML, deaf to what hostile text says."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_parts import EVIL, Walk, evil_result, plain_result, whole_result

from goldfish_cli.evaluation.report.cases import cases
from goldfish_cli.evaluation.report.page import report_page
from goldfish_cli.evaluation.results import (
    EvalResult,
    Faults,
    Retrieval,
    Score,
    Unanswered,
    WorstCase,
)

MEBIBYTE = 2**20


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A picture, which our media code reads as a video of one frame."""
    path = tmp_path / "still.png"
    Image.fromarray(np.full((400, 800, 3), 120, np.uint8)).save(path)
    return path


def case(**changes: object) -> WorstCase:
    one = WorstCase("q1", "vid1", "", "what?", "a cat", "a dog", "what", 0.0, None)
    return replace(one, **changes)  # type: ignore[arg-type]


def record_in(page: str) -> dict[str, object]:
    blocks = re.findall(r"<pre id=[^>]*>(.*?)</pre>", page, flags=re.DOTALL)
    walk = Walk(f"<pre>{blocks[-1]}</pre>")
    found: dict[str, object] = json.loads("".join(walk.texts))
    return found


def nothing_known() -> EvalResult:
    """A result in which everything that may be unknown is."""
    return plain_result(
        accuracy=None,
        ci95=None,
        controls={"blind": Score(0)},
        by={"question type": {"": Score(0), "what": Score(1, None)}},
        guess={"any": float("nan")},
        metrics={"CIDEr": float("nan")},
        retrieval=Retrieval(0, {}, float("nan"), float("nan"), float("nan"), None),
        faults=Faults(0, float("nan"), 0.0, 0.0),
        worst=(case(score=None),),
        judging={"price": None},
        settings={"fps": None},
    )


@pytest.mark.parametrize(
    "result",
    [plain_result(), whole_result(), nothing_known(), plain_result(n=0, accuracy=None, answered=0)],
    ids=["plain", "whole", "unknown", "no questions"],
)
def test_a_page_is_strict_html_without_addresses_or_placeholders(result: EvalResult) -> None:
    page = report_page(result)
    walk = Walk(page)
    assert {tag for tag, name, _ in walk.attributes if name in ("src", "href")} <= {"img", "a"}
    assert all(link.startswith("#") for link in walk.values("href"))
    assert {link[1:] for link in walk.values("href")} <= set(walk.values("id"))
    assert all(source.startswith("data:image/jpeg") for source in walk.values("src"))
    assert not walk.values("style")  # the page's policy would ignore it
    assert "://" not in page
    assert not re.search(r"\$[a-z{]", page)
    assert all(alt for alt in walk.values("alt"))
    assert walk.tags["caption"] == walk.tags["table"]
    assert walk.tags["title"] == 1 + walk.values("role").count("img")


def test_a_page_tells_the_main_number_its_interval_and_its_denominator() -> None:
    text = Walk(report_page(whole_result())).text.replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "63.4 %",
        "95 % interval 61.2 \N{EN DASH} 68.9 %",
        "Of 2,000 questions with a known answer, 1,950 were answered.",
        "50 questions are unanswered and count as wrong",
        "3 answers got no verdict",
        "12 more questions stay out",
        "3.41 of 5",
        "3.30 \N{EN DASH} 3.52",
        "60.4 %",
        "A person labelled 50 answers",
        "openai:gpt-4o-mini@api.example, prompts 2, answering as gpt-4o-mini-2024-07-18.",
        "What to know before believing this",
        "many of these questions can be answered without video",
        "+12.2",  # full against blind
        "4.200",  # count L2 is no share
        "31.0 %",  # exact match is one
        "goldfish eval msvd --data 'a file.json' --controls",
        "f00dcafe+",
        "the video cannot be read: its index is damaged",
    ):
        assert said in text, said


def test_one_question_is_told_in_the_singular() -> None:
    result = plain_result(
        n=1, answered=0, accuracy=0.0, ci95=None, unanswered=(Unanswered("v", "it is away", 1),)
    )
    text = Walk(report_page(result)).text
    assert "Of 1 question with a known answer, 0 were answered." in text
    assert "1 question is unanswered and counts as wrong" in text
    assert "no interval: too few videos to tell one" in text


def test_what_is_unknown_is_a_dash_and_never_nought() -> None:
    walk = Walk(report_page(nothing_known()))
    assert not re.search(r"\bnan\b", walk.text, flags=re.IGNORECASE)
    main = walk.text.split("right answers")[0]
    assert main.rstrip().endswith("\N{EN DASH}")
    assert "0.0 %" not in main


def test_without_controls_the_page_says_what_that_means() -> None:
    assert "No controls were run" in report_page(plain_result())
    assert "No controls were run" not in report_page(whole_result())


def test_a_control_over_other_questions_is_given_no_difference() -> None:
    rows = re.findall(r"<tr><th scope=\"row\"><bdi>moment.*?</tr>", report_page(whole_result()))
    assert len(rows) == 1
    assert rows[0].endswith("<bdi>\N{EN DASH}</bdi></td></tr>")


def test_grades_alone_are_drawn_on_their_own_scale() -> None:
    result = whole_result(accuracy=None, ci95=None, controls={"blind": Score(9, score=2.0)})
    text = Walk(report_page(result)).text
    assert "Mean grade under each condition" in text
    assert "50 questions are unanswered and count with grade 0" in text
    assert "3.30 \N{EN DASH} 3.52" in text


def test_hostile_text_stays_text_everywhere() -> None:
    page = report_page(evil_result(), earlier=[{"model": EVIL, "judge": EVIL, "n": EVIL}])
    page.encode("utf-8")
    walk = Walk(page)
    assert walk.tags["script"] == 1
    assert walk.tags["img"] == 0
    assert not [name for _, name, _ in walk.attributes if name.startswith("on")]
    assert page.count("<script") == page.count("</script>") == 1
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "|cell|\nsecond line" in walk.text  # the line break is kept


def test_the_record_is_the_result_even_where_its_text_is_hostile() -> None:
    result = evil_result()
    record = record_in(report_page(result))
    assert record["title"] == EVIL
    assert record["flags"] == [EVIL]
    assert record["worst"][0]["moment"] == [None, 2.0]  # type: ignore[index]
    assert record_in(report_page(plain_result())) == json.loads(json.dumps(asdict(plain_result())))


def test_the_browser_is_told_the_hashes_of_the_page_own_script_and_style() -> None:
    page = report_page(plain_result())
    policy = re.search(r'content="(default-src[^"]*)"', page)
    assert policy is not None
    assert "unsafe" not in policy[1]
    assert policy[1].count("sha256-") == 2


def test_long_text_is_folded_and_cut_with_its_length() -> None:
    page = cases([case(prediction="so long " * 2_000), case(question="short\ntwo lines")])
    assert page.count('<details class="fold">') == 1
    assert "(16,000 characters)" in page
    assert "8,000 more characters are left out" in page
    assert "short\ntwo lines" in page


def test_thousands_of_rows_are_counted_instead_of_shown() -> None:
    missing = tuple(
        Unanswered(f"vid{n}", f"it is away: {'/long/path' * 300} {n}", 2) for n in range(10_000)
    )
    parts = {f"type {n} {'x' * 500}": Score(n, 0.5, (0.4, 0.6)) for n in range(5_000)}
    result = whole_result(
        n=20_000,
        answered=0,
        unanswered=missing,
        by={"question type": parts},
        worst=(case(prediction="no " * 100_000),) * 500,
        flags=("flag",) * 1_000,
        metrics={f"metric {n}": 0.1 for n in range(5_000)},
    )
    page = report_page(result)
    text = Walk(page).text
    assert len(page) < 4 * MEBIBYTE
    assert "9,800 more rows with 19,600 questions left out" in text
    assert "4,800 smaller parts left out" in text
    assert "the 24 largest parts of 5,000" in text
    assert "470 more cases left out" in text
    assert "9,800 items of unanswered" in text
    assert "vid199" in text
    assert "vid200" not in text


def test_a_video_that_is_there_is_shown_and_others_say_why_not(still: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 99)
    drawn = cases(
        [
            case(path=str(still)),
            case(path=""),
            case(path=str(tmp_path / "gone.mp4")),
            case(path=str(broken)),
            case(path="\0"),
            case(path="x" * 5_000),
        ]
    )
    assert drawn.count("<img ") == 1
    assert 'alt="Frame of vid1 from its middle"' in drawn
    assert "not at hand" in drawn
    assert drawn.count("no longer where it was") == 3
    assert drawn.count("cannot be read") == 1
    assert len(drawn) < 30_000


def test_without_time_for_pictures_the_page_says_so(still: Path) -> None:
    assert "No time was left" in cases([case(path=str(still))], max_seconds=0)


def test_earlier_results_of_another_judge_are_marked_as_not_comparable() -> None:
    result = whole_result()
    same = {"benchmark": "msvd", "judge": result.judge, "n": 2000, "accuracy": 0.6}
    same["judging"] = result.judging
    earlier = [same, {**same, "judge": "offline 2", "ci95": [0.5, 0.6]}, {"n": None}]
    earlier.append({**same, "judging": {"versions": {"gpt-4o-mini-2023": 9}}})
    page = report_page(result, earlier=earlier)
    assert "comparable</bdi>" in page
    assert "no: other judge<" in page
    assert "no: other version of the judge<" in page
    assert "no: other benchmark (None), other judge, other questions" in page
    assert "50.0 \N{EN DASH} 60.0" in page
    assert "Beside earlier results" not in report_page(result)
