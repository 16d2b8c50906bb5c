"""Read what MSVD-QA, MSRVTT-QA, TGIF-QA and ActivityNet-QA share: a question and a short answer."""

from __future__ import annotations

from goldfish_cli.evaluation.benchmarks.options import split_options
from goldfish_cli.evaluation.benchmarks.rows import Row

VIDEO_KEYS = ("video_name", "video", "video_id")
QUESTION_WORDS = ("what", "who", "how", "when", "where")
_OPTION_KEYS = ("a0", "a1", "a2", "options", "candidates", "choices", "option 0")


def question_word(question: str) -> str:
    """Return the word by which MSVD-QA and MSRVTT-QA tell their questions apart, else "other"."""
    words = question.casefold().split(maxsplit=1)
    return words[0] if words and words[0] in QUESTION_WORDS else "other"


def refuse_options(row: Row) -> None:
    """Refuse a row of a multiple-choice set.

    Raises:
        AnnotationError: If the row has options.
    """
    names = [name for name in _OPTION_KEYS if row.get(name) is not None]
    if not names and split_options(row.text_or_empty("question", "q"))[1]:
        names = ["inside the question"]
    if names:
        raise row.error(f"has options ({', '.join(names)}), but these questions are open")
