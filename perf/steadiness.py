"""Whether the launches of a point say the same, and each launch does from its beginning to its end: typed doubts.

A limit is a size of effect that a reader would act on, not a test of whether there is any: on a
real machine there always is. What must not be chance is asked beside it: drift and a slow start have to recur
over launches, a trend needs an exact test. How often clean data raise an alarm is simulated
in tests/perf/test_false_alarms.py and stated in docs/validity.md.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perf.statistics import drift, halves, median_interval, middle_spread, slow_start, trend, variation
from perf.validity import issue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.record import Issue, PointRecord

MIN_SAMPLES = 6  # of a launch: with fewer the median of its transfers has no 95 % interval, as with launches

_VARIATION = 0.10  # of the mean: pyperf's limit (`doc/run_benchmark.rst`)
_DRIFT = 0.10
_TREND_P = 0.01  # of a hundred clean points one raises an alarm, if its launches also drift by _DRIFT
_FIRST_RATIO = 1.5
_FIRST_COST = 0.05
_MIDDLE = 0.5  # of the median: half of the transfers are a quarter away from it, or more
STRAGGLER = 1.5  # times the median's time: nccl-tests' limit for a slow rank
_FEW = 4  # one straggler in so many launches, at most: more are a second mode, and `launches-differ`


def unsteadiness(records: Sequence[PointRecord], rates_gb_per_s: Sequence[float]) -> list[Issue]:
    """Return what makes the launches of one point doubtful, as OPEN issues; `records` are those that count, by launch.

    Drift and slow first samples are medians over launches: what recurs is a trend, and
    what does not is noise and widens the interval. A slow first sample counts only where
    it costs the window something; among a thousand samples it does not.
    """
    if not records:
        return []
    return [*_between(rates_gb_per_s), *_inside(records), *_few(records)]


def stragglers(rates_gb_per_s: Sequence[float]) -> list[int]:
    """Return the places of launches that took 1.5 times as long as the median or more, if they are at most a quarter."""
    if len(rates_gb_per_s) < _FEW:
        return []
    usual = statistics.median(rates_gb_per_s)
    slow = [place for place, rate in enumerate(rates_gb_per_s) if rate * STRAGGLER <= usual]
    return slow if len(slow) * _FEW <= len(rates_gb_per_s) else []


def _between(rates: Sequence[float]) -> list[Issue]:
    """Judge launches against each other; one that stands apart is told as one, and the others are judged without it."""
    found = []
    apart = stragglers(rates)
    rest = [rate for place, rate in enumerate(rates) if place not in apart]
    if apart:
        slowest = statistics.median(rates) / min(rates)
        told = f"{_launches(len(apart))} of {len(rates)} took up to {slowest:.1f} times as long as the median"
        found.append(issue("straggler", told))
    if (spread := variation(rest)) > _VARIATION:
        found.append(issue("launches-differ", f"the launches' throughputs differ: they vary by {_percent(spread)}"))
    change, p = trend(rest)
    if p < _TREND_P and abs(change) > _DRIFT:
        word = "faster" if change > 0 else "slower"
        told = f"from the first launch to the last, throughput became {_percent(abs(change))} {word} (p = {p:.2g})"
        found.append(issue("trend", told))
    return found


def _inside(records: Sequence[PointRecord]) -> list[Issue]:
    """Judge what recurs inside the launches."""
    found = []
    drifts = [_drift(record) for record in records]
    slower = statistics.median(drifts)
    if abs(slower) > _DRIFT and _recurs(drifts):
        word = "slower" if slower > 0 else "faster"
        several = all(len(record.delivered_ns) > 1 for record in records)
        span = "from the first window to the last" if several else "from the first half of a window to the second"
        found.append(issue("drift", f"{span}, transfers became {_percent(abs(slower))} {word}"))
    starts = [slow_start(record.durations_ns, record.window_samples) for record in records]
    ratio, cost = (statistics.median(column) for column in zip(*starts, strict=True))
    if ratio > _FIRST_RATIO and cost > _FIRST_COST and _recurs([excess for _, excess in starts]):
        told = f"the first sample of a window took {ratio:.1f} times as long as the median"
        found.append(issue("slow-start", told))
    spread = statistics.median(middle_spread(record.durations_ns) for record in records)
    if spread > _MIDDLE:
        told = f"the middle half of a launch's transfers spans {_percent(spread)} of their median"
        found.append(issue("samples-differ", told))
    return found


def _few(records: Sequence[PointRecord]) -> list[Issue]:
    least = min(len(record.durations_ns) for record in records)
    if least >= MIN_SAMPLES:
        return []
    counted = "1 sample" if least == 1 else f"{least} samples"
    return [issue("few-samples", f"a launch has {counted}: its median needs {MIN_SAMPLES}")]


def _drift(record: PointRecord) -> float:
    """Return how much slower the end of a launch is: over its windows, or inside the only one."""
    return drift(record.delivered_ns) if len(record.delivered_ns) > 1 else halves(record.durations_ns)


def _recurs(values: Sequence[float]) -> bool:
    """Return whether what launches show is one-sided: its 95 % interval leaves 0 out, or with too few launches all agree."""
    interval = median_interval(values)
    low, high = interval.low, interval.high
    if low is None or high is None:
        low, high = min(values), max(values)
    return low > 0 or high < 0


def _launches(count: int) -> str:
    return "1 launch" if count == 1 else f"{count} launches"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
