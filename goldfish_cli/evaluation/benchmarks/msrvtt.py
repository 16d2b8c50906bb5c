"""MSRVTT-QA: web clips, questions made from captions, answers of one word."""

from __future__ import annotations

from functools import partial

from goldfish_cli.evaluation.benchmarks.msvd import read_captioned
from goldfish_cli.evaluation.benchmarks.prompts import with_form
from goldfish_cli.evaluation.items import Benchmark

MSRVTT = Benchmark(
    name="msrvtt",
    title="MSRVTT-QA",
    read=partial(read_captioned, title="MSRVTT-QA"),
    prompt=with_form,
    split="test, 72,821 questions; Video-ChatGPT's own numbers are of validation, 12,278 "
    "questions (mbzuai-oryx/Video-ChatGPT#68): compare only what is of one split",
    metric="accuracy by exact match, or by a judge with a score of 0 to 5",
    source="https://github.com/xudejing/video-question-answering (Xu et al., ACM MM 2017)",
    also_named=lambda video: (f"video{video}",) if video.isdecimal() else (),
    by="question word",
)
