from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from perf.statistics import (
    drift,
    halves,
    median_interval,
    middle_spread,
    percentiles,
    quantile_ends,
    slow_start,
    throughput,
    trend,
    variation,
)
from perf.steadiness import unsteadiness

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


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [5, 6, 9, 36, 72, 367, 368, 1_000])
def test_the_ends_of_any_quantile_are_scipys(n, q):
    """p99 has an upper end from 368 values on."""
    values = np.random.default_rng(n).permutation(n).tolist()
    low, high, achieved = quantile_ends(values, q)
    theirs = stats.quantile_test(values, p=q).confidence_interval(0.95)
    np.testing.assert_equal([np.nan if end is None else end for end in (low, high)], [theirs.low, theirs.high])
    assert achieved >= 0.95 or low is None or high is None


def test_the_ends_of_a_tail_cover_it_as_often_as_they_say():
    rng = np.random.default_rng(3)
    found = [quantile_ends(rng.exponential(size=400), 0.99) for _ in range(1_000)]
    truth = -np.log(0.01)
    covered = np.mean([low <= truth <= high for low, high, _ in found])
    assert covered == pytest.approx(found[0][2], abs=0.02)


@given(st.lists(st.integers(-5, 5).map(lambda value: value + 10.0), min_size=2, max_size=12))
def test_the_trend_is_scipys_where_values_differ(values):
    change, p = trend(values)
    slope = stats.theilslopes(values).slope
    assert change == pytest.approx(slope * (len(values) - 1) / statistics.median(values))
    if len(set(values)) == len(values):
        assert p == pytest.approx(stats.kendalltau(range(len(values)), values, method="exact").pvalue)
    else:
        assert 0 < p <= 1


def test_a_trend_of_many_values_is_as_good_as_the_exact_one():
    values = np.random.default_rng(5).normal(10, 1, 60) + np.linspace(0, 1, 60)
    assert trend(values.tolist())[1] == pytest.approx(stats.kendalltau(range(60), values).pvalue, rel=0.05)
    assert trend([1.0] * 50) == (0, 1)
    assert trend([]) == trend([4]) == trend([0, 0]) == (0, 1)


@pytest.mark.parametrize("n", [6, 9])
def test_an_alarm_about_a_trend_is_as_rare_as_it_says(n):
    rng = np.random.default_rng(11)
    alarms = sum(trend(rng.lognormal(0, 0.5, n).tolist())[1] < 0.01 for _ in range(2_000))
    assert alarms <= 0.014 * 2_000


def test_the_middle_half_and_the_halves_of_known_numbers():
    assert middle_spread([10] * 6 + [900] * 2) == 0, "two odd values of eight"
    assert middle_spread([10, 20] * 4) == 1
    assert middle_spread([]) == middle_spread([0, 0]) == 0
    assert halves([10, 10, 10, 12, 12, 12]) == pytest.approx(2 / 11)
    assert halves([10, 10, 90, 10, 10, 10]) == 0, "one spike is no drift"
    assert halves([1, 2]) == halves([0] * 6) == 0


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
