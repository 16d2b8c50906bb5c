"""Plans against what was measured: at 7B on a GPU, and here by the processor's allocator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.memory import Learning, MemoryPlanner, Use
from goldfish_cli.profiles import load_profile

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
# docs/performance.md: GiB of tensors on an NVIDIA H200, nf4; batch, frames, context, text.
ON_A_GPU: list[tuple[Use, tuple[int, int, int, int], float, float]] = [
    ("1", (4, 1, 512, 160), 6.98, 5.14),
    ("2", (1, 4, 1024, 160), 6.35, 4.51),
    ("3", (1, 4, 1024, 160), 6.75, 4.92),
    ("3", (1, 45, 3600, 256), 7.99, 6.19),
]


@pytest.mark.parametrize(("use", "sizes", "live", "stored"), ON_A_GPU)
def test_a_plan_at_7b_is_within_ten_percent_of_a_gpu(
    use: Use, sizes: tuple[int, int, int, int], live: float, stored: float
) -> None:
    names = ("batch_size", "max_frames", "max_context_tokens", "max_text_tokens")
    settings = dict(zip(names, sizes, strict=True))
    profile = load_profile("24gb", quantization="nf4", **settings)
    learning = Learning() if use == "3" else Learning(lora_rank=None)
    for measured, features in ((live, False), (stored, True)):
        planner = MemoryPlanner(GoldfishConfig(), learning=learning, stored_features=features)
        parts = planner.plan(profile, use, longest=sizes[2] + sizes[3]).parts
        planned = sum(gib for name, gib in parts.items() if name != "runtime")
        assert planned == pytest.approx(measured, rel=0.1)


MEASURE = """
import json, sys
from plan_memory import CASES, measure, planned_parts
for case in CASES:
    if case.name in sys.argv[1:]:
        print(json.dumps([case.name, sum(planned_parts(case).values()), measure(case)]))
"""
CASES = (
    "stage 1, batch 4",
    "stage 3, no checkpointing",
    "stage 3, small, long",
    "stage 3, nf4",
    "stage 3, four dialogues",
    "stage 3, 8-bit moments",
)


@pytest.mark.timeout(300)
def test_plans_are_within_ten_percent_of_the_allocator() -> None:
    """Real steps of the real trainer; benchmarks/plan_memory.py measures more of them."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *CASES],
        cwd=BENCHMARKS,
        env={"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{BENCHMARKS}:{BENCHMARKS.parent}"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert {name for name, _, _ in rows} == set(CASES)
    for name, planned, measured in rows:
        assert planned == pytest.approx(measured, rel=0.1), name
