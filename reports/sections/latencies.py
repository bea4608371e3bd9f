"""How latency is distributed: percentiles of every point, and the whole curve of the biggest KV cache. Nothing is drawn here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from perf.choice import choices
from perf.identity import CEILING, reading_order, transfer_key
from perf.percentiles import TAILS, curve, first, slowest, tail
from perf.words import NONE, between, between_hosts, carrier, latency, pieces, what, workload
from reports.sections.charts import colours
from reports.wording import ranged
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.choice import Choice
    from perf.summary import PointSummary
    from perf.words import Estimate

MOST_CURVES = 6  # figures: models times ops
SHARES = (10, 25, 50, 75, 90, 100)  # percent, of the table under a curve
_LEAST_NS, _MOST_NS = 1e-3, 1e15  # beyond them a logarithmic axis only shows the mistake


@dataclass(frozen=True)
class Row:
    """One point: medians over launches, each with its range over launches; a dash where samples are too few."""

    what: str
    transport: str
    ceiling: bool
    times: tuple[Estimate, ...]  # median, `TAILS`, slowest
    first: str  # "1.3 times the median"
    samples: str  # in each launch


@dataclass(frozen=True)
class Curve:
    """One transport; `i / len(values_ns)` of its transfers take no longer than the i-th value, counted from 1."""

    label: str
    colour: int
    values_ns: tuple[float, ...]
    launches: int

    def at(self, percent: int) -> str:
        """Return how long the fastest `percent` of the transfers take at most."""
        return format_ns(self.values_ns[max(0, math.ceil(len(self.values_ns) * percent / 100) - 1)])


@dataclass(frozen=True)
class Curves:
    """One figure: the same bytes by everything that moved them."""

    id: str
    title: str
    description: str
    caption: str
    lines: tuple[Curve, ...]


@dataclass(frozen=True)
class Latencies:
    """What the section shows besides latency against size."""

    groups: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    curves: tuple[Curves, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return sum(len(rows) for _, rows in self.groups)


def latencies(summaries: Iterable[PointSummary]) -> Latencies:
    """Return the rows and curves of all points whose times mean something."""
    timed = [one for one in summaries if one.repetitions and one.latency_ns and not one.emulated and not one.invalid]
    ordered = sorted(timed, key=lambda one: reading_order(one.point))
    groups = groupby(ordered, key=lambda one: f"{one.point.op}, {workload(one.point.workload)}")
    coloured = colours(ordered)
    found = [_curves(choice, ordered, coloured) for choice in choices(ordered)[:MOST_CURVES]]
    drawn = [one for one in found if one.lines]
    return Latencies(tuple((name, tuple(map(_row, group))) for name, group in groups), tuple(drawn))


def _row(one: PointSummary) -> Row:
    counts = sorted({rep.samples for rep in one.repetitions})
    slow_start = first(one.repetitions)
    return Row(
        what=what(one.point),
        transport=carrier(one.point),
        ceiling=one.point.transport == CEILING,
        times=(
            latency(one.latency_ns),
            *(ranged(tail(one.repetitions, name)) for name in TAILS),
            ranged(slowest(one.repetitions)),
        ),
        first=f"{slow_start.median:.2g} \N{MULTIPLICATION SIGN}" if slow_start else NONE,
        samples=f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}",
    )


def _curves(choice: Choice, ordered: Sequence[PointSummary], coloured: dict[str, int]) -> Curves:
    """Return the curves of the deciding transfer, on the pair of memories where its best is slowest; with the ceiling."""
    key = transfer_key(choice.point)
    names = {contender.name for contender in choice.contenders}
    same = [one for one in ordered if transfer_key(one.point) == key
            and (one.point.transport == CEILING or carrier(one.point) in names)]  # fmt: skip
    lines = tuple(line for one in same if (line := _line(one, coloured)))
    point = choice.point
    where = "" if between(point) == between_hosts() else f", {between(point)}"
    title = f"{choice.op.capitalize()}, {choice.workload}{where}: {pieces(point)}"
    ends = "; ".join(f"{line.label}: half within {line.at(50)}, all within {line.at(100)}" for line in lines)
    return Curves(
        f"spread-{choice.op}-{_ordinal(choice, ordered)}",
        title,
        f"Share of transfers against their latency. {ends}.",
        _caption(same, lines),
        lines,
    )


def _ordinal(choice: Choice, ordered: Sequence[PointSummary]) -> int:
    """Return a number that no other model of this op has: names are foreign, and ids must be ours."""
    return sorted({one.point.workload for one in ordered}).index(choice.workload) + 1


def _line(one: PointSummary, coloured: dict[str, int]) -> Curve | None:
    values = curve(one.repetitions)
    if not values or not _LEAST_NS <= values[0] <= values[-1] <= _MOST_NS:
        return None
    ceiling = one.point.transport == CEILING
    label = f"ceiling: {carrier(one.point)}" if ceiling else carrier(one.point)
    return Curve(label, 0 if ceiling else coloured.get(carrier(one.point), 0), values, len(one.repetitions))


def _caption(same: Sequence[PointSummary], lines: Sequence[Curve]) -> str:
    launches = sorted({line.launches for line in lines})
    samples = sorted({rep.samples for one in same for rep in one.repetitions})
    told = [
        f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}" for found in (launches, samples) if found
    ]
    if len(told) < 2:  # noqa: PLR2004  nothing to tell without both
        return ""
    few = " With so few samples the upper end says little." if samples[-1] < 100 else ""  # noqa: PLR2004  p90 needs 100
    return f"At each share the median over {told[0]} launches of {told[1]} transfers. Steep is steady; a long foot to the right is a tail.{few}"
