"""Which samples share a row: all of them once, within the limit, and never for more work."""

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.training.packing import share_rows


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=16),
    limit=st.integers(1, 1200),
    width=st.sampled_from([32, 512, 4096]),
)
def test_a_layout_holds_each_sample_once_and_costs_no_more_than_a_row_each(lengths, limit, width):
    rows = share_rows(lengths, limit, width=width)
    assert sorted(number for row in rows for number in row) == list(range(len(lengths)))
    totals = [sum(lengths[number] for number in row) for row in rows]
    assert all(total <= limit for total, row in zip(totals, rows, strict=True) if len(row) > 1)
    assert len(rows) * max(totals) <= len(lengths) * max(lengths)
    assert share_rows(lengths, limit, width=width) == rows


def test_a_short_batch_shares_rows_as_long_as_its_longest_sample():
    assert share_rows([200, 110, 90, 110, 90], 300, width=4096) == [[0], [1, 2], [3, 4]]


def test_a_sample_over_the_limit_stays_alone():
    assert share_rows([500, 30, 40], 100, width=4096) == [[0], [1, 2]]


def test_samples_of_one_length_stay_in_rows_of_their_own_which_need_no_mask():
    assert share_rows([100] * 8, 1184, width=4096) == [[number] for number in range(8)]


def test_a_narrow_model_does_not_pay_for_attention_over_very_long_rows():
    lengths = [100, 240, 130, 180, 220, 110, 150, 160]
    longest = [
        max(sum(lengths[n] for n in row) for row in share_rows(lengths, 9999, width=width))
        for width in (8, 4096)
    ]
    assert longest[0] < longest[1]


@pytest.fixture
def benchmark(repository, monkeypatch):
    """The script that measures packing."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return import_module("packing")


def test_the_benchmark_counts_less_padding_and_learns_the_same(benchmark):
    lengths = benchmark.draw_lengths(80)
    plain, packed = (benchmark.padding(lengths, width) for width in (None, 512))
    assert packed["share"] < 0.5 * plain["share"]
    assert packed["rows"] < plain["rows"] == benchmark.BATCH
    assert len(benchmark.padding_table(lengths, (512,))) == 4
    small = benchmark.SMALL
    samples = benchmark.make_samples(small)
    runs = {
        packing: benchmark.Trained(*benchmark.train(small, samples, packing=packing), 1.0, 1.0)
        for packing in (False, True)
    }
    assert runs[True].losses == pytest.approx(runs[False].losses, abs=1e-5)
    assert len(benchmark.speed_table(runs)) == 6
    assert benchmark.planned(small, packing=True) > 0


def test_the_benchmark_draws_lengths_as_it_says(benchmark):
    lengths = benchmark.draw_lengths(1000)
    assert sum(100 <= length <= 250 for length in lengths) > 700
    assert 90 == min(lengths) < 500 < max(lengths) <= benchmark.LIMIT
