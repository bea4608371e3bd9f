from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from perf.statistics import drift, median_interval, percentiles, slow_start, throughput, unsteadiness, variation

POSITIVE = st.floats(1e-3, 1e6)


@pytest.mark.parametrize(
    ("n", "low", "high", "confidence"),
    [
        (1, None, None, None),
        (5, None, None, None),
        (6, 1, 6, 0.969),
        (8, 1, 8, 0.992),
        (9, 2, 8, 0.961),
        (12, 3, 10, 0.961),
    ],
)
def test_the_interval_is_a_pair_of_launches_with_its_true_confidence(n, low, high, confidence):
    interval = median_interval(range(n, 0, -1))
    assert (interval.low, interval.high, interval.launches) == (low, high, n)
    assert interval.confidence == (confidence and pytest.approx(confidence, abs=5e-4))


@given(st.lists(POSITIVE, min_size=1, max_size=40, unique=True))
def test_the_interval_is_scipys(values):
    interval = median_interval(values)
    theirs = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    ours = [np.nan if end is None else end for end in (interval.low, interval.high)]
    np.testing.assert_equal(ours, [theirs.low, theirs.high])
    assert interval.median == statistics.median(values)


@pytest.mark.parametrize("n", [6, 9, 15])
def test_the_interval_covers_the_true_median_as_often_as_it_says(n):
    """On skewed data, which a normal interval would get wrong."""
    rng = np.random.default_rng(7)
    intervals = [median_interval(rng.lognormal(size=n).tolist()) for _ in range(2_000)]
    covered = np.mean([one.low <= 1 <= one.high for one in intervals])
    assert covered == pytest.approx(intervals[0].confidence, abs=0.015)


@pytest.mark.parametrize(
    ("n", "names"),
    [
        (0, []),
        (19, []),
        (20, ["p50"]),
        (99, ["p50"]),
        (100, ["p50", "p90"]),
        (999, ["p50", "p90"]),
        (1_000, ["p50", "p90", "p99"]),
        (9_999, ["p50", "p90", "p99"]),
        (10_000, ["p50", "p90", "p99", "p99.9"]),
    ],
)
def test_a_percentile_needs_ten_samples_beyond_it(n, names):
    assert list(percentiles(range(n))) == names


@given(st.integers(0, 2**32), st.integers(20, 12_000), st.sampled_from([1, 3, 10**9]))
def test_a_percentile_is_a_sample_that_its_share_does_not_exceed(seed, n, spread):
    """With many equal samples, too."""
    durations = np.random.default_rng(seed).integers(spread, size=n)
    ordered = sorted(durations)
    for name, value in percentiles(durations).items():
        rank = -(-len(ordered) * round(float(name[1:]) * 10) // 1_000)
        assert value == ordered[rank - 1]


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_throughput_is_the_harmonic_mean_of_equal_transfers(durations):
    """An arithmetic mean of rates would favour the fast ones."""
    rate = throughput(1_000 * len(durations), durations)
    assert rate == pytest.approx(statistics.harmonic_mean([1_000 / duration for duration in durations]))


def test_no_time_is_no_rate():
    assert throughput(100, []) is None
    assert throughput(100, [0]) is None


def test_variation_drift_and_slow_start_of_known_numbers():
    assert variation([5.0]) == variation([]) == variation([0, 0]) == 0
    assert variation([9, 10, 11]) == pytest.approx(0.1)
    assert drift([]) == drift([7]) == drift([0, 0]) == 0
    assert drift([90, 100, 110]) == pytest.approx(0.2)
    assert drift([110, 100, 90]) == pytest.approx(-0.2)
    assert slow_start([30, 10, 10, 10] * 2, 4) == (3.0, pytest.approx(1 / 3))
    assert slow_start([], 4) == slow_start([1], 0) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "rates", "codes"),
    [
        ({}, [5.0, 5.1, 5.2], []),
        ({}, [5.0, 7.0, 9.0], ["launches-differ"]),
        ({"delivered_ns": [50_000_000, 60_000_000]}, [5.0] * 3, ["drift"]),
        ({"durations_ns": [30, 10, 10, 10] * 2}, [5.0] * 3, ["slow-start"]),
        ({"durations_ns": [90] + [10] * 999, "window_samples": 1000, "delivered_ns": [9]}, [5.0] * 3, []),
    ],
)
def test_unsteadiness_is_told_in_words(record, changes, rates, codes):
    """A slow first sample among a thousand costs nothing and is no doubt."""
    issues = unsteadiness([record(launch, **changes) for launch in range(3)], rates)
    assert [issue.code for issue in issues] == codes
    assert {issue.level for issue in issues} <= {"OPEN"}


def test_one_drifting_launch_is_noise_and_no_trend(record):
    records = [record(0, delivered_ns=[50, 90]), record(1), record(2)]
    assert unsteadiness(records, [5.0] * 3) == []
    assert unsteadiness([], []) == []
