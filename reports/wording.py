"""Sentences that several sections share: how two contenders differ, and what one of them reached."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perf.choice import lead
from perf.words import rate

if TYPE_CHECKING:
    from perf.choice import Contender
    from perf.summary import Interval

_TWICE = 2.0  # from here on a factor says more than a percentage


def moved_at(one: Contender) -> str:
    """Return `nixl:UCX (6.26 GB/s [6.1, 6.3])`, of its slowest pair of memories."""
    told = rate(one.slowest.throughput)
    return f"{one.name} ({told.value} GB/s{f' {told.span}' if told.span else ''})"


def faster(first: Contender, second: Contender) -> str:
    """Return `A is 12 % [8, 15] faster than B`; on every pair at least so much, where there are several."""
    found = lead(first, second)
    if found is None:
        return f"{first.name} and {second.name} were not measured between the same memories"
    pairs = len(first.points.keys() & second.points.keys())
    least = f" on each of {pairs} pairs at least" if pairs > 1 else ""
    return f"{first.name} is{least} {_by(found.ratio)} {second.name}"


def _by(found: Interval) -> str:
    if found.median >= _TWICE:
        return f"{found.median:.2g} times{_span(found, 1.0, 0.0, '.2g')} as fast as"
    return f"{100 * (found.median - 1):.0f} %{_span(found, 100.0, 1.0, '.0f')} faster than"


def _span(found: Interval, factor: float, less: float, digits: str) -> str:
    if found.low is None or found.high is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        return ""
    return f" [{factor * (found.low - less):{digits}}, {factor * (found.high - less):{digits}}]"
