"""Numbers out of samples: intervals, percentiles, rates, trends. Arrays in, plain numbers out; nothing here judges them.

The unit of repetition is a launch: samples of one launch are not independent, so
an interval is only ever taken over launches. Nothing here assumes a distribution.
"""

from __future__ import annotations

import statistics
from functools import cache
from math import erfc, factorial, sqrt
from typing import TYPE_CHECKING

import numpy as np

from perf.summary import Interval
from suite.units import gb_per_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PERMILLE = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}
_BEYOND = 10  # samples that must lie beyond a percentile before it is given: n >= 10 / (1 - q)
_EXACT = 40  # values up to which every order is counted; beyond, a sum of so many ranks is normal


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the median of `values`, one a launch, between the order statistics that cover it.

    The number of values below the true median is binomial(n, 1/2), whatever the
    distribution; so [k-th smallest, k-th largest] misses it with twice the chance that
    fewer than k values fall below. The narrowest such interval with at least `confidence`
    is given, with its true confidence: for six launches [min, max], 0.969.
    """
    low, high, achieved = quantile_ends(values, 0.5, confidence)
    if low is None or high is None:
        return Interval(statistics.median(values), None, None, None, len(values))
    return Interval(statistics.median(values), low, high, achieved, len(values))


def quantile_ends(
    values: Sequence[float] | NDArray[np.float64], q: float, confidence: float = 0.95
) -> tuple[float | None, float | None, float]:
    """Return the order statistics between which quantile `q` of independent `values` lies, and with which confidence.

    Each end misses it with at most half of 1 - `confidence`; an end that no value can be is None: the
    upper one of p99 needs 368 values. The number of values below the quantile is binomial(n, q).
    """
    ordered, n = np.sort(np.asarray(values, np.float64)), len(values)
    at_most = _binomial(n, q)  # at_most[k]: the chance that no more than k values lie below
    tail = (1 - confidence) / 2
    low = int(np.searchsorted(at_most, tail * (1 + 1e-12), side="right"))  # the low-th smallest
    high = int(np.searchsorted(at_most, (1 - tail) * (1 - 1e-12), side="left")) + 1
    missed = (float(at_most[low - 1]) if low else 0.0) + (1 - float(at_most[high - 1]) if high <= n else 0.0)
    return float(ordered[low - 1]) if low else None, float(ordered[high - 1]) if high <= n else None, 1 - missed


@cache  # points of a run have as many launches
def _binomial(n: int, q: float) -> NDArray[np.float64]:
    """Return the distribution function of binomial(n, q) at 0 to n."""
    k = np.arange(1, n + 1)
    steps = np.concatenate([[n * np.log1p(-q)], np.log((n - k + 1) / k) + np.log(q) - np.log1p(-q)])
    return np.asarray(np.minimum(np.cumsum(np.exp(np.cumsum(steps))), 1.0))


def percentiles(durations_ns: Sequence[int] | NDArray[np.int64]) -> dict[str, float]:
    """Return p50 to p99.9, each an observed sample and only those that enough samples lie beyond."""
    n = len(durations_ns)
    given = {name: q for name, q in _PERMILLE.items() if n * (1_000 - q) >= _BEYOND * 1_000}
    if not given:
        return {}
    ordered = np.sort(durations_ns)
    # ranks in whole numbers: numpy's own inverted_cdf takes 0.999 * 10000 for more than 9990
    return {name: float(ordered[-(-n * q // 1_000) - 1]) for name, q in given.items()}


def throughput(nbytes: int, durations_ns: Sequence[int]) -> float | None:
    """Return GB/s: all bytes by all time, never a mean of rates; None if no time was measured."""
    total_ns = sum(durations_ns)
    return gb_per_s(nbytes, total_ns) if total_ns else None


def variation(values: Sequence[float]) -> float:
    """Return the coefficient of variation: standard deviation by mean; 0 for fewer than two values."""
    mean = statistics.fmean(values) if values else 0.0
    return statistics.stdev(values) / mean if len(values) > 1 and mean else 0.0


def middle_spread(values: Sequence[float]) -> float:
    """Return how wide the middle half of `values` is, by their median: no few odd values count; 0 for none."""
    if not len(values):
        return 0.0
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    return float((high - low) / middle) if middle else 0.0


def drift(values: Sequence[float]) -> float:
    """Return by how much the last of `values` exceeds the first, on a fitted line, as a share of the mean."""
    mean = statistics.fmean(values) if values else 0.0
    if len(values) < 2 or not mean:  # noqa: PLR2004  a line needs two points
        return 0.0
    slope = statistics.linear_regression(range(len(values)), values).slope
    return slope * (len(values) - 1) / mean


def halves(values: Sequence[float]) -> float:
    """Return by how much the median of the second half exceeds that of the first, as a share of both; 0 for fewer than six."""
    half = len(values) // 2
    if half < 3:  # noqa: PLR2004  a median of two is a mean
        return 0.0
    first, second = statistics.median(values[:half]), statistics.median(values[-half:])
    return 2 * (second - first) / (first + second) if first + second else 0.0


def slow_start(durations_ns: Sequence[int], window_samples: int) -> tuple[float, float]:
    """Return how slow the windows' first samples are: their ratio to the median, and their excess as a share of all time."""
    first = durations_ns[::window_samples] if window_samples else []
    usual = statistics.median(durations_ns) if durations_ns else 0.0
    if not first or not usual:
        return 1.0, 0.0
    excess = statistics.fmean(first) - usual
    return statistics.median(first) / usual, excess * len(first) / sum(durations_ns)


def trend(values: Sequence[float]) -> tuple[float, float]:
    """Return the change over all `values`, in their order, as a share of the median, and p of no trend (Mann-Kendall, two-sided).

    The change is the median of the slopes of all pairs (Theil and Sen), times the steps. p is
    exact: the share of all orders of as many values that have as many pairs out of order or more.
    Equal values are half a pair each way. 0 and 1 for fewer than two values.
    """
    n = len(values)
    if n < 2 or not statistics.median(values):  # noqa: PLR2004  an order needs two
        return 0.0, 1.0
    first, second = np.triu_indices(n, 1)
    taken = np.asarray(values, np.float64)
    rises = taken[second] - taken[first]
    change = float(np.median(rises / (second - first))) * (n - 1) / statistics.median(values)
    falls = float(np.count_nonzero(rises < 0) + np.count_nonzero(rises == 0) / 2)
    return change, _no_trend(n, min(falls, len(rises) - falls))


def _no_trend(n: int, out_of_order: float) -> float:
    """Return the chance that n values in any order have so few pairs out of order, or so few in order."""
    pairs = n * (n - 1) / 2
    if n > _EXACT:
        deviation = (pairs / 2 - out_of_order - 0.5) / sqrt(n * (n - 1) * (2 * n + 5) / 72)
        return min(1.0, erfc(max(0.0, deviation) / sqrt(2)))
    counted = sum(_inversions(n)[: int(out_of_order) + 1 + (out_of_order % 1 > 0)])
    return min(1.0, 2 * counted / factorial(n))


@cache
def _inversions(n: int) -> tuple[int, ...]:
    """Return how many orders of n values have 0, 1, 2, ... pairs out of order."""
    counts = [1]
    for size in range(2, n + 1):
        wide = [0] * (len(counts) + size - 1)
        for place, count in enumerate(counts):
            for more in range(size):
                wide[place + more] += count
        counts = wide
    return tuple(counts)
