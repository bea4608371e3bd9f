"""Pairs of memories that transferred at the same time, against each other: one that is far slower is told."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from perf.identity import companions_key
from perf.statistics import median_interval
from perf.steadiness import STRAGGLER
from perf.validity import issue, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perf.identity import PointKey
    from perf.summary import PointSummary

_LEAST = 3  # pairs: of two nobody knows which is the odd one


def with_slow_pairs(summaries: Iterable[PointSummary]) -> list[PointSummary]:
    """Return the summaries; a pair that took 1.5 times as long as its companions' median, launch by launch, has an issue."""
    summaries = list(summaries)
    groups: defaultdict[PointKey, list[PointSummary]] = defaultdict(list)
    for one in summaries:
        if one.point.flows > 1 and one.repetitions:
            groups[companions_key(one.point)].append(one)
    usual = {key: _usual(group) for key, group in groups.items() if len(group) >= _LEAST}
    return [_told(one, usual.get(companions_key(one.point), {})) if one.point.flows > 1 else one for one in summaries]


def _usual(group: Sequence[PointSummary]) -> dict[int, float]:
    """Return launch -> the median rate of the pairs in it."""
    rates: defaultdict[int, list[float]] = defaultdict(list)
    for one in group:
        for rep in one.repetitions:
            if rep.throughput:
                rates[rep.launch].append(rep.throughput)
    return {launch: statistics.median(found) for launch, found in rates.items() if len(found) >= _LEAST}


def _told(summary: PointSummary, usual: Mapping[int, float]) -> PointSummary:
    times = [
        usual[rep.launch] / rep.throughput for rep in summary.repetitions if rep.throughput and rep.launch in usual
    ]
    if not times or (middle := median_interval(times)).median < STRAGGLER:
        return summary
    told = f"of {summary.point.flows} pairs at once this one took {middle.median:.1f} times as long as their median"
    return replace(summary, issues=ordered([*summary.issues, issue("slow-pair", told)]))
