"""Numbers out of samples: intervals, percentiles, rates, steadiness.

The unit of repetition is a launch: samples of one launch are not independent, so
an interval is only ever taken over launches. Nothing here assumes a distribution.
"""

from __future__ import annotations

import statistics
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from perf.record import Issue
from perf.summary import Interval
from suite.units import gb_per_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from perf.record import PointRecord

_PERMILLE = {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}
_BEYOND = 10  # samples that must lie beyond a percentile before it is given: n >= 10 / (1 - q)

# Beyond these a point is called unsteady. 10 % of the mean is pyperf's limit (`doc/run_benchmark.rst`).
_VARIATION = 0.10
_DRIFT = 0.10
_FIRST_RATIO = 1.5
_FIRST_COST = 0.05


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the median of `values`, one a launch, between the order statistics that cover it.

    The number of values below the true median is binomial(n, 1/2), whatever the
    distribution; so [k-th smallest, k-th largest] misses it with twice the chance that
    fewer than k values fall below. The narrowest such interval with at least `confidence`
    is given, with its true confidence: for six launches [min, max], 0.969.
    """
    ordered = sorted(values)
    n = len(ordered)
    low = high = achieved = None
    for k in range(1, n // 2 + 1):
        covered = 1 - 2 * sum(comb(n, below) for below in range(k)) / 2**n
        if covered < confidence:
            break
        low, high, achieved = ordered[k - 1], ordered[n - k], covered
    return Interval(statistics.median(ordered), low, high, achieved, n)


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


def drift(delivered_ns: Sequence[int]) -> float:
    """Return by how much the last window is slower than the first, on a fitted line, as a share of the mean."""
    mean = statistics.fmean(delivered_ns) if delivered_ns else 0.0
    if len(delivered_ns) < 2 or not mean:  # noqa: PLR2004  a line needs two points
        return 0.0
    slope = statistics.linear_regression(range(len(delivered_ns)), delivered_ns).slope
    return slope * (len(delivered_ns) - 1) / mean


def slow_start(durations_ns: Sequence[int], window_samples: int) -> tuple[float, float]:
    """Return how slow the windows' first samples are: their ratio to the median, and their excess as a share of all time."""
    first = durations_ns[::window_samples] if window_samples else []
    usual = statistics.median(durations_ns) if durations_ns else 0.0
    if not first or not usual:
        return 1.0, 0.0
    excess = statistics.fmean(first) - usual
    return statistics.median(first) / usual, excess * len(first) / sum(durations_ns)


def unsteadiness(records: Sequence[PointRecord], rates_gb_per_s: Sequence[float]) -> list[Issue]:
    """Return what makes the launches of one point doubtful, as OPEN issues.

    Drift and slow first samples are medians over launches: what recurs is a trend, and
    what does not is noise and widens the interval. A slow first sample counts only where
    it costs the window something; among a thousand samples it does not.
    """
    if not records:
        return []
    issues = []
    spread = variation(rates_gb_per_s)
    if spread > _VARIATION:
        issues.append(_open("launches-differ", f"the launches' throughputs differ: they vary by {_percent(spread)}"))
    slower = statistics.median(drift(record.delivered_ns) for record in records)
    if abs(slower) > _DRIFT:
        word = "slower" if slower > 0 else "faster"
        issues.append(
            _open("drift", f"from the first window to the last, transfers became {_percent(abs(slower))} {word}")
        )
    starts = [slow_start(record.durations_ns, record.window_samples) for record in records]
    ratio, cost = (statistics.median(column) for column in zip(*starts, strict=True))
    if ratio > _FIRST_RATIO and cost > _FIRST_COST:
        issues.append(_open("slow-start", f"the first sample of a window took {ratio:.1f} times as long as the median"))
    return issues


def _open(code: str, message: str) -> Issue:
    return Issue(level="OPEN", code=code, message=message)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
