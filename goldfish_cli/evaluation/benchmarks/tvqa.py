"""TVQA and TVQA+: five choices about clips of six television series, with dialogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldfish_cli.evaluation.benchmarks.identities import with_ids
from goldfish_cli.evaluation.benchmarks.options import columns_of_options, find_correct
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.benchmarks.rows import Row, read_rows
from goldfish_cli.evaluation.benchmarks.spans import read_span
from goldfish_cli.evaluation.items import Benchmark, EvalItem

_EXPECTED = "TVQA has q, a0 to a4, vid_name and, where it is published, answer_idx a row."
OPTIONS = ("a0", "a1", "a2", "a3", "a4")
_SHOWS = {
    "castle": "Castle",
    "friends": "Friends",
    "grey": "Grey's Anatomy",
    "house": "House M.D.",
    "met": "How I Met You Mother",  # as TVQA spells it
}
_UNPREFIXED = "The Big Bang Theory"


def read_tvqa(paths: Sequence[Path]) -> list[EvalItem]:
    """Read TVQA's lines, with answers or the public test without, or TVQA+'s list.

    Raises:
        AnnotationError: If a file cannot be read, or a row is none of TVQA's.
    """
    return with_ids([clip_item(row) for row in read_rows(paths, _EXPECTED)])


def clip_item(row: Row) -> EvalItem:
    """Read a question about a clip; its times count from the start of the clip."""
    question = row.text("q", "q")
    options = columns_of_options(row, *OPTIONS)
    correct = find_correct(row, row.get("answer_idx", "answer"), options, ("index", "text"))
    video = row.video("vid_name", "occur_clip")
    start, end = read_span(row, "ts")
    return EvalItem(
        id=row.text_or_empty("qid"),
        video=video,
        question=question,
        answers=(options[correct],) if correct is not None else (),
        rule="choice",
        options=options,
        correct=correct,
        category=row.text_or_empty("show_name") or show_of(video),
        start=start,
        end=end,
    )


def show_of(clip: str) -> str:
    """Return the series a clip is from, which is before the first underscore of its name."""
    return _SHOWS.get(clip.split("_")[0], _UNPREFIXED)


TVQA = Benchmark(
    name="tvqa",
    title="TVQA",
    read=read_tvqa,
    prompt=with_form,
    split="validation, 15,253 questions, is what can be scored; test-public, 7,623, is published "
    "without answers",
    metric="accuracy of five choices, with subtitles and without",
    source="https://github.com/jayleicn/TVQA (arXiv:1809.01696); TVQA+ (arXiv:1904.11574)",
    by="series",
)
