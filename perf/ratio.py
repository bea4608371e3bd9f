"""One point against another, launch by launch: the same launch met the same machine, so its ratio is free of what launches share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.statistics import median_interval
from perf.summary import Interval

if TYPE_CHECKING:
    from perf.summary import PointSummary


def ratio(one: PointSummary, other: PointSummary) -> Interval | None:
    """Return the median over launches of throughput by that of `other`, with the interval that order statistics give.

    Only launches that have both are pairs. Without any, the ratio of the two medians, with
    no interval; None where either has no rate.
    """
    theirs = {rep.launch: rep.throughput for rep in other.repetitions}
    pairs = [(rep.throughput, theirs.get(rep.launch)) for rep in one.repetitions]
    ratios = [ours / divisor for ours, divisor in pairs if ours and divisor]
    if ratios:
        return median_interval(ratios)
    if one.throughput is None or other.throughput is None or not other.throughput.median:
        return None
    return Interval(one.throughput.median / other.throughput.median, None, None, None, 0)


def band(summary: PointSummary) -> tuple[float, float] | None:
    """Return the least and the most of its launches' rates, by their median: what a difference must exceed to be one.

    None for fewer than two launches: one does not differ from itself.
    """
    rates = [rep.throughput for rep in summary.repetitions if rep.throughput]
    if len(rates) < 2 or summary.throughput is None or not summary.throughput.median:  # noqa: PLR2004  two can differ
        return None
    return min(rates) / summary.throughput.median, max(rates) / summary.throughput.median


def apart(slower: PointSummary, faster: PointSummary) -> bool:
    """Return whether the intervals of both exist and do not overlap: only then is one called faster."""
    high = slower.throughput.high if slower.throughput else None
    low = faster.throughput.low if faster.throughput else None
    return high is not None and low is not None and high < low
