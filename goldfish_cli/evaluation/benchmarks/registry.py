"""All benchmarks by the name that is typed."""

from __future__ import annotations

from difflib import get_close_matches

from goldfish_cli.errors import UsageError
from goldfish_cli.evaluation.benchmarks.activitynet import ACTIVITYNET
from goldfish_cli.evaluation.benchmarks.custom import CUSTOM
from goldfish_cli.evaluation.benchmarks.egoschema import EGOSCHEMA
from goldfish_cli.evaluation.benchmarks.films import FILMS
from goldfish_cli.evaluation.benchmarks.lvbench import LVBENCH
from goldfish_cli.evaluation.benchmarks.mlvu import MLVU
from goldfish_cli.evaluation.benchmarks.msrvtt import MSRVTT
from goldfish_cli.evaluation.benchmarks.msvd import MSVD
from goldfish_cli.evaluation.benchmarks.mvbench import MVBENCH
from goldfish_cli.evaluation.benchmarks.nextqa import NEXTQA
from goldfish_cli.evaluation.benchmarks.nextqa_open import NEXTQA_OE
from goldfish_cli.evaluation.benchmarks.shapes import SHAPES
from goldfish_cli.evaluation.benchmarks.tgif import (
    TGIF,
    TGIF_ACTION,
    TGIF_COUNT,
    TGIF_FRAME,
    TGIF_TRANSITION,
)
from goldfish_cli.evaluation.benchmarks.tvqa import TVQA
from goldfish_cli.evaluation.benchmarks.tvqa_long import TVQA_LONG
from goldfish_cli.evaluation.benchmarks.videochatgpt import VIDEOCHATGPT
from goldfish_cli.evaluation.benchmarks.videomme import VIDEOMME
from goldfish_cli.evaluation.items import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (
        *(MSVD, MSRVTT, TGIF, TGIF_FRAME, TGIF_ACTION, TGIF_TRANSITION, TGIF_COUNT, ACTIVITYNET),
        *(TVQA, TVQA_LONG, VIDEOCHATGPT, NEXTQA, NEXTQA_OE, EGOSCHEMA, VIDEOMME, MLVU),
        *(LVBENCH, MVBENCH, SHAPES, FILMS, CUSTOM),
    )
}


def find_benchmark(name: str) -> Benchmark:
    """Return the benchmark of a name; case does not matter, nor how the name is hyphenated.

    Raises:
        UsageError: If there is none; the hint names the nearest and all others.
    """
    for known, benchmark in BENCHMARKS.items():
        if _plain(name) in (_plain(known), _plain(benchmark.title)):
            return benchmark
    nearest = get_close_matches(name.casefold(), BENCHMARKS, n=1, cutoff=0.5)
    suggestion = f"Did you mean {nearest[0]}? " if nearest else ""
    raise UsageError(
        f"There is no benchmark '{name}'.", hint=f"{suggestion}Known: {', '.join(BENCHMARKS)}"
    )


def _plain(name: str) -> str:
    """Letters and digits alone: ``MSVD-QA`` and ``msvd_qa`` are one."""
    return "".join(character for character in name.casefold() if character.isalnum())
