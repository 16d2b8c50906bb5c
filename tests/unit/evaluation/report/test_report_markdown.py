"""The Markdown of an evaluation: the page's numbers, as tables that hostile text cannot break."""

import re

from report_parts import EVIL, evil_result, plain_result, whole_result

from goldfish_cli.evaluation.report.markdown import report_markdown
from goldfish_cli.evaluation.results import Score, Unanswered


def tables_in(text: str) -> list[list[str]]:
    blocks = re.split(r"\n(?!\|)", text)
    return [
        [line for line in block.splitlines() if line.startswith("|")]
        for block in blocks
        if "\n|" in block or block.startswith("|")
    ]


def test_markdown_tells_what_the_page_tells() -> None:
    text = report_markdown(whole_result()).replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "# MSVD-QA",
        "**63.4 %** right answers (95 % interval 61.2 \N{EN DASH} 68.9 %)",
        "3.41 of 5",
        "1,950 were answered",
        "## What to know before believing this",
        "█████",
        "blind: the question alone",
        "## Where errors come from",
        "## Retrieval of the evidence",
        "goldfish eval msvd --data 'a file.json' --controls",
        "what is the man<br>holding?",
    ):
        assert said in text, said
    assert "![" not in text
    assert "://" not in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for result in (whole_result(), evil_result(), plain_result()):
        for rows in tables_in(report_markdown(result)):
            cells = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}
            assert len(cells) == 1, rows


def test_hostile_text_is_neither_markup_nor_mention() -> None:
    text = report_markdown(evil_result())
    text.encode("utf-8")
    outside = re.sub(r"^(`{3,})sh\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert outside != text
    assert "<script" not in outside
    assert "<img" not in outside
    assert "@someone" not in outside
    assert "#12" not in outside
    assert "http://" not in outside
    assert EVIL not in outside


def test_a_command_with_fences_stays_in_its_own() -> None:
    result = plain_result(provenance={"command": ["eval", "msvd", "a\n```\n# big"]})
    assert "````sh\ngoldfish eval msvd 'a\n```\n# big'\n````" in report_markdown(result)


def test_what_is_unknown_is_a_dash() -> None:
    result = plain_result(accuracy=None, ci95=None, controls={"blind": Score(0)})
    text = report_markdown(result)
    assert "**\N{EN DASH}** right answers" in text
    assert "| blind | 0 | \N{EN DASH} | \N{EN DASH} | \N{EN DASH} | \N{EN DASH} |" in text


def test_thousands_of_rows_are_counted() -> None:
    missing = tuple(Unanswered(f"vid{n}", "it is away", 1) for n in range(10_000))
    text = report_markdown(plain_result(unanswered=missing, answered=0))
    assert len(text) < 20_000
    assert "160 more rows left out" in text
    assert "9,800 more rows with 9,800 questions left out" in text
