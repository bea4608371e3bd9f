"""Percentiles against numpy as the oracle, and the rule that says when there is one."""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf import launch
from perf.percentiles import QUANTILES, Range, curve, first, quantiles, ranged, slowest, tail
from perf.repetition import WARM_UP_WINDOWS, repetition
from perf.statistics import percentiles

NS = st.integers(0, 2**62)


@given(st.lists(NS, min_size=1, max_size=700), st.integers(1, QUANTILES))
def test_quantiles_are_those_of_numpy(durations, most):
    """`inverted_cdf` of numpy, with shares that have no rounding error: k/m of n samples."""
    found = quantiles(durations, most)
    m = min(len(durations), most)
    ordered = sorted(durations)
    expected = [next(x for i, x in enumerate(ordered, 1) if i * m >= k * len(ordered)) for k in range(1, m + 1)]
    assert list(found) == [float(value) for value in expected]
    assert found[-1] == float(max(durations))
    if m > 1 and len(durations) % m == 0:
        shares = np.arange(1, m + 1) / m
        close = np.quantile(np.asarray(durations, float), np.clip(shares - 1e-9, 0, 1), method="inverted_cdf")
        assert list(found) == list(close)


def test_no_sample_has_no_quantile():
    assert quantiles([]) == ()
    assert ranged([]) is None
    assert curve([]) == ()
    assert tail([], "p99") is slowest([]) is first([]) is None


@pytest.mark.parametrize(("name", "needed"), [("p50", 20), ("p90", 100), ("p99", 1_000), ("p99.9", 10_000)])
def test_a_percentile_needs_ten_samples_beyond_it(name, needed):
    assert name in percentiles(list(range(needed)))
    assert name not in percentiles(list(range(needed - 1)))


def test_a_launch_is_summed_up(record):
    durations = [90, 10, 20, 30, 70, 10, 20, 30]
    one = repetition(record(3, durations_ns=durations, phases_ns={"open": 5, "gather": 24}))
    assert (one.launch, one.samples, one.max_ns, one.latency_ns) == (3, 8, 90, 25)
    assert one.first_ns == 80, "each window's first: 90 and 70"
    assert one.quantiles_ns == tuple(sorted(map(float, durations)))
    assert one.percentiles_ns == {}, "eight samples have no percentile"
    assert one.phases_ns == {"open": 5, "gather": 24}


def test_phases_add_up_over_as_many_transfers_as_a_launch_runs(record):
    assert launch.WARM_UP_WINDOWS == WARM_UP_WINDOWS
    assert repetition(record()).posts == 4 * (2 + WARM_UP_WINDOWS)


def test_launches_give_a_median_and_a_range(record):
    """A percentile is one launch's; launches are never thrown together."""
    slow = [[1_000_000 + 1_000 * k] * 989 + [9_000_000 + k] * 11 for k in range(3)]
    reps = [repetition(record(k, durations_ns=times, window_samples=500)) for k, times in enumerate(slow)]
    assert tail(reps, "p99") == Range(9_000_001.0, 9_000_000.0, 9_000_002.0, 3)
    assert tail(reps, "p90").median == 1_001_000.0
    assert tail(reps, "p99.9") is None
    assert slowest(reps) == Range(9_000_001.0, 9_000_000.0, 9_000_002.0, 3)


def test_the_first_transfer_of_a_window_is_a_multiple_of_the_median(record):
    reps = [repetition(record(0, durations_ns=[30, 10, 10, 10] * 2)), repetition(record(1, durations_ns=[10] * 8))]
    assert first(reps) == Range(2.0, 1.0, 3.0, 2)
    assert first([replace(reps[0], latency_ns=0.0)]) is None


def test_a_curve_is_the_median_over_launches_of_each_quantile(record):
    reps = [repetition(record(k, durations_ns=[base + step for step in range(8)]))
            for k, base in enumerate((100, 200, 900))]  # fmt: skip
    assert curve(reps) == tuple(float(200 + step) for step in range(8))
    odd = replace(reps[0], quantiles_ns=(1.0, 2.0))
    assert curve([*reps, odd]) == curve(reps), "two quantiles are other shares than eight"


@given(st.lists(st.floats(0, 1e18), min_size=1, max_size=30))
def test_a_range_holds_its_values(values):
    found = ranged(values)
    assert found.least <= found.median <= found.most
    assert found.median == statistics.median(values)
