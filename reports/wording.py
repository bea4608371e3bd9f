"""Words that several sections share: how two contenders differ, what one of them reached, a duration with its range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perf.choice import lead
from perf.words import NONE, Estimate, rate
from suite.units import format_ns

if TYPE_CHECKING:
    from perf.choice import Contender
    from perf.percentiles import Range
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


def ranged(found: Range | None) -> Estimate:
    """Return `1.5 us (1.4 to 1.9)`: a duration's median over launches; the ends name their unit only where it is another one."""
    if found is None:
        return Estimate(NONE)
    value = format_ns(found.median)
    ends = " to ".join(bare(value, format_ns(found.least), format_ns(found.most)))
    return Estimate(value, f"({ends})" if found.launches > 1 else "")


def bare(value: str, *ends: str) -> tuple[str, ...]:
    """Return `ends` without their unit if all have that of `value`: it need not be said three times."""
    unit = value.partition(" ")[2]
    if unit and all(end.endswith(f" {unit}") for end in ends):
        return tuple(end.removesuffix(f" {unit}") for end in ends)
    return ends


def _by(found: Interval) -> str:
    if found.median >= _TWICE:
        return f"{found.median:.2g} times{_span(found, 1.0, 0.0, '.2g')} as fast as"
    return f"{100 * (found.median - 1):.0f} %{_span(found, 100.0, 1.0, '.0f')} faster than"


def _span(found: Interval, factor: float, less: float, digits: str) -> str:
    if found.low is None or found.high is None or not (math.isfinite(found.low) and math.isfinite(found.high)):
        return ""
    return f" [{factor * (found.low - less):{digits}}, {factor * (found.high - less):{digits}}]"
