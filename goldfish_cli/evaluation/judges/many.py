"""Judge many answers at once, and give the verdicts in the order of the answers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from goldfish_cli.data.prepare.in_order import in_order
from goldfish_cli.evaluation.items import Dimension, EvalItem
from goldfish_cli.evaluation.judges.verdict import Judge, Verdict


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that waits for its verdict."""

    item: EvalItem
    prediction: str
    dimension: Dimension = "accuracy"
    second: str = ""
    """What was answered to ``item.second_question``."""


def judge_all(
    judge: Judge, answers: Iterable[Answered], *, workers: int = 1
) -> Generator[tuple[Answered, Verdict], None, None]:
    """Judge answers in several threads.

    Args:
        judge: Safe for threads, as all of ours are. One with a ``stop`` is stopped when the
            generator is closed before its end, so that nobody waits for a busy server.
        answers: Drawn from as verdicts are taken.
        workers: Answers that are judged at a time.

    Yields:
        Each answer with its verdict, in order.
    """
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="judge") as pool:
        judged = in_order(
            lambda one: pool.submit(
                judge.judge, one.item, one.prediction, one.dimension, one.second
            ),
            answers,
            window=4 * max(1, workers),
        )
        try:
            yield from judged
        except BaseException:
            stop = getattr(judge, "stop", None)
            if stop is not None:
                stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
